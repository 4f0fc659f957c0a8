// Chips as conditions: what a click on a facet means in the words that the command line takes, too.

const quoted = (value) => (typeof value === "number" || typeof value === "boolean" ? String(value) : `'${String(value).replaceAll("'", "''")}'`);
export const named = (name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

function readValues(words) { // 'a', 'it''s', 3 -> values; null where it is something else
  const out = [], one = /\s*(?:'((?:[^']|'')*)'|(true|false)|(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?))\s*(,|$)/giy;
  for (let at = 0; at < words.length; at = one.lastIndex) {
    one.lastIndex = at;
    const found = one.exec(words);
    if (!found) return null;
    out.push(found[1] !== undefined ? found[1].replaceAll("''", "'") : found[2] !== undefined ? found[2].toLowerCase() === "true" : Number(found[3]));
  }
  return out;
}

const NAME = `("(?:[^"]|"")+"|[a-zA-Z_][a-zA-Z0-9_]*)`;
const FORMS = [
  [new RegExp(`^${NAME} (not )?in \\((.*)\\)$`, "is"), (m) => ({ not: !!m[2], values: readValues(m[3]) })],
  [new RegExp(`^${NAME} (=|<>) (.*)$`, "is"), (m) => ({ not: m[2] === "<>", values: readValues(m[3]) })],
  [new RegExp(`^(not )?list_has_any\\(${NAME}, \\[(.*)\\]\\)$`, "is"), (m) => ({ name: m[2], list: true, not: !!m[1], values: readValues(m[3]) })],
  [new RegExp(`^len\\(${NAME}\\) (=|>) 0$`, "is"), (m) => ({ list: true, not: m[2] === ">", values: [null] })],
  [new RegExp(`^${NAME} is (not )?null$`, "is"), (m) => ({ not: !!m[2], values: [null] })],
  [new RegExp(`^${NAME} between (\\S+) and (\\S+)$`, "is"), (m) => ({ range: [Number(m[2]), Number(m[3])] })],
];

export function parse(condition) { // {name, not, values | range} of a chip that a facet made, else null
  for (const [form, read] of FORMS) {
    const found = form.exec(condition.trim());
    if (!found) continue;
    const out = { name: found[1], ...read(found) };
    if (out.values === null || out.range?.some(Number.isNaN)) return null;
    out.name = out.name.startsWith('"') ? out.name.slice(1, -1).replaceAll('""', '"') : out.name;
    return out;
  }
  return null;
}

export function spell({ name, list, not, values, range }) {
  const n = named(name);
  if (range) return `${n} between ${range[0]} and ${range[1]}`;
  if (list && values[0] === null) return `len(${n}) ${not ? ">" : "="} 0`;
  if (list) return `${not ? "not " : ""}list_has_any(${n}, [${values.map(quoted).join(", ")}])`;
  if (values.length === 1 && values[0] === null) return `${n} is ${not ? "not " : ""}null`;
  return values.length === 1 ? `${n} ${not ? "<>" : "="} ${quoted(values[0])}` : `${n} ${not ? "not " : ""}in (${values.map(quoted).join(", ")})`;
}

export const about = (chips, name) => chips.filter((c) => parse(c)?.name === name);

export function toggle(chips, name, value, not, list) { // include or exclude one value more, or no longer
  const at = chips.findIndex((c) => { const p = parse(c); return p?.name === name && p.not === not && p.values && p.values.includes(null) === (value === null); });
  if (at < 0) return [...chips, spell({ name, list, not, values: [value] })];
  const old = parse(chips[at]), values = old.values.includes(value) ? old.values.filter((v) => v !== value) : [...old.values, value];
  return values.length ? chips.with(at, spell({ ...old, values })) : chips.toSpliced(at, 1);
}

export function setRange(chips, name, range) {
  const rest = chips.filter((c) => { const p = parse(c); return !(p?.name === name && p.range); });
  return range ? [...rest, spell({ name, range })] : rest;
}

export function words(condition) { // a chip as it is read: [name, sign, values]
  const p = parse(condition);
  if (!p) return [condition];
  if (p.range) return [p.name, "", `${p.range[0]} to ${p.range[1]}`];
  return [p.name, p.not ? "not" : "", p.values.map((v) => v ?? "none").join(", ")];
}

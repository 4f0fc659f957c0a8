// Facets: how often each value is in the set. Click to include, Alt and click to exclude, drag over a histogram for a range.

import { about, parse, setRange, toggle } from "./conditions.js";
import { clip, count, make } from "./dom.js";
import { ask, query } from "./server.js";

const FIRST = ["label", "suggestion", "issues", "split", "flagged", "decision", "tags", "score"]; // open until somebody closes them
const NEVER = ["sample", "key", "path"];
const FEW = 8;

export class Facets {
  constructor(actions) {
    this.actions = actions;
    this.root = make("nav", { class: "facets", "aria-label": "facets" });
    this.parts = new Map();
    this.open = new Set(JSON.parse(localStorage.getItem("assay:facets") ?? "null") ?? FIRST);
    this.asked = 0;
    this.held = null; // answers that came while a value was pressed: drawn at once, they would take it from under the pointer
    this.root.onpointerdown = () => {
      this.held ??= new Map();
      for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => setTimeout(() => this.letGo()), { once: true });
    };
  }
  letGo() { // after the click
    const waiting = this.held;
    this.held = null;
    for (const facet of waiting?.values() ?? []) this.draw(facet);
  }
  describe(columns, metadata) {
    const rank = (c) => { const at = FIRST.indexOf(c.name); return at < 0 ? FIRST.length : at; };
    const some = columns.filter((c) => !NEVER.includes(c.name)).sort((a, b) => rank(a) - rank(b));
    this.parts.clear();
    this.root.replaceChildren(...some.map((column) => {
      const body = make("div", { class: "values" }), part = make("details", { open: this.open.has(column.name) }, make("summary", { text: clip(column.name.replaceAll("_", " "), 40), title: `${column.name}: ${column.says}` }), body);
      part.ontoggle = () => {
        if (part.open === this.open.has(column.name)) return; // it was drawn open
        this.open[part.open ? "add" : "delete"](column.name);
        localStorage.setItem("assay:facets", JSON.stringify([...this.open]));
        if (part.open) this.refresh([column.name]);
      };
      this.parts.set(column.name, { part, body, column, most: FEW });
      return part;
    }));
  }
  async refresh(names = [...this.parts.keys()]) { // a facet that is filtered by is counted without its own chips, so that more can be added
    const start = performance.now(), view = this.actions.view(), mine = names.length === this.parts.size ? ++this.asked : this.asked;
    const some = names.filter((n) => this.parts.get(n)?.part.open), own = some.filter((n) => about(view.chips, n).length), rest = some.filter((n) => !own.includes(n));
    const questions = [...(rest.length ? [[view, rest]] : []), ...own.map((n) => [{ ...view, chips: view.chips.filter((c) => parse(c)?.name !== n) }, [n]])];
    await Promise.all(questions.map(async ([asked, which]) => {
      try {
        const found = await ask(`/assay/facets?${query(asked, { name: which })}`);
        if (mine === this.asked) for (const facet of found) this.draw(facet);
      } catch (e) {
        if (mine === this.asked) for (const n of which) this.parts.get(n).body.replaceChildren(make("p", { class: "quiet", text: e.message.split("\n")[0] }));
      }
    }));
    performance.measure("assay:facets", { start, end: performance.now() });
  }
  draw(facet) {
    if (this.held) return void this.held.set(facet.name, facet);
    const one = this.parts.get(facet.name);
    if (!one) return;
    const rest = [];
    if (facet.missing) rest.push(this.value(facet, null, facet.missing, "none"));
    if (facet.locked) rest.push(make("p", { class: "quiet", text: `${count(facet.locked)} of test and guard are not counted` }));
    if (facet.counts.some((n) => n)) return one.body.replaceChildren(this.histogram(facet), ...rest);
    const shown = facet.values.slice(0, one.most), left = facet.values.length - shown.length;
    const more = left > 0 ? [make("button", { class: "plain", text: `${count(left)} more`, onclick: () => { one.most += 100; this.draw(facet); } })] : facet.more ? [make("p", { class: "quiet", text: `and ${count(facet.more)} more values` })] : [];
    const none = !shown.length && !rest.length ? [make("p", { class: "quiet", text: "nothing here" })] : [];
    one.body.replaceChildren(...shown.map(([value, n]) => this.value(facet, value, n)), ...more, ...rest, ...none);
  }
  value(facet, value, n, words) {
    const { column } = this.parts.get(facet.name), most = Math.max(1, ...facet.values.map((v) => v[1]));
    if (column.sets && value === "[]") words = "no class";
    const colour = facet.name === "label" || facet.name === "suggestion" ? this.actions.colourOf(value) : null;
    return makeValue(this.actions, { name: facet.name, list: column.kind === "list" }, value, n, { words, colour, share: n / most });
  }
  histogram(facet) { return makeHistogram(this.actions, facet); }
}

// a value with its count: a click includes it, or no longer; Alt and click excludes it. Map's legend has the same
export function makeValue(actions, { name, list }, value, n, { words, colour, share }) {
  const on = about(actions.view().chips, name).map(parse).find((c) => c.values?.includes(value)), text = words ?? String(value);
  const button = make("button", { class: `value${on ? (on.not ? " excluded" : " included") : ""}`, title: `${text}\nclick: only these; Alt and click: all but these`, "aria-pressed": String(!!on) },
    make("span", { class: "bar", style: { width: `${100 * share}%` } }), colour ? make("i", { style: { "--c": colour } }) : null,
    make("span", { class: "name", text }), make("span", { class: "n", text: count(n) }));
  button.onclick = (e) => {
    const not = on ? on.not : e.altKey;
    actions.apply({ chips: toggle(actions.view().chips, name, value, not, list) });
  };
  return button;
}

export function makeHistogram(actions, facet, shade = () => null) { // bars that are brushed; two fields say the same in numbers
  const { edges, counts } = facet, most = Math.max(1, ...counts), range = about(actions.view().chips, facet.name).map(parse).find((p) => p.range)?.range;
  const tidy = (v) => String(Number(v.toPrecision(4)));
  const bars = counts.map((n, i) => make("span", { class: range && (edges[i + 1] <= range[0] || edges[i] >= range[1]) ? "bar off" : "bar", title: `${tidy(edges[i])} to ${tidy(edges[i + 1])}: ${count(n)}`, style: { height: `${n ? Math.max(4, (100 * n) / most) : 0}%`, background: shade(i) } }));
  const chart = make("div", { class: "bars", "aria-hidden": "true" }, ...bars);
  const field = (at, label) => make("input", { type: "number", step: "any", value: range ? tidy(range[at]) : "", placeholder: tidy(at ? edges.at(-1) : edges[0]), "aria-label": `${facet.name} ${label}` });
  const low = field(0, "from"), high = field(1, "to"), set = (found) => actions.apply({ chips: setRange(actions.view().chips, facet.name, found) });
  const fields = () => { const a = low.value === "" ? null : Number(low.value), b = high.value === "" ? null : Number(high.value); set(a === null && b === null ? null : [a ?? edges[0], b ?? edges.at(-1)]); };
  low.onchange = high.onchange = fields;
  low.onkeydown = high.onkeydown = (e) => e.stopPropagation();
  let from = null;
  const where = (e) => { const box = chart.getBoundingClientRect(); return Math.max(0, Math.min(counts.length, (counts.length * (e.clientX - box.left)) / box.width)); };
  const mark = (a, b) => bars.forEach((bar, i) => bar.classList.toggle("off", i + 1 <= a || i >= b));
  chart.onpointerdown = (e) => { from = where(e); chart.setPointerCapture(e.pointerId); mark(Math.floor(from), Math.floor(from) + 1); };
  chart.onpointermove = (e) => { if (from !== null) { const to = where(e); mark(Math.floor(Math.min(from, to)), Math.ceil(Math.max(from, to))); } };
  chart.onpointerup = (e) => {
    const to = where(e), a = Math.floor(Math.min(from, to)), b = Math.max(a + 1, Math.ceil(Math.max(from, to)));
    from = null;
    set([edges[a], edges[Math.min(b, counts.length)]]);
  };
  return make("div", { class: "histogram" }, chart, make("div", { class: "ends" }, low, make("span", { class: "quiet", text: "to" }), high));
}

// Talk to the server: what it refuses is said where it was asked, and what it cannot answer now is asked again.

export class Refused extends Error { // the server has understood, and says what is wrong
  constructor(said) { super(said.error ?? "the server refused this"); this.hint = said.hint ?? ""; this.said = said; }
}

async function request(path, body, signal) {
  const answer = await fetch(path, body === undefined ? { signal } : { method: "POST", signal, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (answer.status === 400) throw new Refused(await answer.json().catch(() => ({})));
  if (answer.status === 403) throw new Refused({ error: "The server does not know this browser", hint: "open its link again" });
  if (!answer.ok) throw Object.assign(new Error(`the server says ${answer.status}`), { status: answer.status });
  return answer;
}

export const ask = async (path, body, signal) => (await request(path, body, signal)).json();
export const askBytes = async (path, signal) => (await request(path, undefined, signal)).arrayBuffer();

export const describeAway = (e) => (e?.status ? `The server has met an error of its own (${e.status}): where it was started it says which. It is asked again.` : "The server cannot be reached; trying again.");

export function unpack(bytes) { // an order: its header, and the rows of the table that it shows
  const [length] = new Uint32Array(bytes, 0, 1), header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  if (!header.bits) return { header, positions: new Int32Array(bytes, 4 + length) };
  const marks = new Uint8Array(bytes, 4 + length), positions = new Int32Array(header.total);
  let n = 0;
  for (let at = 0; at < marks.length; at++) for (let left = marks[at], row = 8 * at; left; left >>= 1, row++) if (left & 1) positions[n++] = row;
  return { header, positions };
}

export async function patiently(work, away, stopped) { // until the server answers; `away(true)` while it does not
  for (let wait = 300; ; wait = Math.min(2 * wait, 4000)) {
    try {
      const found = await work();
      away(false);
      return found;
    } catch (e) {
      if (e instanceof Refused || e.name === "AbortError" || stopped()) { if (e instanceof Refused) away(false); throw e; }
      away(true, e);
      await new Promise((r) => setTimeout(r, wait));
      if (stopped()) throw e;
    }
  }
}

export function query(view, more = {}) { // a view as the server's routes take it
  const out = new URLSearchParams();
  for (const q of view.chips) out.append("q", q);
  for (const name of ["sort", "search", "group", "words"]) if (view[name]) out.set(name, view[name]);
  for (const one of view.like) out.append("like", one);
  for (const [k, v] of Object.entries(more)) for (const one of [v].flat()) out.append(k, one);
  return out.toString();
}

// what the address says is the view: a link is a view, and back goes to the one before
export function readAddress() {
  const said = new URLSearchParams(location.search);
  return { chips: said.getAll("q").filter(Boolean), sort: said.get("sort") ?? "", search: said.get("s") ?? "", like: said.getAll("like").filter(Boolean), words: said.get("words") ?? "", group: said.get("group") ?? "", open: said.get("open") ?? "" };
}
export function writeAddress(view, replace) {
  const said = new URLSearchParams(location.search);
  for (const name of ["q", "sort", "s", "like", "words", "group", "open"]) said.delete(name);
  for (const q of view.chips) said.append("q", q);
  for (const one of view.like) said.append("like", one);
  for (const [name, key] of [["sort", "sort"], ["s", "search"], ["words", "words"], ["group", "group"], ["open", "open"]]) if (view[key]) said.set(name, view[key]);
  const to = `${location.pathname}${said.size ? `?${said}` : ""}`;
  if (to !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](history.state, "", to);
}

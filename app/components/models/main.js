// Models: what each one confuses on the validation samples of the filter. The address holds the view.

import { clip, count, make } from "../browse/dom.js";
import { FilterBar } from "../browse/filter.js";
import { COLOURS } from "../browse/paint.js";
import { ask, describeAway, patiently, Refused } from "../browse/server.js";
import { listen } from "../frame/events.js";
import { readAddress, writeAddress } from "./address.js";
import { ClassTable } from "./classes.js";
import { ModelList } from "./list.js";
import { ALL, FEW, Matrix } from "./matrix.js";
import { amount, difference, interval, whisker } from "./numbers.js";
import { Pictures } from "./pictures.js";
import { browseLink, conditionsOf } from "./sets.js";
import { drawNumber } from "../why.js";

const SHOWS = { count: "counts", share: "share of row", change: "change, B − A" }; // of A, but for the change

export function models(root, component) {
  let view = readAddress(), said = null, list = null, asked = 0, stopped = false, colours = new Map(), from = null, around = "", most = FEW;
  const home = location.pathname, chosen = () => [view.a, view.b].filter(Boolean);
  const filterQuery = (next) => { const q = new URLSearchParams(); for (const c of next.chips) q.append("q", c); if (next.search) q.set("search", next.search); return q; };
  const link = (cell) => browseLink(view, conditionsOf(cell, chosen(), said?.several), root.who), colourOf = (name) => colours.get(name) ?? "#8a919b";
  const go = (page) => component().setTriggerValue("wanted", page), hand = (what, some) => component().setTriggerValue("handed", { what, ...some });
  const filter = new FilterBar({ apply, view: () => view, leave: () => matrix.table.querySelector("td[tabindex='0']")?.focus(), size() {}, facets() {}, saveView() {}, openView() {}, dropped() {}, elsewhere: { path: "/browse", text: "Browse", title: "the same filter as pictures" } });
  filter.elsewhere.onpointerenter = filter.elsewhere.onpointerdown = filter.elsewhere.onfocus = () => { filter.elsewhere.href = browseLink(view, [], root.who); };
  const left = new ModelList({ choose: (change) => load({ ...view, ...change, cell: null }), view: () => view, go });
  const matrix = new Matrix({ open, link, view: () => view });
  const table = new ClassTable({ open, link, browse: (name) => browseLink(view, [`label = '${name.replaceAll("'", "''")}'`, "split = 'val'", "keep"], root.who), seeds: () => said.models.map((m) => m.seeds) });
  const pictures = new Pictures({ view: () => view, models: chosen, several: () => said?.several, scanned: () => list?.scanned, link, hand, close, colourOf, part: (part) => open({ ...view.cell, part }, from) });
  const offline = make("div", { class: "offline", role: "alert", hidden: true }), summary = make("div", { class: "summary" }), notes = make("ul", { class: "notes quiet" });
  const wrong = make("div", { class: "trouble", role: "alert", hidden: true }), shows = make("div", { class: "parts", role: "group", "aria-label": "what the matrix shows" });
  const find = make("input", { type: "search", placeholder: "find a class …", "aria-label": "find a class", maxlength: "300", list: "assay-models-classes", autocomplete: "off" }), names = make("datalist", { id: "assay-models-classes" });
  const size = make("select", { "aria-label": "classes in the matrix" }, ...[20, 40, 80].map((n) => make("option", { value: n, text: `${n} classes` })));
  const tools = make("div", { class: "row tools" }, shows, make("span", { class: "push" }), size, find, names);
  const middle = make("main", { class: "judged" }, wrong, summary, tools, matrix.about, matrix.root, matrix.legend, make("h2", { text: "Classes" }), table.root, notes);
  root.replaceChildren(filter.root, left.root, middle, pictures.root, offline);
  find.oninput = () => { const name = find.value.trim(); around = said?.classes.includes(name) ? name : ""; if (said) { matrix.show(said, { most, around }); matrix.mark(view.cell); table.show(said, name); } };
  find.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") { find.value = ""; find.oninput(); } };
  size.onchange = () => { most = Number(size.value); matrix.show(said, { most, around }); matrix.mark(view.cell); };

  // ---- the models and the filter

  async function apply(change, replace, done) { await load({ ...view, ...change, cell: null }, { replace, done }); }
  async function load(next, { replace = false, silent = false, done } = {}) { // what is wrong is said, and the last good answer stays
    const mine = ++asked, late = () => stopped || mine !== asked, sameFilter = list && filterQuery(next).toString() === filterQuery(view).toString() && !silent;
    root.classList.add("busy");
    try {
      const heard = sameFilter ? list : await patiently(() => ask(`/assay/models?${filterQuery(next)}`), away, late);
      if (late()) return;
      const a = next.a || (heard.models.find((m) => m.accuracy) ?? heard.models.find((m) => m.kind === "probe" || m.runs.length))?.name || "";
      next = { ...next, a, b: next.b === a ? "" : next.b };
      if (!next.b && next.show === "change") next.show = "";
      const q = filterQuery(next);
      for (const name of [next.a, next.b].filter(Boolean)) q.append("model", name);
      filter.good();
      list = heard;
      bar(next);
      if (!heard.n) { view = next; if (!silent) writeAddress(view, replace); left.draw(list); return done?.() ?? trouble(heard.of ? "No labelled validation sample is in this filter." : "No validation sample has a label.", heard.of ? make("button", { text: `show all ${count(heard.of)}`, onclick: () => apply({ chips: [], search: "" }) }) : null); }
      if (!a) { view = next; left.draw(list); return trouble("No model has predicted these samples: see the reasons at the left.", null); }
      const judged = await patiently(() => ask(`/assay/confusions?${q}`), away, late);
      if (late()) return;
      said = judged;
      view = next;
      if (!silent) writeAddress(view, replace);
      done?.();
      draw();
    } catch (e) {
      if (late() || !(e instanceof Refused)) return;
      if (e.said?.condition !== undefined) { filter.bad(e, next.chips); if (!list) load({ ...next, chips: [], search: "" }, { silent: true }).then(() => filter.bad(e, next.chips)); } else { view = { ...next, cell: null }; left.draw(list ?? { models: [], scanned: root.scanned }); trouble(`${e.message}. ${e.hint}`, list?.models.some((m) => m.name === "probe") && view.a !== "probe" ? make("button", { text: "show the live probe", onclick: () => load({ ...view, a: "probe", b: "" }) }) : (root.scanned ? make("button", { text: "New experiment", onclick: () => go("experiments") }) : make("button", { text: "Scan", onclick: () => go("scan") }))); }
    } finally { if (!late()) { root.classList.remove("busy"); root.dataset.ready = Math.round(performance.now()); } }
  }
  function bar(next) {
    filter.draw(next, { total: list.n, all: list.of });
    filter.count.replaceChildren(make("b", { text: count(list.n) }), list.n === list.of ? " labelled validation samples" : ` of ${count(list.of)} labelled validation samples`);
    root.dataset.n = list.n;
  }
  function trouble(words, button) {
    said = null;
    wrong.replaceChildren(make("p", { text: words }), ...(button ? [button] : []));
    for (const part of [summary, tools, matrix.about, matrix.root, matrix.legend, table.root, notes, middle.querySelector("h2")]) part.hidden = true;
    wrong.classList.remove("coming");
    wrong.hidden = false;
    pictures.hide();
    root.classList.remove("shooting");
  }
  function draw() {
    wrong.hidden = true;
    for (const part of [summary, tools, matrix.root, matrix.legend, table.root, notes, middle.querySelector("h2")]) part.hidden = false;
    left.draw(list);
    summarize();
    shows.replaceChildren(...Object.entries(SHOWS).filter(([name]) => name !== "change" || view.b).map(([name, text]) => make("button", { text: view.b && name !== "change" ? `${text}, A` : text, "aria-pressed": String((view.show || "count") === name), onclick: () => { view = { ...view, show: name === "count" ? "" : name }; writeAddress(view, true); draw(); shows.querySelectorAll("button")[Object.keys(SHOWS).indexOf(name)].focus(); } })));
    size.hidden = said.classes.length <= ALL;
    names.replaceChildren(...said.classes.map((value) => make("option", { value })));
    around = said.classes.includes(find.value.trim()) ? find.value.trim() : "";
    matrix.show(said, { most, around });
    table.show(said, find.value.trim());
    notes.replaceChildren(...said.notes.map((text) => make("li", { text })));
    if (view.cell) { root.classList.add("shooting"); pictures.show(view.cell); matrix.mark(view.cell); } else shut();
  }
  function summarize() {
    const card = (m, i) => make("div", { class: `card ${"ab"[i]}` }, make("h2", {}, make("span", { class: "letter", text: "AB"[i] }), make("span", { text: clip(name(m), 60), title: m.name })), make("p", { class: "large" }, whisker(m.accuracy, "ab"[i]), make("span", { text: interval(m.accuracy) })),
      make("p", { class: "quiet", text: `${said.several ? "share of labels right" : "accuracy"}, n ${count(said.n)}${m.seeds > 1 ? `, ${count(m.seeds)} seeds` : ""}; ${said.several ? `exact match ${interval(m.exact)}` : `balanced ${interval(m.balanced)}`}` }),
      make("p", {}, make("b", { text: amount(m.errors) }), `${said.several ? " wrong label" : " error"}${m.errors === 1 ? "" : "s"}`, m.doubted === null ? "" : `: ${amount(m.doubted)} of doubted ${said.several ? "samples" : "labels"}, ${amount(m.reviewed)} of ${said.several ? "samples" : "labels"} that people reviewed`));
    const parts = said.models.map(card), d = said.difference;
    if (d) parts.push(make("div", { class: "card" }, make("h2", { text: "B − A" }), make("p", { class: "large", text: difference(d) }), make("p", { class: "quiet", text: `paired, n ${count(d.n)}, 95 %` }), make("p", {}, make("b", { text: d.word })), make("button", { text: "swap A and B", onclick: () => load({ ...view, a: view.b, b: view.a, cell: null }) })));
    const how = make("details", { class: "how" }, make("summary", { text: "How is this known?" }), ...said.explained.map((number) => drawNumber(number, false)));
    summary.replaceChildren(...parts, how);
  }
  const name = (m) => { for (const model of list.models) for (const run of model.runs) if (run.key === m.name) return `${model.name}, seed ${run.seed}`; return m.name === "probe" ? "live probe" : m.name; };

  // ---- a cell

  function open(cell, by) {
    from = by ?? from;
    view = { ...view, cell: { part: "a", ...cell } };
    writeAddress(view, true);
    root.classList.add("shooting");
    matrix.mark(view.cell);
    pictures.show(view.cell);
  }
  function shut() { root.classList.remove("shooting"); pictures.hide(); matrix.mark(null); }
  function close() {
    view = { ...view, cell: null };
    writeAddress(view, true);
    shut();
    from?.isConnected && from.focus();
  }

  // ---- keys, the address, other people

  function away(yes, e) { offline.hidden = !yes; offline.textContent = yes ? describeAway(e) : ""; }
  function keys(e) {
    if (!root.isConnected || e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Escape" && view.cell) close();
    else if (e.key === "/" && !e.target.closest?.("input, textarea, select")) { e.preventDefault(); filter.search.focus(); }
  }
  function back(e) {
    if (location.pathname !== home) return;
    e.stopImmediatePropagation();
    load(readAddress(), { silent: true });
  }
  async function noticed(state, gone) { // labels and models as they stand now
    if (stopped || document.hidden || !list || root.classList.contains("busy")) return;
    away(gone);
    if (!gone && (state.seq > list.seq || state.runs !== list.runs)) await load(view, { silent: true });
  }
  document.addEventListener("keydown", keys);
  window.addEventListener("popstate", back, true);
  patiently(() => ask("/assay/browse"), away, () => stopped).then(({ classes }) => { colours = new Map(classes.map(([c, colour], i) => [c, colour ?? COLOURS[i % COLOURS.length]])); pictures.grid.recolour(); }).catch(() => {});
  trouble("Judging the models …");
  wrong.classList.add("coming");
  load(view, { replace: true });
  const end = listen(noticed);
  return { stop() { stopped = true; end(); pictures.stop(); document.removeEventListener("keydown", keys); window.removeEventListener("popstate", back, true); } };
}

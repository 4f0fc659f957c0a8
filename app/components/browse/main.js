// All samples under one filter, which Browse and Map show each in its middle. The address holds the view; the log holds the acts; here is what lies between.

import { latest, listen } from "../frame/events.js";
import { isUndo, setWho, undoLast } from "../frame/undo.js";
import { askNameOnce } from "../name.js";
import { Acts } from "./acts.js";
import { spell } from "./conditions.js";
import { count, make, samples } from "./dom.js";
import { makeExemplars } from "./exemplars.js";
import { Facets } from "./facets.js";
import { FilterBar } from "./filter.js";
import { Inspector } from "./inspector.js";
import { drawExport } from "./download.js";
import { OutsidePictures } from "./outside.js";
import { COLOURS } from "./paint.js";
import { Selection } from "./selection.js";
import { SharedSelection } from "./shared_selection.js";
import { ask, askBytes, describeAway, patiently, query, readAddress, Refused, unpack, writeAddress } from "./server.js";

const ZOOM = 1.5; // what one key makes the pictures larger
const LATE = 500; // ms after which facets are counted though not all pictures are there
const MOST_LIKE = 20; // selected samples whose likes are looked for at once

export function start(component, selector, Middle) { // as Streamlit starts it: the page lives on while its data changes
  const root = component.parentElement.querySelector(selector), { who, proposal } = component.data;
  root.component = component;
  if (who || !root.who) root.who = who; // it may be said, or changed, while the page is open
  root.proposal = proposal;
  root.page ??= browse(root, () => root.component, Middle);
  return () => { root.page?.stop(); root.page = null; };
}

// Middle fills the window: it shows the set (show, extend), what is selected (draw), other colours or sizes (recolour, resize, relayout),
// takes the keyboard (focus), opens the one beside (step), and says where else the set can be seen (elsewhere)
export function browse(root, component, Middle) {
  let view = readAddress(), wanted = view, now = null, asked = 0, stopped = false, classes = [], colours = new Map(), columns = [], known = 0, since = 0, acting = null, looking = false, uncounted = false;
  const home = location.pathname;
  const colourOf = (name) => colours.get(name) ?? "#8a919b";
  const drawSelection = () => { acts.draw(); middle.draw(); }, selection = new Selection(() => { drawSelection(); shared.publish(); });
  const shared = new SharedSelection(selection, () => now?.table, drawSelection), leave = () => middle.focus();
  const filter = new FilterBar({ apply, view: () => wanted, leave, size, facets: () => { root.classList.toggle("faceted"); localStorage.setItem(`assay:faceted${home}`, root.classList.contains("faceted")); middle.relayout(); }, elsewhere: Middle.elsewhere, saveView, openView, dropped: (name) => outside.picture(name), choose: () => outside.choose() });
  const facets = new Facets({ apply, view: () => wanted, colourOf });
  const middle = new Middle({ root, selection, colourOf, classes: () => classes, apply, opened: openSample, enlarge: () => inspector.zoom(), painted, view: () => wanted, set: () => now, inspecting: () => (inspector.root.hidden ? null : inspector.id), get stopped() { return stopped; } });
  const inspector = new Inspector({ who: () => root.who, open: openSample, like: alike, exemplar: (ids) => exemplar(ids), close, step: (by) => middle.step(by), colourOf, ahead: () => middle.ahead?.() ?? [] });
  const acts = new Acts({ selection, order: () => now?.order ?? [], of: () => now?.of, table: () => now?.table, classes: () => classes, who: () => root.who, askName, stored, away, leave, like, exemplar: () => exemplar(), showExport, hand, view: () => view, showOne: openSample, showSome: (ids) => apply({ chips: [spell({ name: "sample", values: ids })], search: "" }), offerViews: (views) => filter.offer(views), get stopped() { return stopped; } });
  const offline = make("div", { class: "offline", role: "alert", hidden: true });
  const empty = make("div", { class: "empty coming" }, make("p", { role: "status", text: "Fetching the samples …" })), names = make("div", { class: "names", hidden: true });
  const frame = make("div", { class: "middle" }, middle.root, empty);
  const outside = new OutsidePictures({ root, middle: frame, found: (name) => alike([name]), say: (words) => acts.say(words) });
  root.replaceChildren(filter.root, facets.root, frame, inspector.root, make("div", { class: "foot" }, offline, names, acts.root), outside.input);
  if ((localStorage.getItem(`assay:faceted${home}`) ?? String(Middle.faceted)) === "true" && innerWidth > 1000) root.classList.add("faceted");
  size(Number(localStorage.getItem("assay:size")) || (innerWidth < 600 ? 96 : 112));
  function painted() { // all that is in view is drawn
    if (root.dataset.painted || !now) return;
    root.dataset.painted = Math.round(performance.now());
    performance.measure(acting ? "assay:act" : "assay:painted", { start: acting ?? since, end: performance.now() });
    acting = null;
    countFacets();
  }
  function countFacets() { // after the pictures: both at once would keep each other waiting
    if (!uncounted || stopped) return;
    uncounted = false;
    const start = since;
    facets.refresh().then(() => performance.measure("assay:counted", { start, end: performance.now() }));
  }

  // ---- the set

  async function apply(change, replace, done) { // another view: what is wrong with it is marked, and the last good one stays
    wanted = { ...wanted, ...change }; // of what was asked for last, or two quick changes would lose the first
    await load(wanted, { replace, done });
  }
  async function load(next, { replace = false, keep = false, done, silent = false } = {}) {
    const mine = ++asked, start = performance.now();
    root.classList.add("busy");
    try {
      const bytes = await patiently(() => askBytes(`/assay/samples?${query(next, { bits: 1 })}`), away, () => stopped || mine !== asked);
      if (mine !== asked || stopped) return;
      const { header, positions } = unpack(bytes);
      let order = positions;
      if (order.length < header.total) { const whole = new Int32Array(header.total).fill(-1); whole.set(order); rest(next, header, whole, order.length, mine); order = whole; }
      if (now && now.table !== header.table && selection.size) { selection.reset(header.all); acts.say("Samples came or went: what was selected is selected no longer."); }
      const other = !now || now.table !== header.table;
      if (other) selection.reset(header.all);
      view = wanted = { ...next, open: inspector.id ?? next.open };
      now = { ...header, order };
      if (other) shared.restore();
      known = Math.max(known, header.seq);
      if (!silent) writeAddress(view, replace);
      filter.good();
      done?.();
      since = start;
      delete root.dataset.painted;
      middle.show(now, { keep });
      draw();
      uncounted = true;
      setTimeout(countFacets, now.total ? LATE : 0);
      if (header.notes?.length) filter.note(header.notes);
    } catch (e) {
      if (mine !== asked || stopped) return;
      wanted = view;
      if (e instanceof Refused) {
        filter.bad(e, next.chips);
        if (!now) { view = { ...next, chips: [], like: [], words: "", sort: "" }; load(view, { silent: true }).then(() => filter.bad(e, next.chips)); }
      }
    } finally { if (mine === asked) root.classList.remove("busy"); }
  }
  async function rest(next, header, whole, from, mine) { // the positions of a long order, a megabyte at a time
    while (from < header.total && mine === asked && !stopped) {
      const bytes = await askBytes(`/assay/samples?${query(next, { after: from })}`).catch(() => null);
      if (!bytes || mine !== asked) return;
      const { header: told, positions: part } = unpack(bytes);
      if (told.of !== header.of) return load(next, { keep: true, silent: true });
      whole.set(part, from);
      from += part.length;
    }
    middle.extend(whole);
    acts.draw();
  }
  function draw() {
    filter.draw(view, now);
    acts.draw();
    const none = !now.total;
    empty.hidden = !none;
    empty.classList.remove("coming");
    if (none) empty.replaceChildren(make("p", { text: now.all ? "No sample fits this filter." : "This bench has no samples yet." }), now.all ? make("button", { text: `show all ${count(now.all)}`, onclick: () => apply({ chips: [], search: "", like: [], words: "" }) }) : make("p", { class: "quiet", text: "Overview imports some." }));
    root.dataset.total = now.total;
    root.dataset.seq = now.seq;
    root.dataset.of = now.of;
  }
  async function describe() {
    const said = await patiently(() => ask("/assay/browse"), away, () => stopped);
    columns = said.columns;
    classes = said.classes.map(([name]) => name);
    colours = new Map(said.classes.map(([name, colour], i) => [name, colour ?? COLOURS[i % COLOURS.length]]));
    root.given = said.given;
    filter.describe(said);
    filter.offer(said.views ?? []);
    facets.describe(columns);
    acts.offer(classes, said.several);
    if (now) { filter.draw(view, now); facets.refresh(); }
    middle.recolour(columns);
  }

  // ---- what changes it

  async function stored(said, start) { // an act of ours is in the log: the set as it stands now
    setWho(root.who); // whose act Ctrl+Z takes back
    known = Math.max(known, said.seq);
    acting = start ?? null;
    await load(view, { keep: true, silent: true });
    if (!classes.every((c) => colours.has(c)) || said.samples) describe();
    if (inspector.id) inspector.show(inspector.id, true);
  }
  function away(yes, e) {
    offline.hidden = !yes;
    offline.textContent = yes ? `${describeAway(e)} What you selected and filtered stays.` : "";
  }
  async function noticed(state, gone) { // somebody else changed the bench, or the server is away
    if (stopped || looking || document.hidden || acts.sending || !now) return;
    away(gone);
    if (gone || state.seq <= known) return;
    looking = true;
    try {
      const said = await ask(`/assay/position?since=${known}`);
      if (root.classList.contains("busy")) return; // what was asked for meanwhile comes as it stands now, and must not be lost for this
      known = Math.max(known, said.seq);
      await load(view, { keep: true, silent: true });
      const others = said.by.filter(([who]) => who !== root.who), people = others.map(([who, n]) => `${who}: ${samples(n)}`).join(", ");
      if (others.length) acts.say(`The bench was changed meanwhile (${people}); shown as it stands now. Your selection is kept.`);
    } catch (e) { if (!(e instanceof Refused)) away(true); } finally { looking = false; }
  }
  const seen = () => { if (latest()) noticed(latest(), false); };
  function undone(e) { // by the bar, wherever the act was made: the set as it stands now
    e.preventDefault();
    if (e.detail.failed) return acts.undone(e.detail);
    stored(e.detail).then(() => acts.undone(e.detail));
  }
  function askName(then) { askNameOnce(names, root, component, then); }
  function hand(what, chosen) { component().setTriggerValue("handed", { what, ...chosen, query: query(view) }); }
  async function alike(ids) { // the likest first: another order would hide it, and a map has none
    if (!Middle.ordered) return location.assign(`${Middle.elsewhere.path}?${new URLSearchParams([...new URLSearchParams(location.search), ...ids.map((id) => ["like", id])])}`);
    await apply({ like: ids, words: "", sort: "" });
  }
  async function like() { // the first twenty that are selected, wherever they lie
    const rows = selection.rows().slice(0, MOST_LIKE);
    try {
      const { ids, locked } = await ask("/assay/ids", { table: now.table, only: rows });
      if (!ids.length) return acts.say("Of test and guard samples no likes are looked for: they would no longer measure anything.");
      await alike(ids);
      const left = [locked ? `${count(locked)} of test or guard left out` : "", selection.size > rows.length ? `the first ${rows.length} of ${count(selection.size)} selected` : ""].filter(Boolean);
      acts.say(`the likest of ${samples(ids.length)} come first${left.length ? `: ${left.join(", ")}` : ""}`);
    } catch (e) { acts.say(`not looked for: ${e.message}. ${e.hint ?? ""}`); }
  }
  async function exemplar(ids) { // one sample, or the first six that are selected
    const said = ids ? { ids } : await ask("/assay/ids", { table: now.table, only: selection.rows().slice(0, 6) }).catch(() => ({ ids: [] }));
    makeExemplars(said.ids, { acts, who: () => root.who, askName });
  }
  function showExport() { drawExport(acts, { view, given: root.given, of: now.of, total: now.total }); }
  async function saveView() {
    if (!root.who) return askName(saveView);
    const input = make("input", { placeholder: "name of this view", maxlength: "100", "aria-label": "name of this view" }), form = make("form", {}, input, make("button", { text: "save", class: "main" }));
    input.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") acts.say(""); };
    form.onsubmit = async (e) => {
      e.preventDefault();
      try {
        const said = await ask("/assay/view", { name: input.value.trim(), conditions: view.chips, sort: view.sort, search: view.search, words: view.words, who: root.who });
        filter.offer(said.views);
        acts.say(`saved: ${input.value.trim()}`);
      } catch (wrong) { acts.say(`not saved: ${wrong.message}. ${wrong.hint ?? ""}`); }
    };
    acts.say("");
    acts.says.append(form);
    input.focus();
  }
  async function openView(name) {
    const said = await ask("/assay/browse"), found = (said.views ?? []).find((v) => v.name === name);
    if (found) apply({ chips: found.where ? [found.where] : [], sort: found.sort ?? "", search: found.search ?? "", words: found.words ?? "", like: [], group: "" });
  }
  function size(side) {
    const to = side > 64 && side < 72 ? 72 : side;
    filter.size.value = to;
    localStorage.setItem("assay:size", to);
    middle.resize(to);
  }
  function zoom(by) { size(Math.max(filter.size.min, Math.min(filter.size.max, 8 * Math.round((Number(filter.size.value) * by) / 8)))); }


  // ---- one sample

  function openSample(id) {
    view = { ...view, open: id };
    wanted = { ...wanted, open: id };
    writeAddress(view, true);
    root.classList.add("inspecting");
    inspector.show(id);
    middle.relayout();
  }
  function close() {
    view = { ...view, open: "" };
    wanted = { ...wanted, open: "" };
    writeAddress(view, true);
    root.classList.remove("inspecting");
    inspector.hide();
    middle.relayout();
    leave();
  }

  // ---- keys, the address

  function keys(e) {
    if (!root.isConnected || e.defaultPrevented) return;
    const asks = isUndo(e), typing = e.target.closest?.("input, textarea, select, [contenteditable]");
    if (asks) { e.preventDefault(); if (!e.repeat) undoLast({ redo: asks === "redo" }); return; } // here as well: the bar may not be up yet
    if (typing || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "/") { e.preventDefault(); filter.search.focus(); filter.search.select(); }
    else if (!inspector.root.hidden && inspector.key(e)) e.preventDefault();
    else if (Middle.ordered && /^[+=-]$/.test(e.key)) { e.preventDefault(); zoom(e.key === "-" ? 1 / ZOOM : ZOOM); }
    else if (e.key === "Escape") { if (!inspector.root.hidden) close(); else if (selection.size) selection.clear(); }
  }
  function back(e) { // the view of the address: the page stays, so Streamlit need not draw it anew
    if (location.pathname !== home) return;
    e.stopImmediatePropagation();
    const next = readAddress();
    load(next, { silent: true }).then(() => { if (next.open && next.open !== inspector.id) openSample(next.open); if (!next.open && inspector.id) close(); });
  }
  document.addEventListener("keydown", keys);
  window.addEventListener("popstate", back, true);
  describe().catch(() => {});
  load(view, { replace: true }).then(() => { if (view.open) openSample(view.open); if (document.activeElement === document.body) leave(); });
  const end = listen(noticed);
  document.addEventListener("visibilitychange", seen);
  window.addEventListener("assay:undone", undone);
  return { settle() { middle.relayout(); }, stop() { stopped = true; end(); shared.stop(); middle.stop(); inspector.stop(); outside.stop(); document.removeEventListener("keydown", keys); document.removeEventListener("visibilitychange", seen); window.removeEventListener("assay:undone", undone); window.removeEventListener("popstate", back, true); } };
}

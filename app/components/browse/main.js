// Browse: all samples under one filter. The address holds the view; the log holds the acts; here is what lies between.

import { latest, listen } from "../frame/events.js";
import { setWho } from "../frame/undo.js";
import { Acts } from "./acts.js";
import { spell } from "./conditions.js";
import { count, make, samples } from "./dom.js";
import { Facets } from "./facets.js";
import { FilterBar } from "./filter.js";
import { Grid } from "./grid.js";
import { Inspector } from "./inspector.js";
import { COLOURS } from "./paint.js";
import { Selection } from "./selection.js";
import { ask, askBytes, patiently, query, readAddress, Refused, writeAddress } from "./server.js";
import { Tiles } from "./tiles.js";

export function browse(root, component) {
  let view = readAddress(), wanted = view, now = null, asked = 0, stopped = false, classes = [], colours = new Map(), columns = [], opening = null, known = 0, since = 0, acting = null, looking = false;
  const home = location.pathname, pictures = new Map();
  const colourOf = (name) => colours.get(name) ?? "#8a919b";
  const tiles = new Tiles(() => { grid.draw(); if (opening !== null) openTile(opening); }), selection = new Selection(() => { acts.draw(); grid.draw(); });
  const leave = () => grid.root.focus({ preventScroll: true });
  const filter = new FilterBar({ apply, view: () => wanted, leave, size, facets: () => { root.classList.toggle("faceted"); localStorage.setItem("assay:faceted", root.classList.contains("faceted")); grid.relayout(); }, saveView, openView, dropped: (name) => pictures.get(name) });
  const facets = new Facets({ apply, view: () => wanted, colourOf });
  const grid = new Grid(tiles, selection, { colourOf, opened: (i) => openTile(i), moved: (i) => { if (!inspector.root.hidden) openTile(i); } });
  const inspector = new Inspector({ who: () => root.who, open: openSample, like: (ids) => apply({ like: ids }), close, step: (by) => grid.go(Math.max(0, Math.min(grid.total - 1, grid.focus + by))), colourOf });
  const acts = new Acts({ selection, order: () => now?.order ?? [], of: () => now?.of, table: () => now?.table, classes: () => classes, who: () => root.who, askName, stored, away, leave, like, showExport, hand, view: () => view, showOne: openSample, showSome: (ids) => apply({ chips: [spell({ name: "sample", values: ids })], search: "" }), offerViews: (views) => filter.offer(views), get stopped() { return stopped; } });
  const offline = make("div", { class: "offline", role: "alert", hidden: true });
  const empty = make("div", { class: "empty", hidden: true }), names = make("div", { class: "names", hidden: true });
  const middle = make("div", { class: "middle" }, grid.root, empty);
  root.replaceChildren(filter.root, facets.root, middle, inspector.root, make("div", { class: "foot" }, offline, names, acts.root));
  if (localStorage.getItem("assay:faceted") !== "false" && innerWidth > 1000) root.classList.add("faceted");
  size(Number(localStorage.getItem("assay:size")) || (innerWidth < 600 ? 96 : 112));
  grid.painted = (cells, small) => {
    if (root.dataset.painted || !now) return;
    const here = cells.filter((c) => c.i !== undefined);
    const there = here.every((c) => tiles.fresh(c.i)) && (small ? here.every((c) => tiles.sprite(c.i) !== null) : here.every((c) => { const img = grid.painter.elements.shown.get(c.i)?.img; return img?.complete && img.src; }));
    if (here.length && there) { root.dataset.painted = Math.round(performance.now()); performance.measure(acting ? "assay:act" : "assay:painted", { start: acting ?? since, end: performance.now() }); acting = null; } else if (here.length) setTimeout(() => grid.draw(), 16);
  };

  // ---- the set

  async function apply(change, replace, done) { // another view: what is wrong with it is marked, and the last good one stays
    wanted = { ...wanted, ...change }; // of what was asked for last, or two quick changes would lose the first
    await load(wanted, { replace, done });
  }
  async function load(next, { replace = false, keep = false, done, silent = false } = {}) {
    const mine = ++asked, start = performance.now();
    root.classList.add("busy");
    try {
      const bytes = await patiently(() => askBytes(`/assay/samples?${query(next)}`), away, () => stopped || mine !== asked);
      if (mine !== asked || stopped) return;
      const [length] = new Uint32Array(bytes, 0, 1), header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
      let order = new Int32Array(bytes, 4 + length);
      if (order.length < header.total) { const whole = new Int32Array(header.total).fill(-1); whole.set(order); rest(next, header, whole, order.length, mine); order = whole; }
      if (now && now.table !== header.table && selection.size) { selection.reset(header.all); acts.say("Samples came or went: what was selected is selected no longer."); }
      if (!now || now.table !== header.table) selection.reset(header.all);
      view = wanted = { ...next, open: inspector.id ?? next.open };
      now = { ...header, order };
      known = Math.max(known, header.seq);
      if (!silent) writeAddress(view, replace);
      filter.good();
      done?.();
      tiles.show(header.of, header.seq);
      grid.show(order, header.groups, { keep });
      draw();
      since = start;
      delete root.dataset.painted; // until all that is in view is drawn
      facets.refresh();
      if (header.notes?.length) filter.note(header.notes);
    } catch (e) {
      if (mine !== asked || stopped) return;
      wanted = view;
      if (e instanceof Refused) {
        filter.bad(e, next.chips);
        if (!now) { view = { ...next, chips: [], like: [], sort: "" }; load(view, { silent: true }).then(() => filter.bad(e, next.chips)); }
      }
    } finally { if (mine === asked) root.classList.remove("busy"); }
  }
  async function rest(next, header, whole, from, mine) { // the positions of a long order, a megabyte at a time
    while (from < header.total && mine === asked && !stopped) {
      const bytes = await askBytes(`/assay/samples?${query(next, { after: from })}`).catch(() => null);
      if (!bytes || mine !== asked) return;
      const [length] = new Uint32Array(bytes, 0, 1), told = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
      if (told.of !== header.of) return load(next, { keep: true, silent: true });
      const part = new Int32Array(bytes, 4 + length);
      whole.set(part, from);
      from += part.length;
    }
    grid.extend(whole);
    acts.draw();
  }
  function draw() {
    filter.draw(view, now);
    acts.draw();
    const none = !now.total;
    empty.hidden = !none;
    if (none) empty.replaceChildren(make("p", { text: now.all ? "No sample fits this filter." : "This bench has no samples yet." }), now.all ? make("button", { text: `show all ${count(now.all)}`, onclick: () => apply({ chips: [], search: "", like: [] }) }) : make("p", { class: "quiet", text: "Overview imports some." }));
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
    acts.offer(classes);
    if (now) { filter.draw(view, now); facets.refresh(); }
    grid.recolour();
  }

  // ---- what changes it

  async function stored(said, start) { // an act of ours is in the log: the set as it stands now
    known = Math.max(known, said.seq);
    acting = start ?? null;
    await load(view, { keep: true, silent: true });
    if (!classes.every((c) => colours.has(c)) || said.samples) describe();
    if (inspector.id) inspector.show(inspector.id, true);
  }
  function away(yes) {
    offline.hidden = !yes;
    offline.textContent = yes ? "The server cannot be reached; trying again. What you selected and filtered stays." : "";
  }
  async function noticed(state, gone) { // somebody else changed the bench, or the server is away
    if (stopped || looking || document.hidden || acts.sending || !now) return;
    away(gone);
    if (gone || state.seq <= known) return;
    looking = true;
    try {
      const said = await ask(`/assay/position?since=${known}`);
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
  function askName(then) { // everybody may look; who decides is asked with the first decision
    const input = make("input", { placeholder: "your name", maxlength: "300", autocomplete: "name", "aria-label": "your name" });
    input.value = root.proposal ?? "";
    const form = make("form", {}, make("label", {}, "Who decides? The name goes into the log with every decision. ", input), make("button", { text: "decide", class: "main" }));
    input.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") names.hidden = true; };
    form.onsubmit = (e) => {
      e.preventDefault();
      const who = input.value.trim();
      if (!who) return input.focus();
      root.who = who;
      setWho(who);
      names.hidden = true;
      component().setTriggerValue("named", who);
      then();
    };
    names.replaceChildren(form);
    names.hidden = false;
    input.focus();
    input.select();
  }
  function hand(what, chosen) { component().setTriggerValue("handed", { what, ...chosen, query: query(view) }); }
  function like() {
    const rows = selection.rows().slice(0, 20), at = rows.map((row) => now.order.indexOf(row)).filter((i) => i >= 0), ids = at.map((i) => tiles.get(i)?.id).filter(Boolean);
    if (ids.length) apply({ like: ids }); else acts.say("Scroll to what is selected first.");
  }
  function showExport() {
    const word = (w) => `'${w.replaceAll("'", "'\\''")}'`, where = view.chips.map((c) => (view.chips.length > 1 ? `(${c})` : c)).join(" and ");
    const command = `assay samples${where ? ` --where ${word(where)}` : ""}${view.sort ? ` --sort ${word(view.sort)}` : ""} --csv samples.csv -b ${root.given}`;
    acts.say("");
    acts.says.append(make("span", { text: "The filter as a table: " }), make("code", { text: command }), acts.button("copy", () => navigator.clipboard?.writeText(command)));
  }
  async function saveView() {
    if (!root.who) return askName(saveView);
    const input = make("input", { placeholder: "name of this view", maxlength: "100", "aria-label": "name of this view" }), form = make("form", {}, input, make("button", { text: "save", class: "main" }));
    input.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") acts.say(""); };
    form.onsubmit = async (e) => {
      e.preventDefault();
      try {
        const said = await ask("/assay/view", { name: input.value.trim(), conditions: view.chips, sort: view.sort, search: view.search, who: root.who });
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
    if (found) apply({ chips: found.where ? [found.where] : [], sort: found.sort ?? "", search: found.search ?? "", like: [], group: "" });
  }
  function size(side) {
    const to = side > 64 && side < 72 ? 72 : side;
    filter.size.value = to;
    localStorage.setItem("assay:size", to);
    grid.resize(to);
  }

  // ---- one sample

  function openTile(i) {
    const tile = tiles.get(i);
    opening = tile ? null : i; // as soon as it is here
    if (tile) openSample(tile.id);
  }
  function openSample(id) {
    view = { ...view, open: id };
    wanted = { ...wanted, open: id };
    writeAddress(view, true);
    root.classList.add("inspecting");
    inspector.show(id);
    grid.relayout();
  }
  function close() {
    view = { ...view, open: "" };
    wanted = { ...wanted, open: "" };
    writeAddress(view, true);
    root.classList.remove("inspecting");
    inspector.hide();
    grid.relayout();
    leave();
  }

  // ---- keys, the address, a picture that is dropped in

  function keys(e) {
    if (!root.isConnected || e.defaultPrevented) return;
    const typing = e.target.closest?.("input, textarea, select, [contenteditable]");
    if (typing || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "/") { e.preventDefault(); filter.search.focus(); filter.search.select(); }
    else if (e.key === "Escape") { if (!inspector.root.hidden) close(); else if (selection.size) selection.clear(); }
  }
  function back(e) { // the view of the address: the page stays, so Streamlit need not draw it anew
    if (location.pathname !== home) return;
    e.stopImmediatePropagation();
    const next = readAddress();
    load(next, { silent: true }).then(() => { if (next.open && next.open !== inspector.id) openSample(next.open); if (!next.open && inspector.id) close(); });
  }
  const drag = (e) => { if ([...e.dataTransfer.items].some((i) => i.kind === "file")) { e.preventDefault(); root.classList.add("dropping"); } };
  async function drop(e) {
    root.classList.remove("dropping");
    const [file] = e.dataTransfer.files;
    if (!file) return;
    e.preventDefault();
    try {
      const url = await new Promise((r, no) => { const reader = new FileReader(); reader.onload = () => r(reader.result); reader.onerror = no; reader.readAsDataURL(file); });
      const said = await ask("/assay/picture", { picture: url.slice(url.indexOf(",") + 1) });
      pictures.set(said.like, url);
      await apply({ like: [said.like] });
    } catch (wrong) { acts.say(`${file.name}: ${wrong.message ?? "it cannot be read"}. ${wrong.hint ?? ""}`); }
  }
  document.addEventListener("keydown", keys);
  window.addEventListener("popstate", back, true);
  middle.ondragover = drag;
  middle.ondragleave = () => root.classList.remove("dropping");
  middle.ondrop = drop;
  describe().catch(() => {});
  load(view, { replace: true }).then(() => { if (view.open) openSample(view.open); if (document.activeElement === document.body) leave(); });
  const end = listen(noticed);
  document.addEventListener("visibilitychange", seen);
  window.addEventListener("assay:undone", undone);
  return { stop() { stopped = true; end(); document.removeEventListener("visibilitychange", seen); window.removeEventListener("assay:undone", undone); grid.stop(); document.removeEventListener("keydown", keys); window.removeEventListener("popstate", back, true); } };
}

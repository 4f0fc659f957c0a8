// Classes: the list that all see, in order. What is done with a class is one batch, with its undo.

import { count, make } from "../browse/dom.js";
import { ask, describeAway, patiently, Refused } from "../browse/server.js";
import { askNameOnce } from "../name.js";
import { Acts } from "./acts.js";
import { letMove } from "./order.js";
import { Panel } from "./panel.js";
import { ClassRow } from "./row.js";
import { listSimilar } from "./similar.js";

const PAGE = 50; // classes at once
const CALM = 3000; // ms between two looks whether somebody else changed the bench

export function classes(root, component, opened) {
  let all = [], at = 0, words = "", known = 0, stopped = false, timer = null, panel = null;
  const total = make("span", { class: "quiet", role: "status" }), list = make("ol", { "aria-label": "classes" });
  const search = make("input", { type: "search", placeholder: "search classes", "aria-label": "search classes" });
  const added = make("input", { placeholder: "add a class", "aria-label": "add a class", maxlength: "300" });
  const form = make("form", {}, added, make("button", { class: "main", text: "Add" }));
  const names = make("datalist", { id: "assay-class-names" }), asks = make("div", { class: "asks", hidden: true });
  const pager = make("nav", { "aria-label": "pages of classes" }), similar = make("section", { class: "similar", hidden: true });
  const offline = make("p", { class: "offline", role: "alert", hidden: true });
  const acts = new Acts({ who: () => root.who, askName: (then) => askNameOnce(asks, root, component, then), changed: load, away });
  root.replaceChildren(make("header", {}, make("h1", { text: "Classes" }), total, search, form), offline, asks, acts.root, similar, list, pager, names);
  list.append(make("li", { class: "quiet", text: "Fetching the classes …" }));

  const page = { all: () => all, place: (name) => all.findIndex((c) => c.name === name), act: (asked) => acts.act(asked), open, close, plan: (asked) => ask("/assay/classes/plan", asked), refuse: (e) => acts.refuse(e) };
  const moving = letMove(list, page);

  async function load(focus) { // the classes as they stand now; focus: what is looked at then
    const said = await patiently(() => ask("/assay/classes"), away, () => stopped);
    all = said.classes;
    known = Math.max(known, said.seq);
    acts.last = said.undo;
    acts.draw();
    names.replaceChildren(...all.map((c) => make("option", { value: c.name })));
    listSimilar(similar, said.similar, (asked) => acts.act(asked));
    draw(focus);
    root.dataset.seq = said.seq;
    root.dataset.fresh = said.fresh;
    clearTimeout(timer);
    if (said.scanned && !said.fresh && !stopped) timer = setTimeout(follow, 1500);
  }
  function follow() { // the accuracy comes after the list; never under somebody's hands
    if (!stopped) writes() ? (timer = setTimeout(follow, 1500)) : load().catch(() => {});
  }
  const writes = () => Boolean(list.querySelector("input:focus"));
  function found() {
    const want = words.toLowerCase();
    return want ? all.filter((c) => c.name.toLowerCase().includes(want) || (c.guideline ?? "").toLowerCase().includes(want)) : all;
  }
  function draw(focus) {
    const some = found(), active = focus ?? where(document.activeElement);
    const inside = panel?.root.contains(document.activeElement) && document.activeElement;
    at = Math.min(at, Math.max(0, PAGE * (Math.ceil(some.length / PAGE) - 1)));
    total.textContent = words ? `${count(some.length)} of ${count(all.length)}` : count(all.length);
    const rows = some.slice(at, at + PAGE).map((c) => new ClassRow(c, all.indexOf(c), page, panel?.name === c.name ? panel.root : null).root);
    list.replaceChildren(...rows);
    if (!rows.length) list.append(make("li", { class: "quiet none", text: all.length ? "No class is called so." : "No class yet: add one above, or import labelled samples." }));
    drawPager(some.length);
    if (inside) inside.focus();
    else if (active) list.querySelector(`[data-name="${CSS.escape(active.name)}"] [data-part="${active.part}"]`)?.focus();
  }
  function where(element) { // what has the focus, to give it back to the same part of the same class
    const row = element?.closest?.("[data-name]");
    return row && element.dataset.part ? { name: row.dataset.name, part: element.dataset.part } : null;
  }
  function drawPager(n) {
    pager.hidden = n <= PAGE;
    const go = (to) => () => { at = to; draw(); list.scrollIntoView({ block: "start" }); };
    const button = (text, to, off) => make("button", { text, disabled: off, onclick: go(to) });
    pager.replaceChildren(button("‹ before", at - PAGE, at === 0), make("span", { class: "quiet", text: `${count(at + 1)} to ${count(Math.min(n, at + PAGE))} of ${count(n)}` }), button("next ›", at + PAGE, at + PAGE >= n));
  }
  function open(name, part) { // one class at a time
    if (panel?.name === name && panel.part === part) return close();
    panel = new Panel(all.find((c) => c.name === name), part, page);
    draw();
    panel.begin();
  }
  function close() {
    const was = panel;
    panel = null;
    draw(was && { name: was.name, part: was.part });
  }
  function away(yes, e) {
    offline.hidden = !yes;
    offline.textContent = yes ? describeAway(e) : "";
  }
  async function look() { // has somebody else changed the bench?
    while (!stopped) {
      await new Promise((r) => setTimeout(r, CALM));
      if (stopped || document.hidden || acts.sending || panel || !all.length || writes()) continue;
      try {
        const said = await ask(`/assay/position?since=${known}`);
        away(false);
        if (said.seq > known && !acts.sending) await load();
      } catch (e) { if (!(e instanceof Refused)) away(true); }
    }
  }
  function undone(e) { // Ctrl+Z is the frame's: what it took back is said and shown here
    e.preventDefault();
    acts.hear(e.detail);
  }
  function keys(e) {
    if (!root.isConnected || e.defaultPrevented) return;
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches?.("input, textarea, select")) return;
    if (e.key === "/") { e.preventDefault(); search.focus(); search.select(); }
    if (e.key === "Escape" && panel) close();
  }
  search.oninput = () => { words = search.value.trim(); at = 0; draw(); };
  search.onkeydown = (e) => { if (e.key === "Escape" && search.value) { search.value = ""; search.oninput(); } };
  form.onsubmit = async (e) => {
    e.preventDefault();
    if (!added.value.trim()) return added.focus();
    if (await acts.act({ what: "add", name: added.value.trim() })) { added.value = ""; at = Infinity; draw(); }
  };
  document.addEventListener("keydown", keys);
  addEventListener("assay:undone", undone);
  load().then(() => opened && all.some((c) => c.name === opened) && open(opened, "pictures")).catch((e) => acts.refuse(e));
  look();
  return { stop() { stopped = true; clearTimeout(timer); moving.stop(); document.removeEventListener("keydown", keys); removeEventListener("assay:undone", undone); } };
}

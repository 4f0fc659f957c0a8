// Grid review: select pictures, and one act on them is one batch. Nothing is selected before somebody selects it.

import { refresh } from "./frame/events.js";
import { setWho, undoLast } from "./frame/undo.js";
import { askName } from "./name.js";
import { load, presses, watch } from "./seen.js";
import { why } from "./why.js";

const ASK = 100; // samples in one batch above which the number is asked about

export default function (component) {
  const root = component.parentElement.querySelector(".assay-grid");
  root.who = component.data.who; // it may be said, or changed, while the grid is open
  setWho(root.who);
  root.named?.();
  if (root.said !== component.data.key) { root.said = component.data.key; root.stop?.(); root.stop = grid(root, component); }
}

function grid(root, component) {
  const { items, actions, proposal, side, of, total } = component.data, hidden = total - items.length; // chosen, and without a picture here
  const list = root.querySelector(".many"), bar = root.querySelector(".bar"), says = root.querySelector("em"), box = root.querySelector(".told"), whoBox = root.querySelector(".who");
  if (root.of !== of) { root.of = of; root.selected = new Set(); root.rest = false; } // the same samples with other things to do keep what was selected
  const selected = root.selected, seen = (root.seen ??= new Set()), cells = new Map(), unwatch = [], press = presses();
  let sending = false, told = null, stopped = false;
  const hex = (n) => [...crypto.getRandomValues(new Uint8Array(n))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const text = (tag, words, name) => Object.assign(document.createElement(tag), { textContent: words, className: name ?? "" });
  const button = (words, onclick) => Object.assign(text("button", words), { onclick });
  const count = (n) => n.toLocaleString("en");

  list.style.setProperty("--side", `${side ?? 112}px`);
  list.replaceChildren(...items.map((item) => {
    const img = load(`/assay/image/${encodeURIComponent(item.sample)}?side=256`), b = button("", (e) => select(item, e.shiftKey));
    img.alt = item.name;
    img.addEventListener("state", draw);
    unwatch.push(watch(img, () => { seen.add(item.sample); draw(); }));
    b.append(img, text("small", item.label ?? "no label"), text("small", item.note ?? "", "note"));
    b.title = `${item.name}\n${item.why ?? ""}`;
    cells.set(item.sample, { b, img });
    const ask = Object.assign(text("span", "?", "ask"), { role: "button", ariaLabel: `explain ${item.name}`, title: "explain (E)", onclick: () => tell(item) });
    const cell = text("div", "");
    cell.append(b, ask);
    return cell;
  }));
  const state = (sample) => cells.get(sample).img.state;
  const all = [...list.querySelectorAll("button")];
  const held = (e) => { if (press.held(e) && (e.key === "Enter" || e.key === " ") && root.contains(e.target)) { e.preventDefault(); e.stopPropagation(); } };
  document.addEventListener("keydown", held, true);
  list.onkeydown = (e) => { // arrows go from picture to picture; space selects, E explains
    const at = all.indexOf(e.target), across = Math.max(1, all.filter((b) => b.parentElement.offsetTop === all[0].parentElement.offsetTop).length);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + across, ArrowUp: at - across }[e.key];
    if (e.key.toLowerCase() === "e" && at >= 0) tell(items[at]);
    if (to !== undefined && all[to]) { e.preventDefault(); all[to].focus(); }
  };

  function select(item, range) { // with Shift all from the last one to this, as the last one is
    root.words = null;
    const to = items.indexOf(item), from = range ? items.findIndex((i) => i.sample === root.last) : -1;
    const on = from < 0 ? !selected.has(item.sample) : selected.has(root.last);
    for (const { sample } of from < 0 ? [item] : items.slice(Math.min(from, to), Math.max(from, to) + 1)) {
      if (on && (sample === item.sample || state(sample) !== "broken")) selected.add(sample); else selected.delete(sample);
    }
    root.last = item.sample;
    draw();
  }
  function selectAll(rest) { // all that have a picture here, and with `rest` those that are chosen and not here
    root.words = null;
    items.filter((i) => state(i.sample) !== "broken").forEach((i) => selected.add(i.sample));
    root.rest = rest;
    draw();
  }
  const n = () => selected.size + (root.rest ? hidden : 0);
  function standing() { // why nothing can be done yet, or what can
    const coming = items.filter((i) => state(i.sample) === "coming").length, broken = [...selected].filter((s) => state(s) === "broken").length;
    const unseen = [...selected].filter((s) => !seen.has(s) && state(s) === "there").length;
    if (coming) return [`${count(coming)} of ${count(items.length)} pictures are not here yet: nothing is done before they are.`, true];
    if (!n()) return ["Nothing is selected. Select pictures, or all and then deselect the exceptions.", true];
    if (unseen) return [`${count(unseen)} of the ${count(selected.size)} that are selected have not been on the screen yet: scroll to them.`, true];
    if (broken) return [`${count(broken)} of them cannot be shown: they can be dropped or marked, not labelled.`, false, true];
    return [root.rest ? `${count(hidden)} of the ${count(n())} have no picture here.` : "What is selected goes as one batch.", false];
  }
  function draw() {
    if (stopped || cells.size < items.length) return;
    const [words, dead, blind] = standing();
    items.forEach((i) => { const { b, img } = cells.get(i.sample); b.setAttribute("aria-pressed", String(selected.has(i.sample))); b.dataset.state = img.state; b.toggleAttribute("data-seen", seen.has(i.sample)); });
    root.dataset.selected = n();
    if (sending || root.asking) return;
    says.textContent = root.words ?? (items.length && actions.length ? words : "");
    [...bar.querySelectorAll("[data-act]")].forEach((b, i) => {
      b.textContent = `${actions[i].name} (${count(n())})`;
      b.disabled = dead || (blind && ("label" in actions[i].decision || actions[i].decision.suggested || actions[i].decision.verdict === "confirm"));
    });
  }
  function drawBar() {
    root.asking = false;
    const picks = !items.length || !actions.length ? [] : [
      button(hidden ? `select the ${count(items.length)} here` : `select all ${count(items.length)}`, () => selectAll(false)),
      ...(hidden ? [button(`select all ${count(total)}`, () => selectAll(true))] : []),
      button("select none", () => { selected.clear(); root.rest = false; draw(); })];
    if (root.acted) picks.push(button("undo", () => undoLast()));
    bar.replaceChildren(...picks, ...actions.map((action) => {
      const b = button("", () => (n() > ASK ? ask(action) : send(action)));
      b.dataset.act = "";
      b.classList.toggle("main", Boolean(action.main));
      return b;
    }));
    draw();
  }
  function ask(action) { // the number is said before so many are changed at once; No stands where a hurried second click falls
    root.asking = true;
    says.textContent = `${action.name}: ${count(n())} samples in one batch${root.rest ? `, ${count(hidden)} of them not shown here` : ""}?`;
    bar.replaceChildren(button("no", drawBar), button(`yes, all ${count(n())}`, () => { drawBar(); send(action); }));
  }
  async function tell(item) { // how its number came about, beneath what can be done; asked again, it goes
    told = told === item ? null : item;
    box.hidden = !told;
    if (!told) return;
    const show = await why(box, item.sample).catch(() => () => box.replaceChildren(text("p", "the server cannot be reached")));
    if (!stopped && told === item) { show(); box.prepend(text("b", item.name)); }
  }
  async function send(action) {
    if (sending || !n()) return;
    if (!root.who) { // everybody may look; who decides is asked with the first decision
      root.named = () => { if (!root.who) return; root.named = null; whoBox.hidden = true; send(action); };
      return askName(whoBox, proposal, (name) => component.setTriggerValue("named", name));
    }
    const here = root.rest ? { but: items.map((i) => i.sample).filter((s) => !selected.has(s)) } : { only: [...selected] };
    const size = n(), act = { decision: action.decision, of, ...here }, batch = `edit-${hex(6)}`;
    if (!(await store({ batch, ...act }, `${count(size)} stored as one batch: ${batch}`))) return;
    root.acted = true;
    refresh();
    drawBar();
  }
  async function store(sent, words) { // true where it is in the log
    if (sending) return false;
    sending = true;
    bar.querySelectorAll("button").forEach((b) => (b.disabled = true));
    says.textContent = "storing …";
    let stored = false;
    for (let wait = 500; !stopped; wait = Math.min(2 * wait, 5000)) {
      try {
        const answer = await fetch("/assay/decisions", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ who: root.who, sent: [sent] }) });
        const said = await answer.json(), wrong = said.error ?? Object.values(said.refused ?? {})[0];
        stored = !wrong;
        if (wrong) words = `not stored: ${wrong}`;
        else { selected.clear(); root.rest = false; component.setTriggerValue("stored", `${sent.batch} ${Date.now()}`); }
        break;
      } catch { says.textContent = "the server cannot be reached; trying again"; await new Promise((r) => setTimeout(r, wait)); }
    }
    sending = false;
    root.words = words; // until something else is selected
    drawBar();
    return stored;
  }
  function undone(e) { // by the bar, wherever the act was made
    if (!root.offsetParent || stopped) return;
    e.preventDefault();
    root.words = e.detail.words;
    if (!e.detail.failed) component.setTriggerValue("stored", `${e.detail.batch} ${Date.now()}`);
    drawBar();
  }
  window.addEventListener("assay:undone", undone);
  box.hidden = whoBox.hidden = true;
  root.named = null;
  drawBar();
  return () => { stopped = true; press.stop(); unwatch.forEach((stop) => stop()); document.removeEventListener("keydown", held, true); window.removeEventListener("assay:undone", undone); };
}

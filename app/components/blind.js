// One image under its number, one key for its class; an answer is stored before the next image comes, and can be taken back.
// Of several labels a sample keys choose and unchoose classes, and Enter stores what is chosen.

import { gate, keysOf, load, presses, typed } from "./seen.js";
import { readSet, showSet } from "./review/sets.js";
import { closeUp, drawTools, makeViewer } from "./viewer.js";

const ZOOM = { "+": "closer", "=": "closer", "-": "farther", ".": "fit" }; // keys that are no class's

export default function (component) {
  const root = component.parentElement.querySelector(".assay-blind");
  if (root.audit === component.data.audit) return root.stop;
  root.audit = component.data.audit;
  const stop = blind(root, component);
  return (root.stop = () => { stop(); root.audit = root.stop = null; });
}

function blind(root, component) {
  const { audit, rows, several } = component.data, $ = (name) => root.querySelector(`[data-is="${name}"]`);
  const said = new Map(component.data.said), pictures = new Map(), press = presses(); // in the order of the answers
  const order = [...rows.filter((row) => said.has(row)), ...rows.filter((row) => !said.has(row))];
  let classes = component.data.classes, keys = keysOf(classes, "nuty"), at = said.size, busy = false, stopped = false, chosen = new Set();
  const picture = (row) => { if (!pictures.has(row)) { const img = load(`/assay/audit/${audit}/${row}?side=512`); img.alt = `row ${row}`; pictures.set(row, img); } return pictures.get(row); };
  let drawView = () => {};
  const viewer = makeViewer($("picture"), { whole: root, changed: (view) => drawView(view) }); // nothing to compare with: the audit is blind
  drawView = drawTools($("tools"), viewer);
  const see = gate(root, $("picture"), $("hint"), { stand: () => show(), back: (some) => one(() => takeBack(some)) });

  function show() {
    if (at === order.length && said.size < at) at = order.findIndex((row) => !said.has(row)); // what was passed by
    const row = order[at];
    see.show(row === undefined ? null : picture(row));
    viewer.show(row === undefined ? null : picture(row), row === undefined ? null : closeUp(picture(row).src));
    order.slice(at + 1, at + 8).forEach(picture);
    $("count").textContent = row === undefined ? `all ${order.length} are answered: U takes the last one back` : `${at + 1} of ${order.length}`;
    $("said").textContent = said.has(row) ? `you said: ${showSet(said.get(row) ?? "not sure")}` : "";
    chosen = new Set(several ? readSet(said.get(row)) : []);
    drawChosen();
    root.classList.toggle("done", row === undefined);
    root.dataset.left = order.length - said.size;
  }
  async function store(answer) { // true when it is durable
    const body = JSON.stringify(answer);
    for (let wait = 300; !stopped; wait = Math.min(2 * wait, 4000)) {
      try {
        const told = await fetch(`/assay/audit/${audit}`, { method: "POST", headers: { "content-type": "application/json" }, body }), words = await told.json();
        $("problem").textContent = told.ok ? "" : words.error;
        return told.ok && !stopped;
      } catch { $("problem").textContent = "the server cannot be reached; trying again"; await new Promise((r) => setTimeout(r, wait)); }
    }
    return false;
  }
  async function one(work) { // one at a time; the page is told when the last answer comes or goes
    if (busy || see.asking()) return;
    busy = true;
    const before = said.size;
    await work();
    busy = false;
    if (!stopped && before !== said.size && Math.max(before, said.size) === order.length) component.setTriggerValue("done", said.size);
  }
  function say(label, pressed, added) { // null: not sure; added: it is a new class; true where it counts
    const row = order[at], seconds = row === undefined || busy ? null : see.seconds(pressed, label !== null);
    if (seconds === null) return false;
    one(async () => {
      if (!await store({ row, label, verdict: label === null ? "unsure" : null, seconds, ...(added && { new_class: true }) })) return;
      if (added && !classes.includes(label)) { classes = [...classes, label]; drawClasses(); }
      said.delete(row);
      said.set(row, label);
      see.decided(row, seconds);
      at++;
      show();
    });
    return true;
  }
  async function takeBack(some) { // the newest first
    for (const row of some.toReversed())
      if (said.has(row) && await store({ row, undo: true })) { said.delete(row); see.undone(row); at = order.indexOf(row); }
    show();
  }
  const step = (to) => { if (!busy && !see.asking() && to >= 0 && to <= order.length && (to < at || said.has(order[at]) || see.passable())) { at = to; show(); } };
  const choose = (label) => { if (!chosen.delete(label)) chosen.add(label); drawChosen(); return true; };
  const answer = (label, pressed) => (several ? choose(label) : say(label, pressed));
  function drawChosen() {
    if (!several) return;
    for (const b of $("classes").children) b.ariaPressed = String(chosen.has(b.dataset.label));
    $("store").lastChild.textContent = `store: ${[...chosen].sort().join(", ") || "no class"}`;
  }
  const acts = { ...(several && { enter: (e) => say(JSON.stringify([...chosen].sort()), e.timeStamp) }), n: (e) => say(null, e.timeStamp), u: () => one(() => takeBack([...said.keys()].slice(-1))), arrowleft: () => step(at - 1), arrowright: () => step(at + 1),
    "/": () => $("type").focus() };
  const button = (key, name, press) => { const b = document.createElement("button"), k = document.createElement("kbd"); k.textContent = key; b.append(...(key ? [k] : []), name); b.onclick = press; return b; };
  const storing = button("Enter", "store", (e) => acts.enter(e));
  storing.dataset.is = "store";
  $("acts").replaceChildren(...(several ? [storing] : []), button("N", "not sure", acts.n), button("U", "undo", acts.u), button("←", "back", acts.arrowleft), button("→", "forward", acts.arrowright));
  function drawClasses() {
    keys = keysOf(classes, "nuty");
    $("classes").replaceChildren(...classes.map((name, i) => Object.assign(button(keys[i] ?? "", name, (e) => answer(name, e.timeStamp)), { title: name })));
    [...$("classes").children].forEach((b, i) => { b.dataset.label = classes[i]; });
    drawChosen();
    $("names").replaceChildren(...classes.map((name) => Object.assign(document.createElement("option"), { value: name })));
  }
  drawClasses();
  typed($("type"), () => classes, (label, pressed) => answer(label, pressed), (words) => ($("problem").textContent = words), (label, pressed) => (several ? ($("problem").textContent = `no class is called ${label}: add it on Classes, and begin a sheet anew`) && false : say(label, pressed, true)));

  const key = (e) => {
    const held = press.held(e), from = e.composedPath()[0], mine = () => { e.preventDefault(); e.stopPropagation(); };
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName)) return held && e.key === "Enter" && root.contains(from) && mine();
    if (see.asking()) return see.answered(e, held) && mine();
    if (viewer.pan(e) || (ZOOM[e.key] && viewer.act(ZOOM[e.key]))) return mine();
    if ((e.key === "Enter" || e.key === " ") && root.contains(from)) return held && mine(); // a button that is held down is pressed once
    const class_ = keys.indexOf(e.key.toLowerCase()), act = acts[e.key.toLowerCase()];
    if (class_ < 0 && !act) return;
    mine();
    if (!held) class_ >= 0 ? answer(classes[class_], e.timeStamp) : act(e);
  };
  document.addEventListener("keydown", key, true);
  show();
  return () => { stopped = true; press.stop(); see.stop(); viewer.stop(); document.removeEventListener("keydown", key, true); };
}

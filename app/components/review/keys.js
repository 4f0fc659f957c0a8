// Which key does what: one's own keys come first, then the team's of its classes, then the ones given.

import { keysOf } from "../seen.js";
import { VIEWER_ACTS } from "../viewer.js";

export const LIKELY = 5; // classes that the model holds for the likeliest, each with a key by its rank
export const ACTS = [ // name, words, keys
  ["suggested", "the suggestion is right", ["Enter", "s"]], ["given", "the given label is right", [" ", "g"]],
  ...[..."qwrty"].map((key, i) => [`likely ${i + 1}`, `the class that is likeliest, number ${i + 1}`, [key]]),
  ["unsure", "not sure", ["n"]], ["drop", "drop", ["d"]], ["type", "type a class", ["/"]],
  ["undo", "take back what is shown, or the one before it", ["u", "Backspace"]],
  ["back", "back", ["ArrowLeft"]], ["forward", "forward", ["ArrowRight"]],
  ["why", "explain", ["e"]], ["votes", "others' votes", ["v"]], ["compare", "hold: compare with the nearest neighbour", ["c"]],
  ...VIEWER_ACTS, ["keys", "list the keys", ["?"]]];
const OF_SETS = { // where samples have several labels: what else an act does, and its keys
  suggested: ["store the classes that are chosen", ["Enter", "s"]], given: ["the given classes are right", [" ", "g"]], unsure: ["not sure", ["m"]],
  "likely 5": ["choose the class that is likeliest, number 5, or not", ["o"]], yes: ["the class in question applies", ["y"]], no: ["it does not", ["n"]] };
const SET_ACTS = [["yes"], ["no"], ...ACTS].map(([name, words, keys]) => [name, ...(OF_SETS[name] ?? [words.replace("the class", "choose the class"), keys])]);
const FIXED = [["Ctrl Z", "take back the newest decision"], ["Ctrl Shift Z", "decide it again"], ["Shift and arrows", "pan, where zoomed"],
  ["Y, T", "answer the question after ten quick decisions"]];
const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
const KEPT_FREE = new Set(["Escape", "Tab", "Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock", "Dead", "Process", "Unidentified"]);

export const nameKey = (key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
export const readKey = (e) => (e.key.length === 1 ? e.key.toLowerCase() : e.key);

export function makeKeys(bench, who) { // who: somebody's own keys are kept in their browser
  let own = { acts: {}, classes: {} }, team = {}, classes = [], found = new Map(), mine = who, acts = ACTS;
  const places = () => ({ acts: `assay-keys:${mine}`, classes: `assay-keys:${mine}:${bench}` });

  function read() {
    for (const [part, key] of Object.entries(places())) {
      try { own[part] = JSON.parse(localStorage.getItem(key)) ?? {}; } catch { own[part] = {}; }
    }
    assign();
  }
  function write() { // false where this browser keeps nothing
    try {
      for (const [part, key] of Object.entries(places())) localStorage.setItem(key, JSON.stringify(own[part]));
      return true;
    } catch { return false; }
  }
  function assign() { // own keys first, then the team's, the classes' by their place, and what is left of the others'
    found = new Map();
    const take = (key, what) => { if (!found.has(key)) found.set(key, what); };
    for (const [act, key] of Object.entries(own.acts)) take(key, { act });
    for (const [label, key] of Object.entries(own.classes)) if (classes.includes(label)) take(key, { label });
    for (const [label, key] of Object.entries(team)) if (classes.includes(label) && !own.classes[label]) take(key, { label });
    const digits = keysOf(classes).slice(0, 10);
    digits.forEach((key, i) => { if (!own.classes[classes[i]] && !team[classes[i]]) take(key, { label: classes[i] }); });
    for (const [act, , keys] of acts) if (!own.acts[act]) keys.forEach((key) => take(key, { act }));
  }
  const of = (part, name) => [...found].filter(([, what]) => what[part] === name).map(([key]) => key);

  read();
  return {
    find: (e) => found.get(readKey(e)),
    ofAct: (act) => of("act", act),
    ofClass: (label) => of("label", label)[0],
    setClasses(names) { classes = names; assign(); },
    setSeveral(yes) { acts = yes ? SET_ACTS : ACTS; assign(); }, // labels a sample
    acts: () => acts,
    setTeam(keys) { team = keys; assign(); }, // {class: key}, as Classes sets them for everybody
    setReviewer(name) { // what was set before anybody said who they are is theirs who says so
      const before = mine === "" ? own : null;
      if (name === mine) return;
      mine = name;
      read();
      if (!before || Object.keys({ ...own.acts, ...own.classes }).length) return;
      own = before;
      write();
      assign();
    },
    set(part, name, key) { // null, or why not
      const holder = found.get(key);
      if (KEPT_FREE.has(key)) return `${nameKey(key)} is kept free: press another key`;
      if (holder && holder[part] !== name) return `${nameKey(key)} is the key of “${describe(holder, acts)}”: give that another key first`;
      own[part === "act" ? "acts" : "classes"][name] = key;
      assign();
      return write() ? null : "set, but this browser keeps nothing: it holds until the page is closed";
    },
    reset() { own = { acts: {}, classes: {} }; write(); assign(); },
    classes: () => classes,
  };
}

const describe = ({ act, label }, acts) => label ?? acts.find(([name]) => name === act)[1];

export function showKeys(dialog, keys, changed) { // the list of all keys, each of which can be set
  const text = (tag, words, more = {}) => Object.assign(document.createElement(tag), { textContent: words, ...more });
  const word = text("p", "", { role: "status" }), table = document.createElement("table");
  let asked = null; // what the next key is for

  function row(part, name, words, set) {
    const tr = document.createElement("tr"), cell = document.createElement("td");
    const b = text("button", set.map(nameKey).join(", ") || "none", { ariaLabel: `key of ${words}` });
    b.onclick = () => { asked = { part, name, words, button: b }; b.textContent = "press a key"; word.textContent = `A key for “${words}”; Escape leaves it.`; };
    cell.append(b);
    tr.append(text("td", words), cell);
    return tr;
  }
  function draw() {
    const fixed = FIXED.map(([key, words]) => { const tr = document.createElement("tr"); tr.append(text("td", words), text("td", key)); return tr; });
    table.replaceChildren(...keys.acts().map(([name, words]) => row("act", name, words, keys.ofAct(name))),
      ...keys.classes().slice(0, 100).map((label) => row("label", label, label, [keys.ofClass(label)].filter(Boolean))), ...fixed);
    changed();
  }
  dialog.onkeydown = (e) => {
    e.stopPropagation();
    if (!asked || ["Shift", "Control", "Alt", "Meta"].includes(e.key)) return;
    e.preventDefault();
    const { part, name, words } = asked, key = readKey(e), at = [...table.querySelectorAll("button")].indexOf(asked.button);
    const why = e.key === "Escape" ? "" : e.ctrlKey || e.metaKey || e.altKey ? "one key alone, without Ctrl or Alt" : keys.set(part, name, key);
    asked = null;
    draw();
    word.textContent = why ?? `${nameKey(key)}: ${words}`;
    table.querySelectorAll("button")[at].focus();
  };
  const reset = text("button", "as they were given"), close = text("button", "close");
  reset.onclick = () => { keys.reset(); draw(); word.textContent = "All keys are as they were given."; };
  close.onclick = () => dialog.close();
  const acts = text("div", "", { className: "acts-below" });
  acts.append(reset, close);
  dialog.replaceChildren(text("h2", "Keys"), text("p", "Choose one to set another. Yours are kept in this browser, under your name, and come before the keys that Classes sets for everybody."), word, table, acts);
  draw();
  dialog.showModal();
}

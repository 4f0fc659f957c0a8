// One queue on a page: every decision is kept on its card, and saved as a CSV that `assay edit` reads.
"use strict";
const $ = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll(".card")];
const COLUMNS = ["sample", "label", "verdict", "keep", "given_label", "suggested_label", "score", "rank", "random", "reason", "seconds", "upto"];
// the keys of the workbench's page for review
const KEYS = { " ": "confirm", g: "confirm", enter: "suggested", s: "suggested", n: "unsure", d: "drop", u: "undo", backspace: "undo", arrowleft: "back", arrowright: "forward" };
const LONGEST = 300; // seconds: whoever takes longer was somewhere else
const SEVERAL = "several" in document.querySelector("main").dataset; // a label is a set of classes, as a JSON list
const tell = (label) => (SEVERAL && label.startsWith("[") ? JSON.parse(label).join(", ") || "no class" : label);
const decisions = new Map(); // card -> { label, verdict, keep, seconds, said }
// what is decided outlives a reload, in this browser, for this sheet
const PLACE = `assay-sheet-${document.querySelector("main").dataset.sheet}`;
let current = cards[0], last = performance.now(), saved = 0, changed = 0;

function decide(card, decision) {
  const now = performance.now(), seconds = (now - last) / 1000;
  last = now;
  if (decision) decisions.set(card, { label: "", verdict: "", keep: "", ...decision, seconds: seconds < LONGEST ? seconds.toFixed(1) : "" });
  else decisions.delete(card);
  changed += 1;
  keep();
  show(card, decision);
}

function keep() {
  const kept = Object.fromEntries([...decisions].map(([card, decision]) => [card.dataset.sample, decision]));
  try {
    localStorage.setItem(PLACE, JSON.stringify({ kept, unsaved: changed > saved }));
  } catch {} // a browser that keeps nothing asks before it leaves the page
}

function restore() {
  let found;
  try {
    found = JSON.parse(localStorage.getItem(PLACE));
  } catch {}
  for (const card of cards) {
    const decision = found?.kept?.[card.dataset.sample];
    if (decision) decisions.set(card, decision);
  }
  changed = found?.unsaved && decisions.size ? 1 : 0;
  for (const card of decisions.keys()) show(card, decisions.get(card));
  if (decisions.size && !changed) $("count").textContent = `${decisions.size} of ${cards.length} decided, saved before`;
}

function show(card, decision) {
  card.toggleAttribute("data-decided", Boolean(decision));
  card.querySelector(".said").textContent = decision ? decision.said : "";
  for (const button of card.querySelectorAll("button")) button.setAttribute("aria-pressed", decision?.by === button.dataset.do);
  card.querySelector("select").value = decision?.by === "other" && !SEVERAL ? decision.label : "";
  $("count").textContent = `${decisions.size} of ${cards.length} decided${changed > saved ? ", not saved yet" : ""}`;
  $("save").disabled = !decisions.size;
}

function make(card, by, label) {
  const { given_label: given, suggested_label: suggested } = card.dataset;
  if (by === "suggested") label = suggested;
  if (by === "other" && SEVERAL) label = toggle(card, label);
  if (by === "confirm" || (by !== "unsure" && by !== "drop" && label === given)) return { by: "confirm", verdict: "confirm", said: `${tell(given)} is right` };
  if (by === "unsure") return { by, verdict: "unsure", said: "not sure" };
  if (by === "drop") return { by, keep: "false", said: "dropped" };
  return label ? { by, label, said: `→ ${tell(label)}` } : null;
}

function toggle(card, name) { // add a class to what is said of a card, or take it away
  const before = decisions.get(card)?.label || card.dataset.given_label || "[]", names = new Set(JSON.parse(before));
  if (!names.delete(name)) names.add(name);
  const set = JSON.stringify([...names].sort()), given = card.dataset.given_label, same = given && JSON.stringify(JSON.parse(given).sort());
  return set === same ? given : set;
}

function focus(card) {
  if (!card) return;
  current = card;
  card.focus();
}

function next(card, step = 1) {
  focus(cards[cards.indexOf(card) + step]);
}

// a spreadsheet would run a cell that begins so; `assay edit` takes the apostrophe away again
const defuse = (cell) => (/^'*(?![+-]?[\d.]+$)[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell);
const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

function toCsv() {
  const rows = cards.filter((card) => decisions.has(card)).map((card) => {
    const row = { ...card.dataset, ...decisions.get(card) };
    return COLUMNS.map((name) => quote(defuse(row[name] ?? ""))).join(",");
  });
  return [COLUMNS.join(","), ...rows, ""].join("\r\n");
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toCsv()], { type: "text/csv" }));
  link.download = "decisions.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  saved = changed;
  keep();
  $("count").textContent = `${decisions.size} of ${cards.length} decided, saved as ${link.download}`;
}

for (const card of cards) {
  card.addEventListener("focusin", () => { current = card; });
  for (const button of card.querySelectorAll("button")) button.addEventListener("click", () => {
    decide(card, button.getAttribute("aria-pressed") === "true" ? null : make(card, button.dataset.do));
  });
  card.querySelector("select").addEventListener("change", (event) => decide(card, event.target.value ? make(card, "other", event.target.value) : null));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !current) return;
  const at = event.target, key = event.key.toLowerCase(), by = KEYS[key];
  if (at.tagName === "SELECT" || (at.tagName === "BUTTON" && (key === "enter" || key === " "))) return;
  const named = [...current.querySelector("select").options].find((option) => option.dataset.key === key);
  if (by === "undo") decide(current, null);
  else if (by === "forward") next(current);
  else if (by === "back") next(current, -1);
  else if (by || named) {
    const decision = by ? make(current, by) : make(current, "other", named.value);
    if (decision) { decide(current, decision); if (by || !SEVERAL) next(current); }
  } else return;
  event.preventDefault();
});

addEventListener("beforeunload", (event) => { if (changed > saved) event.preventDefault(); });
$("save").addEventListener("click", save);
restore();
focus(cards.find((card) => !decisions.has(card)) ?? current);

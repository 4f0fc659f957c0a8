// The confusion matrix: a table whose cells are links. Of many classes it shows the most confused, or those around one.

import { clip, count, make } from "../browse/dom.js";
import { amount, change, percent } from "./numbers.js";

export const ALL = 30, FEW = 20, PAIRS = 8; // up to ALL classes are all shown; of more, FEW

export class Matrix {
  constructor(actions) { // open(cell, from), link(cell), view()
    this.actions = actions;
    this.at = [0, 0];
    this.table = make("table", { role: "grid" });
    this.root = make("div", { class: "matrix" }, this.table);
    this.about = make("div", { class: "pairs" });
    this.legend = make("div", { class: "legend" });
    this.table.onkeydown = (e) => this.key(e);
    this.table.onclick = (e) => { const td = e.target.closest("td[data-i]"); if (td && !e.ctrlKey && !e.metaKey && !e.shiftKey) { e.preventDefault(); this.stand(td); this.open(td); } };
  }
  show(said, { most = FEW, around = "" } = {}) {
    this.said = said;
    this.two = said.models.length > 1;
    this.table.setAttribute("aria-label", said.several ? "classes missed in rows, where those in columns are added; on the diagonal both name the class" : "confusion matrix: labels in rows, predictions in columns");
    const k = said.classes.length, width = this.two ? 2 : 1;
    this.cells = new Map(said.cells.map(([i, j, ...rest]) => [i * k + j, Array.from({ length: width }, (_, m) => rest.slice(3 * m, 3 * m + 3))]));
    this.chosen = this.choose(most, said.classes.indexOf(around));
    this.draw();
  }
  choose(most, around) { // class numbers, in the order of the class list; of many those of the cells with most errors, side by side
    const k = this.said.classes.length, out = new Set(around < 0 ? [] : [around]);
    if (k <= ALL && around < 0) return [...Array(k).keys()];
    for (const [i, j] of this.worst(around)) if (new Set([...out, i, j]).size <= most) out.add(i).add(j);
    for (let c = 0; c < k && out.size < most && around < 0; c++) out.add(c); // where hardly anything is confused
    return [...out];
  }
  errors(cell) { return this.byChange() ? Math.abs(cell[5] - cell[2]) : cell[2] + (this.two ? cell[5] : 0); }
  worst(around = -1) { // the wrong cells, of one class or of all: most errors, or most change, first
    return this.said.cells.filter((c) => c[0] !== c[1] && (around < 0 || c[0] === around || c[1] === around) && this.errors(c) > 0).sort((x, y) => this.errors(y) - this.errors(x));
  }
  byChange() { return this.two && this.actions.view().show === "change"; }
  draw() {
    const { classes, rows } = this.said, show = this.actions.view().show, { chosen } = this;
    const head = make("tr", {}, make("th", { class: "corner" }, make("span", { text: this.said.several ? "missed ↓ where added →" : "label ↓ prediction →" })), ...chosen.map((j) => make("th", { scope: "col", title: classes[j] }, make("span", { text: clip(classes[j], 60) }))));
    const body = chosen.map((i, row) => make("tr", {}, make("th", { scope: "row", title: `${classes[i]}, ${count(rows[i].n)} samples` }, make("span", { text: clip(classes[i], 60) }), make("small", { text: count(rows[i].n) })), ...chosen.map((j, column) => this.cell(i, j, row, column, show))));
    this.table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
    this.at = this.at.map((x) => Math.min(x, chosen.length - 1));
    this.spot(...this.at)?.setAttribute("tabindex", "0");
    this.root.style.setProperty("--cell", chosen.length <= 12 ? "3.4rem" : "2.5rem");
    const sign = (colour, text) => make("span", {}, make("i", { style: { "--c": `var(${colour})` } }), text), by = this.byChange();
    this.legend.replaceChildren(sign("--good", by ? "better" : "right"), sign("--bad", by ? "worse" : "wrong"), make("span", {}, make("i", { class: "corner" }), "errors of doubted labels among them"));
    this.tell();
  }
  tell() { // what is left out
    const { classes, cells } = this.said, inside = new Set(this.chosen), off = cells.filter(([i, j]) => i !== j), sum = (some) => some.reduce((n, c) => n + c[2], 0);
    const shown = off.filter(([i, j]) => inside.has(i) && inside.has(j)), left = this.chosen.length < classes.length;
    const pairs = left ? this.worst().slice(0, PAIRS) : [], named = (i) => clip(classes[i], 40);
    this.about.hidden = !left;
    this.about.replaceChildren(make("p", { class: "quiet", text: `${count(this.chosen.length)} of ${count(classes.length)} classes, those confused most; their cells hold ${amount(sum(shown))} of ${amount(sum(off))} ${this.said.several ? "pairs of a class missed where another is added" : "errors"}${this.two ? " of A" : ""}. The table below has every class. ${pairs.length ? "Most confused:" : ""}` }), ...pairs.map((c) => {
      const cell = { label: classes[c[0]], said: classes[c[1]], part: c[4] === 0 && this.two ? "b" : "a" }, link = make("a", { class: "button", href: this.actions.link(cell), title: this.words(c[0], c[1], 999) }, `${named(c[0])} → ${named(c[1])}`, make("b", { text: this.byChange() ? change(c[5] - c[2]) : amount(cell.part === "b" ? c[5] : c[2]) }));
      link.onclick = (e) => { if (e.ctrlKey || e.metaKey || e.shiftKey) return; e.preventDefault(); this.actions.open(cell, link); };
      return link;
    }));
  }
  words(i, j, most = 80) { // what a cell counts
    const [one, other] = [i, j].map((c) => clip(this.said.classes[c], most));
    return this.said.several && i !== j ? `${one} given and not predicted, where ${other} is predicted and not given` : `labelled ${one}, predicted ${other}`;
  }
  cell(i, j, row, column, show) {
    const { classes, rows } = this.said, found = this.cells.get(i * classes.length + j), right = i === j;
    const td = make("td", { role: "gridcell", tabindex: "-1", data: { i, j, row, column } });
    if (!found) { td.setAttribute("aria-label", `${this.words(i, j)}: none`); return td; }
    const [a, b = [0, 0, 0]] = found, n = Math.max(1, rows[i].n), by = this.byChange(), moved = b[0] - a[0];
    const number = by ? change(moved) : show === "share" ? percent(a[0] / n) : amount(a[0]);
    const depth = by ? Math.min(1, Math.abs(moved) / Math.max(3, 0.15 * n)) : Math.sqrt(a[0] / n), good = by ? moved > 0 === right : right;
    td.className = `${by && Math.abs(moved) < 0.05 ? "same" : good ? "good" : "bad"}${a[1] > 0 && !right ? " doubted" : ""}`;
    td.style.setProperty("--deep", depth.toFixed(3));
    const doubt = a[1] ? `; ${amount(a[1])} of doubted labels` : "", words = `${this.words(i, j)}: ${amount(a[0])} of ${count(rows[i].n)} (${percent(a[0] / n)})${this.two ? ` by A, ${amount(b[0])} by B` : ""}${doubt}`;
    td.title = words;
    td.setAttribute("aria-label", words);
    const zero = !by && a[0] === 0;
    if (zero) { td.classList.add("same"); return td; }
    td.append(make("a", { tabindex: "-1", href: this.actions.link({ label: classes[i], said: classes[j], part: by && a[2] === 0 ? "b" : "a" }), text: number }));
    return td;
  }
  mark(cell) { // which cell is open
    for (const td of this.table.querySelectorAll("td.open")) td.classList.remove("open");
    if (!cell || cell.said === undefined || cell.label === undefined) return;
    const i = this.said.classes.indexOf(cell.label), j = this.said.classes.indexOf(cell.said);
    this.table.querySelector(`td[data-i="${i}"][data-j="${j}"]`)?.classList.add("open");
  }
  open(td) {
    if (!td.querySelector("a") && !this.cells.has(td.dataset.i * this.said.classes.length + Number(td.dataset.j))) return;
    const { classes } = this.said, [a, b] = this.cells.get(td.dataset.i * classes.length + Number(td.dataset.j));
    this.actions.open({ label: classes[td.dataset.i], said: classes[td.dataset.j], part: a[2] === 0 && b ? "b" : "a" }, td);
  }
  spot(row, column) { return this.table.querySelector(`td[data-row="${row}"][data-column="${column}"]`); }
  stand(td) {
    this.spot(...this.at)?.setAttribute("tabindex", "-1");
    this.at = [Number(td.dataset.row), Number(td.dataset.column)];
    td.setAttribute("tabindex", "0");
    td.focus();
  }
  key(e) {
    const td = e.target.closest("td[data-i]");
    if (!td || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Enter" || e.key === " ") { e.preventDefault(); return this.open(td); }
    const last = this.chosen.length - 1, [row, column] = [Number(td.dataset.row), Number(td.dataset.column)];
    const to = { ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], Home: [row, 0], End: [row, last], PageUp: [0, column], PageDown: [last, column] }[e.key];
    if (!to || to.some((x) => x < 0 || x > last)) return;
    e.preventDefault();
    this.stand(this.spot(...to));
  }
}

// Every class: n, recall and precision with intervals, the paired difference, and how many errors are doubted labels.

import { clip, count, make } from "../browse/dom.js";
import { amount, difference, share } from "./numbers.js";

const FIRST = 100; // rows that are drawn unasked
const NUMBERS = ["n", "errors", "missed", "added", "doubted"]; // columns whose heads stand above their last digit

export class ClassTable {
  constructor(actions) { // open(cell, from), link(cell), browse(conditions), seeds()
    this.actions = actions;
    this.by = ["errors", -1];
    this.table = make("table", { class: "classes" });
    this.more = make("button", { hidden: true, onclick: () => { this.all = true; this.draw(); } });
    this.root = make("div", { class: "scroll" }, this.table, this.more);
  }
  show(said, find = "") { this.said = said; this.find = find; this.draw(); }
  columns() {
    const two = this.said.models.length > 1, out = [["name", "class", (r) => this.said.classes.indexOf(r.name)], ["n", "n", (r) => r.n], ["recall", "recall (share of its labels)", (r) => r.models[0].recall?.estimate ?? -1], ["precision", "precision (share of what is called so)", (r) => r.models[0].precision?.estimate ?? -1]];
    if (two) out.push(["difference", "recall, B − A", (r) => r.difference?.estimate ?? -9]);
    if (this.said.several) return [...out.map(([name, words, value]) => [name, name === "difference" ? "labels right, B − A" : words, value]), ["missed", "missed", (r) => r.models[0].missed], ["added", "added", (r) => r.models[0].added], ["doubted", "of doubted labels (missed, added)", (r) => r.models[0].doubted ?? -1]];
    return [...out, ["errors", "errors", (r) => r.models[0].errors], ["doubted", "of doubted labels", (r) => r.models[0].doubted ?? -1]];
  }
  draw() {
    const columns = this.columns(), [by, way] = columns.some(([name]) => name === this.by[0]) ? this.by : [this.said.several ? "missed" : "errors", -1], value = columns.find(([name]) => name === by)[2];
    const fits = this.said.rows.filter((r) => !this.find || r.name.toLowerCase().includes(this.find.toLowerCase())), rows = [...fits].sort((x, y) => way * (value(x) - value(y)) || y.n - x.n);
    const head = make("tr", {}, ...columns.map(([name, words]) => make("th", { scope: "col", class: NUMBERS.includes(name) ? "number" : "", "aria-sort": name === by ? (way < 0 ? "descending" : "ascending") : undefined }, make("button", { class: "plain", text: `${words}${name === by ? (way < 0 ? " ↓" : " ↑") : ""}`, onclick: () => { this.by = [name, name === by ? -way : name === "name" || name === "recall" || name === "precision" ? 1 : -1]; this.draw(); this.table.querySelectorAll("thead button")[columns.findIndex(([c]) => c === name)].focus(); } }))));
    const shown = this.all ? rows : rows.slice(0, FIRST);
    this.table.replaceChildren(make("caption", { text: `${count(fits.length)} ${fits.length === 1 ? "class" : "classes"}${this.find ? ` with “${clip(this.find, 40)}”` : ""}` }), make("thead", {}, head), make("tbody", {}, ...shown.map((r) => this.row(r))));
    this.more.hidden = shown.length === rows.length;
    this.more.textContent = `show all ${count(rows.length)} classes`;
  }
  row(row) {
    const both = (pick) => make("td", { class: "both" }, ...row.models.map((m, i) => share(pick(m), i ? "b" : "a"))), d = row.difference, tone = d && /^(better|helps)/.test(d.word) ? "up" : d && /^(worse|hurts)/.test(d.word) ? "down" : "";
    const cells = [make("th", { scope: "row" }, make("a", { href: this.actions.browse(row.name), title: `${row.name}: its validation samples in Browse`, text: clip(row.name, 60) })), make("td", { class: "number", text: count(row.n) }), both((m) => m.recall), both((m) => m.precision)];
    if (row.models.length > 1) cells.push(make("td", { class: tone }, make("span", { text: d ? difference(d) : row.n ? "too few to test" : "none" }), d ? make("small", { text: ` ${d.word}${d.p_holm < 0.05 ? `, p ${d.p_holm < 0.001 ? "< 0.001" : d.p_holm.toFixed(3)}` : ""}` }) : null));
    if (this.said.several) return make("tr", {}, ...cells, this.errors(row, false, ["missed"]), this.errors(row, false, ["added"]), this.errors(row, true, ["missed", "added"]));
    return make("tr", {}, ...cells, this.errors(row, false), this.errors(row, true));
  }
  errors(row, doubted, kinds = ["errors"]) { // of several seeds a count is a mean, and what opens are the samples that no seed gets right
    const cell = make("td", { class: "number both" });
    row.models.forEach((m, i) => { const line = kinds.length > 1 ? cell.appendChild(make("span", { class: "line" })) : cell; kinds.forEach((kind) => {
      const n = kind === "errors" ? (doubted ? m.doubted : m.errors) : m[doubted ? `${kind}_doubted` : kind], part = i ? "b" : "a", set = { [kind === "added" ? "said" : "label"]: row.name, part, doubted };
      if (kind === kinds[1] && n === null) return null;
      if (kind === kinds[1]) line.append(" + ");
      if (n === null) return line.append(make("span", { class: "quiet", text: "not scanned" }));
      if (!n) return line.append(make("span", { class: "quiet", text: "0" }));
      const link = make("a", { href: this.actions.link(set), text: amount(n), title: this.actions.seeds()[i] > 1 ? "a mean over seeds; opens those that no seed gets right" : `${kind}${doubted ? " on labels that the model doubts and nobody has reviewed" : ""}` });
      link.onclick = (e) => { if (e.ctrlKey || e.metaKey || e.shiftKey) return; e.preventDefault(); this.actions.open(set, link); };
      return line.append(link);
    }); });
    return cell;
  }
}

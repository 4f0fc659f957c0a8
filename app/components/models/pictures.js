// The pictures of a cell, on validation: the grid of Browse under the cell's filter. A click goes to Review.

import { clip, count, icon, ICONS, make, samples } from "../browse/dom.js";
import { Grid } from "../browse/grid.js";
import { askBytes, unpack } from "../browse/server.js";
import { Tiles } from "../browse/tiles.js";
import { conditionsOf, samplesQuery } from "./sets.js";

const PARTS = { a: "by A", b: "by B", went: "by A alone", came: "by B alone" };

export class Pictures {
  constructor(actions) { // view(), models(), several(), scanned(), link(cell), hand(what, chosen), close(), part(name), colourOf(name)
    this.actions = actions;
    this.asked = 0;
    const selection = { size: 0, marks: new Uint8Array(0), has: () => false, toggle: (row) => this.review(row), range() {}, set() {}, all() {}, restore() {}, changed() {} };
    this.tiles = new Tiles(() => this.grid.draw());
    this.grid = new Grid(this.tiles, selection, { colourOf: actions.colourOf, opened: (i) => this.review(this.grid.order[i]), moved() {} });
    this.grid.resize(96);
    this.grid.root.setAttribute("aria-label", "samples of the cell; Enter reviews them from there on");
    this.grid.root.removeAttribute("aria-multiselectable");
    this.title = make("h2", { tabindex: "-1" });
    this.says = make("p", { class: "quiet", role: "status" });
    this.parts = make("div", { class: "parts", role: "group", "aria-label": "which model says so" });
    this.tools = make("div", { class: "row" });
    this.empty = make("div", { class: "empty", hidden: true });
    this.root = make("aside", { class: "shots", "aria-label": "samples of the cell", hidden: true },
      make("div", { class: "top" }, this.title, make("button", { class: "icon", title: "close (Escape)", "aria-label": "close", onclick: () => actions.close() }, icon(ICONS.close))), this.parts, this.says, this.tools, make("div", { class: "middle" }, this.grid.root, this.empty));
  }
  async show(cell) {
    const mine = ++this.asked, view = this.actions.view(), models = this.actions.models(), conditions = conditionsOf(cell, models, this.actions.several());
    this.root.hidden = false;
    this.name(cell, models);
    this.says.textContent = "…";
    this.tools.replaceChildren();
    try {
      const bytes = await askBytes(`/assay/samples?${samplesQuery(view, conditions, this.actions.scanned() ? "score" : "")}`);
      if (mine !== this.asked) return;
      const { header, positions: order } = unpack(bytes);
      this.now = { ...header, order };
      this.tiles.show(header.of, header.seq, header.tiles);
      this.grid.show(order, [], {});
      this.says.textContent = `${samples(header.total)} of validation${header.total && this.actions.scanned() ? ", lowest score of the label first" : ""}. ${(header.notes ?? []).join(" ")}`;
      this.empty.hidden = header.total > 0;
      this.empty.replaceChildren(make("p", { text: "No sample: choose another model above." }));
      this.root.dataset.total = header.total;
      this.offer(cell, header.total);
    } catch (e) { if (mine === this.asked) { this.says.textContent = `${e.message}. ${e.hint ?? ""}`; this.tools.replaceChildren(make("button", { text: "try again", onclick: () => this.show(cell) })); } }
  }
  name(cell, models) {
    const named = (name) => [make("i", { style: { "--c": this.actions.colourOf(name) } }), make("b", { text: clip(name, 80), title: name })];
    const { label, said } = cell, doubt = cell.doubted ? ", label doubted" : "";
    if (this.actions.several() && label !== said) this.title.replaceChildren(...(label === undefined ? [...named(said), ` predicted, and not given${doubt}`] : [...named(label), ` given, and not predicted${doubt}`, ...(said === undefined ? [] : [", where ", ...named(said), " is, and is not given"])]));
    else this.title.replaceChildren(...this.words(cell, named));
    this.parts.hidden = !models[1];
    this.parts.replaceChildren(...(models[1] ? Object.entries(PARTS).map(([part, text]) => make("button", { text, "aria-pressed": String(part === cell.part), onclick: () => this.actions.part(part) })) : []));
  }
  words(cell, named) { // of one label a sample, or of a class that is given and predicted
    return cell.label === undefined ? ["wrongly called ", ...named(cell.said)] : ["labelled ", ...named(cell.label), ...(cell.said === undefined ? [cell.doubted ? ", called otherwise, label doubted" : ", called otherwise"] : [cell.said === cell.label ? ", called so" : ", called ", ...(cell.said === cell.label ? [] : named(cell.said))])];
  }
  offer(cell, total) {
    const link = make("a", { class: "button", href: this.actions.link(cell), text: `Browse ${count(total)}` });
    if (!total) return this.tools.replaceChildren(link);
    this.tools.replaceChildren(make("button", { class: "main", text: `Review ${count(total)}`, onclick: () => this.actions.hand("review", { of: this.now.of }) }), link, make("button", { text: "Open in FiftyOne", onclick: () => this.actions.hand("fiftyone", { of: this.now.of }) }));
    return null;
  }
  review(row) { // the queue is the cell, and begins with what was clicked
    const rest = [...this.now.order].filter((one) => one !== row);
    this.actions.hand("review", { table: this.now.table, only: [row, ...rest] });
  }
  hide() { this.asked++; this.root.hidden = true; }
  stop() { this.grid.stop(); }
}

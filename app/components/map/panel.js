// What is selected, as Browse's grid beside the map.

import { count, make, samples } from "../browse/dom.js";
import { Grid } from "../browse/grid.js";
import { ask } from "../browse/server.js";
import { Tiles } from "../browse/tiles.js";

const SOON = 100; // ms after the last change of the selection

export class Panel {
  constructor(page, close) {
    this.page = page;
    this.rows = new Int32Array(0);
    this.asked = 0;
    this.tiles = new Tiles(() => this.grid.draw());
    this.grid = new Grid(this.tiles, page.selection, { colourOf: page.colourOf, opened: (i) => this.open(i), moved: (i) => { if (page.inspecting()) this.open(i); } });
    this.title = make("b", {});
    this.none = make("p", { class: "quiet", text: "Nothing is selected. Circle points (L, or Shift and drag), click on one, or select what is in view (V)." });
    this.root = make("section", { class: "panel", "aria-label": "selected samples" }, make("div", { class: "top" }, this.title, make("span", { class: "push" }), make("button", { text: "close", onclick: close })), make("div", { class: "frame" }, this.grid.root, this.none));
  }
  stop() { clearTimeout(this.timer); this.grid.stop(); }
  draw() {
    const n = this.page.selection.size;
    this.title.textContent = n ? `${count(n)} selected` : "Nothing selected";
    this.none.hidden = n > 0;
    this.grid.root.hidden = !n;
    this.grid.draw();
    clearTimeout(this.timer);
    if (!this.hidden() && !(this.root.contains(document.activeElement) && this.covers())) this.timer = setTimeout(() => this.fetch(), SOON);
  }
  hidden() { return this.root.hidden; }
  covers() { // what was deselected here stays in sight, so that it can be selected again
    const here = this.page.selection.within(this.rows);
    return here > 0 && here === this.page.selection.size;
  }
  async fetch() {
    const { selection } = this.page, set = this.page.set(), mine = ++this.asked, start = performance.now();
    if (!selection.size || !set) return;
    const body = selection.body(set.order, set.of, set.table), rows = body.only ?? set.order.filter((row) => selection.has(row));
    try {
      const said = await ask("/assay/picked", body);
      if (mine !== this.asked) return;
      const same = rows.length === this.rows.length && rows.every((row, i) => row === this.rows[i]);
      this.rows = Int32Array.from(rows);
      this.tiles.show(said.of, said.seq, said);
      this.grid.show(this.rows, [], { keep: same });
      this.root.dataset.shown = rows.length;
      performance.measure("assay:panel", { start, end: performance.now() });
    } catch (e) { if (mine === this.asked) this.title.textContent = `${samples(selection.size)} selected; they cannot be shown: ${e.message}`; }
  }
  open(i) { const tile = this.tiles.get(i); if (tile) this.page.opened(tile.id); }
  step(by) { if (this.grid.total) this.grid.go(Math.max(0, Math.min(this.grid.total - 1, this.grid.focus + by))); }
}

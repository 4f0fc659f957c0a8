// What fills the middle of Browse: the set as a grid of pictures.

import { Grid } from "./grid.js";
import { Tiles } from "./tiles.js";

export class Pictures {
  static elsewhere = { path: "/map", text: "Map", title: "the same set and selection on the map" };
  static faceted = true;
  static ordered = true;

  constructor(page) {
    this.page = page;
    this.opening = null; // a tile whose caption is not here yet
    this.tiles = new Tiles(() => { this.grid.draw(); if (this.opening !== null) this.open(this.opening, true); });
    this.grid = new Grid(this.tiles, page.selection, { colourOf: page.colourOf, opened: (i) => this.open(i), moved: (i) => { if (page.inspecting()) this.open(i, true); } });
    this.grid.painted = (cells, own) => this.look(cells, own);
    this.root = this.grid.root;
  }
  stop() { this.grid.stop(); }
  focus() { this.root.focus({ preventScroll: true }); }
  show(set, { keep }) {
    this.tiles.show(set.of, set.seq, set.tiles);
    this.grid.show(set.order, set.groups, { keep });
  }
  extend(order) { this.grid.extend(order); }
  draw() { this.grid.draw(); }
  recolour() { this.grid.recolour(); }
  relayout() { this.grid.relayout(); }
  resize(side) { this.grid.resize(side); }
  step(by) { this.grid.go(Math.max(0, Math.min(this.grid.total - 1, this.grid.focus + by))); }
  ahead() { return [1, 2, -1].map((by) => this.grid.focus + by).filter((i) => i >= 0 && i < this.grid.total).map((i) => this.tiles.get(i)?.id).filter(Boolean); }
  open(i, moved) { // opened once more, it has a window of its own
    const tile = this.tiles.get(i);
    this.opening = tile ? null : i; // as soon as it is here
    if (tile && !moved && tile.id === this.page.inspecting()) this.page.enlarge();
    else if (tile) this.page.opened(tile.id);
  }
  look(cells, own) { // is all that is in view there?
    if (this.page.root.dataset.painted || !this.page.set()) return;
    const here = cells.filter((c) => c.i !== undefined);
    const there = here.every((c) => this.tiles.fresh(c.i)) && (own ? here.every((c) => { const img = this.grid.painter.elements.shown.get(c.i)?.img; return img?.complete && img.src; }) : here.every((c) => this.tiles.sprite(c.i) !== null));
    if (here.length && there) this.page.painted();
    else if (here.length) setTimeout(() => this.grid.draw(), 16);
  }
}

// The grid: a window on an order of any length. Only what is in view exists.

import { make } from "./dom.js";
import { hit, inside, layOut, place, SMALL, step, visible } from "./layout.js";
import { Canvas, Elements, nameOf, paintHeadings } from "./paint.js";
import { isText } from "../sample.js";

const TALLEST = 8_000_000; // pixels that browsers scroll soundly; beyond, a wheel moves what lies under the bar

export class Grid {
  constructor(tiles, selection, { colourOf, opened, moved }) {
    Object.assign(this, { tiles, selection, opened, moved, order: new Int32Array(0), total: 0, groups: [], side: 96, focus: 0, anchor: 0, top: 0, press: null });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.layer = make("div", { class: "layer" });
    this.heads = make("div", { class: "heads" });
    this.band = make("div", { class: "band", hidden: true });
    this.active = make("div", { id: "assay-tile", role: "option", class: "hidden-words" });
    this.view = make("div", { class: "view" }, this.canvas, this.layer, this.heads, this.band);
    this.spacer = make("div", { class: "spacer" }, this.view);
    this.root = make("div", { class: "grid", tabindex: "0", role: "listbox", "aria-multiselectable": "true", "aria-label": "samples", "aria-activedescendant": "assay-tile" }, this.active, this.spacer);
    this.painter = { canvas: new Canvas(this.canvas, tiles, colourOf), elements: new Elements(this.layer, tiles, colourOf) };
    this.root.onscroll = () => { if (!this.setting) this.read(); this.setting = false; this.draw(); };
    this.root.addEventListener("wheel", (e) => { if (this.layout.height > TALLEST && !e.ctrlKey) { e.preventDefault(); this.scrollTo(this.top + e.deltaY * (e.deltaMode ? 30 : 1)); } }, { passive: false });
    this.root.onfocus = this.root.onblur = () => this.draw();
    this.view.onpointerdown = (e) => this.down(e);
    this.view.onpointermove = (e) => this.move(e);
    this.view.onpointerup = (e) => this.up(e);
    this.view.onpointercancel = () => { this.press = null; this.band.hidden = true; };
    this.view.ondblclick = (e) => { const i = this.at(e); if (i >= 0) this.opened(i); };
    this.root.onkeydown = (e) => this.key(e);
    this.sizes = new ResizeObserver(() => this.relayout());
    this.sizes.observe(this.root);
    this.relayout();
  }
  stop() { this.sizes.disconnect(); this.stopped = true; }

  show(order, groups, { keep } = {}) { // another order; `keep`: the same place of it stays in sight
    const row = keep ? this.order[this.focus] : undefined, top = this.top;
    this.order = order;
    this.total = order.length;
    this.groups = groups;
    const at = row === undefined ? 0 : order.indexOf(row);
    this.focus = this.anchor = keep ? (at >= 0 ? at : Math.min(this.focus, Math.max(0, this.total - 1))) : 0;
    this.painter.elements.forget();
    this.relayout(keep ? top : 0);
  }
  recolour() { this.painter.elements.forget(); this.draw(); }
  extend(order) { this.order = order; this.draw(); } // the rest of a long order has come
  resize(side) {
    const middle = place(this.layout, this.focus), seen = middle.y - this.top;
    this.side = side;
    this.painter.elements.clear();
    this.relayout(this.total ? place(layOut(this.total, this.groups, this.root.clientWidth, side), this.focus).y - seen : 0);
  }
  relayout(top = this.top) {
    const width = this.root.clientWidth, height = this.root.clientHeight;
    this.layout = layOut(this.total, this.groups, width, this.side);
    this.tall = Math.min(this.layout.height, TALLEST);
    this.spacer.style.height = `${Math.max(this.tall, height)}px`;
    this.view.style.height = `${height}px`;
    this.painter.canvas.fit(width, height);
    this.scrollTo(top);
  }
  read() { // where the window stands, of where the bar stands
    const height = this.root.clientHeight, bar = this.root.scrollTop;
    this.top = this.layout.height > TALLEST ? (bar / Math.max(1, this.tall - height)) * (this.layout.height - height) : bar;
  }
  scrollTo(top) {
    const height = this.root.clientHeight;
    this.top = Math.max(0, Math.min(top, this.layout.height - height));
    const bar = this.layout.height > TALLEST ? (this.top / Math.max(1, this.layout.height - height)) * (this.tall - height) : this.top;
    if (Math.abs(bar - this.root.scrollTop) >= 1) { this.setting = true; this.root.scrollTop = bar; }
    this.draw();
  }
  draw() {
    if (this.drawing || this.stopped) return;
    this.drawing = true;
    requestAnimationFrame(() => { this.drawing = false; if (!this.stopped) this.paint(); });
  }
  paint() {
    const { layout, top, total } = this, height = this.root.clientHeight;
    const cells = total ? [...visible(layout, top, top + height)] : [], small = this.side <= SMALL;
    const shown = { layout, top, order: this.order, selection: this.selection, focus: this.focus, focused: document.activeElement === this.root };
    const sharp = this.tiles.fit(layout.side * Math.min(2, devicePixelRatio || 1)), own = !small && (isText || !sharp);
    this.canvas.hidden = own;
    if (!own) this.painter.canvas.paint(cells, shown, !small);
    if (small && !this.small) this.painter.elements.clear();
    if (!small) this.painter.elements.paint(cells, shown, own);
    this.small = small;
    if (layout.headed || this.heads.firstChild) paintHeadings(this.heads, cells, layout, top);
    for (const cell of cells) if (cell.i !== undefined && cell.i % 32 === 0) this.tiles.touch(cell.i);
    this.say();
    this.painted?.(cells, own);
  }
  say() { // the tile that the keyboard stands on, in words
    const tile = this.total ? this.tiles.get(this.focus) : null, words = tile ? nameOf(tile) : "";
    const on = this.total > 0 && this.selection.has(this.order[this.focus]), now = `${on} ${this.focus} ${this.total} ${words}`;
    if (now === this.told) return; // to say the same again costs a layout
    this.told = now;
    this.active.textContent = words || "no sample";
    this.active.setAttribute("aria-selected", String(on));
    this.active.setAttribute("aria-posinset", this.total ? this.focus + 1 : 1);
    this.active.setAttribute("aria-setsize", this.total || 1);
  }

  // ---- hands

  spot(e) { const box = this.view.getBoundingClientRect(); return [e.clientX - box.left, e.clientY - box.top + this.top]; }
  at(e) { return this.total ? hit(this.layout, ...this.spot(e)) : -1; }
  go(i, pick) { // the keyboard stands there, and it is in sight
    this.focus = i;
    if (!pick) this.anchor = i;
    const { y } = place(this.layout, i), height = this.root.clientHeight, { line } = this.layout, head = this.layout.headed ? 34 : 0;
    if (y - head < this.top) this.scrollTo(y - head - 8);
    else if (y + line > this.top + height) this.scrollTo(y + line - height + 8);
    this.draw();
    this.moved(i);
  }
  down(e) {
    if (e.button) return;
    this.root.focus({ preventScroll: true });
    this.press = { spot: this.spot(e), at: this.at(e), id: e.pointerId, touch: e.pointerType === "touch", band: false, before: null };
  }
  move(e) {
    const press = this.press;
    if (!press) return this.hover(e);
    if (press.touch) return; // a finger scrolls
    const [x, y] = this.spot(e), [x0, y0] = press.spot;
    if (!press.band && Math.hypot(x - x0, y - y0) < 5) return;
    if (!press.band) { press.band = true; press.before = this.selection.marks.slice(); this.view.setPointerCapture(press.id); }
    const edge = this.view.getBoundingClientRect();
    if (e.clientY < edge.top + 20) this.scrollTo(this.top - 24);
    else if (e.clientY > edge.bottom - 20) this.scrollTo(this.top + 24);
    const box = [Math.min(x, x0), Math.min(y, y0), Math.max(x, x0), Math.max(y, y0)];
    Object.assign(this.band.style, { left: `${box[0]}px`, top: `${box[1] - this.top}px`, width: `${box[2] - box[0]}px`, height: `${box[3] - box[1]}px` });
    this.band.hidden = false;
    this.selection.restore(press.before);
    for (const i of inside(this.layout, ...box)) this.selection.set(this.order[i], !e.altKey);
    this.selection.changed();
  }
  up(e) {
    const press = this.press;
    this.press = null;
    this.band.hidden = true;
    if (!press || press.band || press.at < 0 || this.at(e) !== press.at) return;
    if (e.shiftKey) { this.selection.range(this.order, this.anchor, press.at); this.go(press.at, true); }
    else { this.selection.toggle(this.order[press.at]); this.go(press.at); }
  }
  hover(e) { // the whole name of what is clipped
    const i = this.at(e), tile = i >= 0 ? this.tiles.get(i) : null;
    this.view.title = tile ? nameOf(tile) : "";
  }
  key(e) {
    if (!this.total || e.altKey) return;
    const all = (e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "a";
    if (all) { e.preventDefault(); return this.selection.all(this.order); }
    if (e.ctrlKey || e.metaKey) return;
    if (e.key === "Enter") { e.preventDefault(); e.stopPropagation(); return this.opened(this.focus); }
    if (e.key === " ") { e.preventDefault(); return e.repeat ? null : this.selection.toggle(this.order[this.focus]); }
    const to = step(this.layout, this.focus, e.key, Math.max(1, Math.floor(this.root.clientHeight / this.layout.line) - 1));
    if (to === null) return;
    e.preventDefault();
    if (e.shiftKey) this.selection.range(this.order, this.anchor, to);
    this.go(to, e.shiftKey);
  }
}

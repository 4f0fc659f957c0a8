// Paint tiles: on a canvas of sprites; larger ones have their words in elements above it, and the largest pictures of their own.

import { make } from "./dom.js";
import { HEADING } from "./layout.js";
import { SAMPLE } from "../sample.js";

export const COLOURS = "#5b9bea #f07a55 #3fb583 #f0b429 #a98be6 #3cc0d1 #ec6a97 #b0a08f #8aa4ff #b5d16a #e08560 #58a6c4 #cdb8ff #ff9a57 #6cc26f #a7adb5".split(" ");
const AMBER = "#ffb454", TEXT = "#d9dce1", QUIET = "#9aa0a9", CELL = "#22252b", GROUND = "#16181c", BLUE = "#5b9bea";

export function captionOf(tile) { // [given label, what the model suggests where it doubts, marks]
  if (tile.locked) return ["", "", [tile.split]];
  const marks = [];
  if (tile.keep === false) marks.push("dropped");
  if (tile.split !== "train") marks.push(tile.split);
  if (tile.duplicate_group !== null && tile.duplicate_group !== undefined) marks.push("⧉");
  if (tile.reviewed) marks.push("✓");
  return [tile.label ?? "no label", tile.flagged && !tile.reviewed ? tile.suggestion : "", marks];
}
export const nameOf = (tile) => { // a tile in words, for whoever hears it, and on hover
  const [label, hint, marks] = captionOf(tile);
  const words = { "⧉": "has duplicates", "✓": "reviewed", dropped: "dropped" };
  return [tile.key, label && `labelled ${label}`, hint && `the model says ${hint}`, ...marks.map((m) => words[m] ?? m), tile.locked ? "locked: no label is shown" : ""].filter(Boolean).join(", ");
};

export class Canvas {
  constructor(canvas, tiles, colourOf) { this.canvas = canvas; this.pen = canvas.getContext("2d", { alpha: false }); this.tiles = tiles; this.colourOf = colourOf; this.widths = new Map(); }
  fit(width, height) {
    const dpr = Math.min(2, devicePixelRatio || 1);
    if (this.canvas.width !== Math.round(width * dpr) || this.canvas.height !== Math.round(height * dpr)) { this.canvas.width = Math.round(width * dpr); this.canvas.height = Math.round(height * dpr); }
    this.dpr = dpr;
    this.width = width;
    this.height = height;
  }
  words(text, x, y, most, colour) {
    const key = `${most} ${text}`;
    let shown = this.widths.get(key);
    if (shown === undefined) {
      shown = text;
      if (this.pen.measureText(text).width > most) {
        const signs = [...text.slice(0, 60)];
        while (signs.length && this.pen.measureText(`${signs.join("")}…`).width > most) signs.pop();
        shown = signs.length ? `${signs.join("")}…` : "";
      }
      if (this.widths.size > 5000) this.widths.clear();
      this.widths.set(key, shown);
    }
    this.pen.fillStyle = colour;
    this.pen.fillText(shown, x, y);
  }
  paint(cells, { layout, order, selection, focus, focused, top }, bare) { // bare: pictures alone
    const pen = this.pen, side = layout.side, from = Math.round(top);
    pen.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
    pen.fillStyle = GROUND;
    pen.fillRect(0, 0, this.width, this.height);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "alphabetic";
    for (const cell of cells) {
      if (cell.i === undefined) continue; // headings are elements: they are read aloud
      const { i, x } = cell, y = cell.y - from, sprite = this.tiles.sprite(i);
      if (sprite) pen.drawImage(sprite[0], sprite[1], sprite[2], sprite[3], sprite[3], x, y, side, side);
      else {
        pen.fillStyle = CELL;
        pen.fillRect(x, y, side, side);
        if (sprite === false && !bare) { pen.strokeStyle = QUIET; pen.beginPath(); pen.moveTo(x + side * 0.35, y + side * 0.35); pen.lineTo(x + side * 0.65, y + side * 0.65); pen.moveTo(x + side * 0.65, y + side * 0.35); pen.lineTo(x + side * 0.35, y + side * 0.65); pen.stroke(); }
      }
      if (bare) continue;
      const tile = this.tiles.get(i);
      if (tile) this.caption(tile, x, y, side, layout.caption);
      if (selection.has(order[i])) {
        pen.fillStyle = "rgb(91 155 234 / .28)";
        pen.fillRect(x, y, side, side);
        pen.strokeStyle = BLUE;
        pen.lineWidth = 3;
        pen.strokeRect(x + 1.5, y + 1.5, side - 3, side - 3);
      }
      if (i === focus && focused) { pen.strokeStyle = "#fff"; pen.lineWidth = 2; pen.strokeRect(x - 2, y - 2, side + 4, side + 4); }
    }
  }
  caption(tile, x, y, side, room) {
    const pen = this.pen, [label, hint, marks] = captionOf(tile);
    if (tile.keep === false) { pen.fillStyle = "rgb(22 24 28 / .65)"; pen.fillRect(x, y, side, side); }
    if (!room) {
      if (label) { pen.fillStyle = this.colourOf(tile.label); pen.fillRect(x, y + side - 3, side, 3); }
      if (hint) { pen.fillStyle = AMBER; pen.beginPath(); pen.moveTo(x + side, y); pen.lineTo(x + side, y + 11); pen.lineTo(x + side - 11, y); pen.fill(); }
      return;
    }
    if (label) { pen.fillStyle = this.colourOf(tile.label); pen.fillRect(x, y + side + 5, 7, 7); }
    this.words(hint || label || marks[0] || "", x + (label ? 11 : 0), y + side + 13, side - (label ? 12 : 0), hint ? AMBER : label ? TEXT : QUIET);
    const corner = marks.filter((m) => label && m !== "dropped").map((m) => (m.length > 1 ? m[0] : m)).join(" ");
    if (corner) {
      const wide = pen.measureText(corner).width + 6;
      pen.fillStyle = "rgb(22 24 28 / .78)";
      pen.fillRect(x + side - wide, y + side - 15, wide, 15);
      pen.fillStyle = TEXT;
      pen.fillText(corner, x + side - wide + 3, y + side - 4);
    }
  }
}

const FAR = 4000; // pixels of scrolling after which the elements are laid anew

export class Elements { // what stands under larger tiles; own: each has a picture of its own, too
  constructor(layer, tiles, colourOf) { Object.assign(this, { layer, tiles, colourOf, shown: new Map(), base: 0, own: false }); }
  clear() { this.layer.replaceChildren(); this.shown.clear(); }
  forget() { if (this.own) this.clear(); else for (const one of this.shown.values()) one.tile = null; } // another order, or other labels
  paint(cells, { layout, order, selection, focus, focused, top }, own) {
    const from = Math.round(top);
    if (own !== this.own || Math.abs(from - this.base) > FAR) { this.clear(); this.base = from; this.own = own; }
    this.layer.style.transform = `translateY(${this.base - from}px)`; // all move at once: none is laid out for it
    const gone = new Set(this.shown.keys());
    for (const { i } of cells) gone.delete(i);
    const spare = [...gone];
    for (const cell of cells) {
      if (cell.i === undefined) continue;
      const { i, x, y } = cell, old = own || this.shown.has(i) ? undefined : spare.pop();
      if (old !== undefined) this.reuse(old, i);
      const one = this.shown.get(i) ?? this.build(i);
      if (one.x !== x || one.y !== y) { one.root.style.transform = `translate(${x}px, ${y - this.base}px)`; one.x = x; one.y = y; }
      if (one.side !== layout.side) { one.side = layout.side; one.root.style.width = `${layout.side}px`; one.box.style.height = `${layout.side}px`; }
      const tile = this.tiles.get(i);
      if (tile && one.tile !== tile) this.fill(one, tile);
      set(one, "bare", !tile);
      set(one, "on", selection.has(order[i]));
      set(one, "here", i === focus && focused);
      if (!own) set(one, "broken", this.tiles.sprite(i) === false);
    }
    for (const i of spare) { this.shown.get(i).root.remove(); this.shown.delete(i); }
  }
  build(i) {
    const img = this.own ? make(SAMPLE, { alt: "", decoding: "async", draggable: "false" }) : null, box = make("div", { class: "picture" }, img);
    const name = make("span", { text: " " }), marks = make("span", { class: "marks", text: " " }), given = make("div", { class: "given" }, name, marks), second = make("div", { text: " " }), line = make("div", { class: "caption" }, given, second);
    const one = { root: make("div", { class: this.own ? "tile own" : "tile" }, box, line), box, img, line, given, name, marks, second, colour: null, tile: null };
    this.shown.set(i, one);
    this.layer.append(one.root);
    return one;
  }
  reuse(old, i) { // what left the window comes in again as another
    const one = this.shown.get(old);
    this.shown.delete(old);
    this.shown.set(i, one);
    one.tile = null;
    set(one, "out", false);
  }
  fill(one, tile) {
    const [label, hint, marks] = captionOf(tile), side = one.side * (devicePixelRatio || 1);
    if (this.own) this.picture(one, `/assay/image/${encodeURIComponent(tile.id)}?side=${side <= 128 ? 128 : side <= 256 ? 256 : 512}`);
    one.tile = tile;
    one.root.dataset.sample = tile.id;
    set(one, "out", tile.keep === false);
    this.mark(one, label ? this.colourOf(tile.label) : null);
    one.name.className = label ? "" : "quiet";
    one.second.className = hint ? "hint" : "quiet";
    // words are changed, and no element comes or goes: that would cost a layout of all
    one.name.firstChild.data = label || tile.split;
    one.marks.firstChild.data = marks.filter((m) => label || m !== tile.split).join(" ");
    one.second.firstChild.data = hint ? `→ ${hint}` : tile.key;
  }
  mark(one, colour) { // the class's colour before its name; none where there is no label to be seen
    if (!colour) { one.colour?.remove(); one.colour = null; return; }
    if (!one.colour) { one.colour = make("i"); one.given.prepend(one.colour); }
    one.colour.style.setProperty("--c", colour);
  }
  picture(one, url) {
    if (one.url === url) return;
    one.url = url;
    one.img.onerror = () => set(one, "broken", true);
    set(one, "broken", false);
    one.img.src = url;
  }
}

function set(one, name, on) { // a class is set when it changes: to ask the document costs more
  if (one[name] === on) return;
  one[name] = on;
  one.root.classList.toggle(name, on);
}

export function paintHeadings(layer, cells, layout, top) { // the names of groups; the one that is scrolled through stays in sight
  const headings = cells.filter((c) => c.group !== undefined);
  layer.replaceChildren(...headings.map(({ group, y }) => {
    const [name, n] = layout.parts[group];
    const heading = make("div", { class: "heading", role: "presentation" }, make("b", { text: name === "none" ? "none" : name, title: name }), make("span", { text: n.toLocaleString("en") }));
    const bottom = (layout.tops[group + 1] ?? layout.height) - top - HEADING;
    heading.style.transform = `translateY(${Math.min(Math.max(0, Math.round(y - top)), Math.max(y - top, bottom))}px)`;
    return heading;
  }));
}

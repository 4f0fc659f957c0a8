// Pictures on the map: in place of dots where few are in view, and one under the pointer.

import { make } from "../browse/dom.js";
import { captionOf } from "../browse/paint.js";
import { ask } from "../browse/server.js";
import { makeTile, Tiles } from "../browse/tiles.js";
import { SAMPLE } from "../sample.js";

export const FEWER = 400; // samples in view below which each is a picture
const STILL = 120, SLOW = 50; // ms that the map, or the pointer, rests before anything is asked

export class Nearby {
  constructor(points, camera, actions) { // table(), seq(), colourOf(name), changed(), inkOf(row)
    Object.assign(this, { points, camera, actions, rows: [], known: new Map(), timer: null, asked: 0, at: new Map(), row: -1 });
    this.tiles = new Tiles(() => actions.changed());
    this.card = make("div", { class: "card", hidden: true });
  }
  forget() { this.known.clear(); this.rows = []; this.at.clear(); this.look(0); } // labels changed, or what rows mean
  look(wait = STILL) { // what is in view, once it stands still
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), wait);
  }
  async fetch() {
    const rows = this.points.inView(this.camera, FEWER - 1), mine = ++this.asked;
    if (!rows?.length) { this.rows = []; this.at.clear(); return this.actions.changed(); }
    if (rows.length === this.rows.length && rows.every((row) => this.at.has(row))) return;
    try {
      const said = await ask("/assay/picked", { table: this.actions.table(), only: rows });
      if (mine !== this.asked) return;
      this.tiles.show(said.of, said.seq, said);
      this.tiles.fit(64);
      this.rows = rows;
      this.at = new Map(rows.map((row, i) => [row, i]));
      this.actions.changed();
    } catch { if (mine === this.asked) this.look(2000); } // dots stay where pictures cannot be had
  }
  side() { return Math.round(Math.max(22, Math.min(72, 0.5 * Math.sqrt((this.camera.width * this.camera.height) / Math.max(1, this.rows.length))))); }
  draw(pen, dpr, selection) { // how many pictures were drawn
    const { camera, points } = this, side = this.side(), half = side / 2;
    let n = 0;
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    for (const [i, row] of this.rows.entries()) {
      const sprite = this.tiles.sprite(i);
      if (!sprite) continue; // its dot stays
      const x = camera.across(points.xy[2 * row]) - half, y = camera.down(points.xy[2 * row + 1]) - half, on = selection.has(row), edge = on ? 3 : 2;
      if (x < -side || y < -side || x > camera.width || y > camera.height) continue;
      pen.globalAlpha = selection.size && !on ? 0.45 : 1;
      pen.fillStyle = on ? "#fff" : this.actions.inkOf(row);
      pen.fillRect(x - edge, y - edge, side + 2 * edge, side + 2 * edge);
      pen.fillStyle = "#16181c";
      pen.fillRect(x, y, side, side);
      pen.drawImage(sprite[0], sprite[1], sprite[2], sprite[3], sprite[3], x, y, side, side);
      if (on) { pen.fillStyle = this.actions.inkOf(row); pen.fillRect(x, y + side - 4, side, 4); }
      n++;
    }
    pen.globalAlpha = 1;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    return n;
  }
  reach() { return this.rows.length ? this.side() / 2 + 3 : 9; }

  // ---- one of them

  async tile(row) { // what is known of a row
    if (this.known.has(row)) return this.known.get(row);
    const tile = makeTile(await ask("/assay/picked", { table: this.actions.table(), only: [row] }), 0);
    this.known.set(row, tile);
    return tile;
  }
  hover(row) {
    if (row === this.row) return;
    this.row = row;
    clearTimeout(this.pausing);
    if (row < 0) { this.card.hidden = true; return; }
    this.pausing = setTimeout(async () => {
      const tile = await this.tile(row).catch(() => null);
      if (this.row === row && tile) this.show(row, tile);
    }, this.known.has(row) ? 0 : SLOW);
  }
  show(row, tile) {
    const [label, hint, marks] = captionOf(tile), { card, camera, points } = this;
    const img = make(SAMPLE, { src: `/assay/image/${encodeURIComponent(tile.id)}?side=256`, alt: "" });
    const parts = [img, make("div", { class: "given" }, label ? make("i", { style: { "--c": this.actions.colourOf(tile.label) } }) : null, make("span", { text: label || `${tile.split}: locked` })),
      hint ? make("div", { class: "hint", text: `→ ${hint}` }) : null, make("div", { class: "quiet", text: [tile.key, ...marks.filter((m) => m.length > 1 && label)].join(" · ") })];
    card.replaceChildren(...parts.filter(Boolean));
    card.hidden = false;
    card.dataset.sample = tile.id;
    const x = camera.across(points.xy[2 * row]), y = camera.down(points.xy[2 * row + 1]), wide = card.offsetWidth, high = card.offsetHeight, gap = this.reach() + 8;
    card.style.left = `${x + gap + wide < camera.width ? x + gap : Math.max(4, x - gap - wide)}px`;
    card.style.top = `${Math.max(4, Math.min(camera.height - high - 4, y - high / 2))}px`;
  }
}

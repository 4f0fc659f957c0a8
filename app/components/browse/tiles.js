// What is known of the samples of an order: captions by pages, pictures as sprites. Each is asked for once, when it comes into view.

import { ask } from "./server.js";

const PAGE = 400, WIDTH = 1024, HEIGHT = 512, MOST = 128, CELLS = [32, 64, 128]; // pixels of a sprite, and of a picture's cell in it
const MOST_SPRITES = 48, MOST_PAGES = 200, AT_ONCE = 4;

export class Tiles {
  constructor(changed) { this.changed = changed; this.of = null; this.pages = new Map(); this.sprites = new Map(); this.queue = []; this.running = 0; this.cell = 64; this.largest = Infinity; this.failed = () => {}; }
  show(of, seq, first) { // another order, or the same one as it stands now, with its first page; sprites of the same order are the same for ever
    if (first) this.largest = first.largest;
    if (of !== this.of) { this.forgetSprites(); this.pages.clear(); this.queue = []; }
    else if (seq !== this.seq) for (const page of this.pages.values()) page.stale = true;
    this.of = of;
    this.seq = seq;
    if (first) this.pages.set(0, { rows: first, made: [], coming: false });
  }
  forgetSprites() { for (const s of this.sprites.values()) s.bitmap?.close(); this.sprites.clear(); }
  fit(side) { // sprites for tiles of so many pixels; false where only pictures of their own are sharp enough
    const cell = CELLS.find((c) => c >= Math.min(side, this.largest));
    if (cell && cell !== this.cell) { this.forgetSprites(); this.cell = cell; }
    return cell !== undefined;
  }
  get(i) { // what stands under tile i, or null until it is here
    const number = Math.floor(i / PAGE), page = this.pages.get(number);
    if (!page || (page.stale && !page.coming)) this.load(number, page);
    if (!page?.rows) return null;
    const k = i % PAGE;
    if (k >= page.rows.ids.length) return null;
    return (page.made[k] ??= makeTile(page.rows, k));
  }
  fresh(i) { const page = this.pages.get(Math.floor(i / PAGE)); return !!page?.rows && !page.stale && !page.coming; }
  load(number, old) {
    const of = this.of, page = { rows: old?.rows, made: old?.made ?? [], coming: true };
    this.pages.delete(number);
    this.pages.set(number, page);
    if (this.pages.size > MOST_PAGES) this.pages.delete(this.pages.keys().next().value);
    this.push(async () => {
      const rows = await ask(`/assay/tiles/${of}/${number}`);
      if (this.of !== of) return;
      Object.assign(page, { rows, made: [], coming: false, stale: false });
      this.changed();
    }, () => { this.pages.delete(number); }, of);
  }
  spriteOf(i) { // [its number, the place in it]
    const cells = Math.min(MOST, (WIDTH * HEIGHT) / this.cell ** 2);
    return [Math.floor(i / cells), i % cells];
  }
  sprite(i) { // [bitmap, x, y, side] of tile i; null until it is here; false where its image cannot be read
    const [number, k] = this.spriteOf(i), across = WIDTH / this.cell;
    let found = this.sprites.get(number);
    if (!found) {
      found = { bitmap: null, broken: new Set() };
      this.sprites.set(number, found);
      this.fetchSprite(number, found);
      if (this.sprites.size > MOST_SPRITES) { const [oldest, gone] = this.sprites.entries().next().value; gone.bitmap?.close(); this.sprites.delete(oldest); }
    }
    if (found.broken.has(k)) return false;
    return found.bitmap && [found.bitmap, (k % across) * this.cell, Math.floor(k / across) * this.cell, this.cell];
  }
  touch(i) { // what is in view is the last to go
    const [number] = this.spriteOf(i), found = this.sprites.get(number);
    if (found) { this.sprites.delete(number); this.sprites.set(number, found); }
  }
  fetchSprite(number, found) {
    const { of, cell } = this;
    this.push(async () => {
      if (this.cell !== cell) return;
      const answer = await fetch(`/assay/sprite/${number}?of=${of}&side=${cell}`);
      if (!answer.ok) throw Object.assign(new Error("no sprite"), { gone: answer.status === 400 });
      const bitmap = await createImageBitmap(await answer.blob());
      if (this.of !== of || this.cell !== cell) return bitmap.close();
      found.broken = new Set(JSON.parse(answer.headers.get("x-unreadable") ?? "[]"));
      found.bitmap = bitmap;
      this.changed();
    }, () => { if (this.sprites.get(number) === found) this.sprites.delete(number); }, of);
  }
  push(work, undo, of) { // few at a time, the newest first: what was scrolled past may wait
    this.queue.push({ work, undo, of });
    this.next();
  }
  async next() {
    if (this.running >= AT_ONCE || !this.queue.length) return;
    const { work, undo, of } = this.queue.pop();
    while (this.queue.length > 24) this.queue.shift().undo();
    this.running++;
    try { if (this.of === of) await work(); } catch (e) { if (this.of === of) { setTimeout(() => { undo(); this.changed(); }, 1500); this.failed(e); } }
    this.running--;
    this.next();
  }
}

export function makeTile({ ids, rows }, k) { // what is known of the k-th sample of an answer
  const tile = { id: ids[k] };
  for (const [name, { values, codes }] of Object.entries(rows)) tile[name] = values[codes[k]];
  return tile;
}

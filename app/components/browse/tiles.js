// What is known of the samples of an order: captions by pages, pictures as sprites. Each is asked for once, when it comes into view.

import { ask } from "./server.js";

const PAGE = 400, CELLS = 128, ACROSS = 16, SPRITE = 64;
const MOST_SPRITES = 48, MOST_PAGES = 200, AT_ONCE = 4;

export class Tiles {
  constructor(changed) { this.changed = changed; this.of = null; this.pages = new Map(); this.sprites = new Map(); this.queue = []; this.running = 0; this.failed = () => {}; }
  show(of, seq, first) { // another order, or the same one as it stands now, with its first page; sprites of the same order are the same for ever
    if (of !== this.of) { for (const s of this.sprites.values()) s.bitmap?.close(); this.sprites.clear(); this.pages.clear(); this.queue = []; }
    else if (seq !== this.seq) for (const page of this.pages.values()) page.stale = true;
    this.of = of;
    this.seq = seq;
    if (first) this.pages.set(0, { rows: first, made: [], coming: false });
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
  sprite(i) { // [bitmap, x, y] of tile i; null until it is here; false where its image cannot be read
    const number = Math.floor(i / CELLS), k = i % CELLS;
    let found = this.sprites.get(number);
    if (!found) {
      found = { bitmap: null, broken: new Set() };
      this.sprites.set(number, found);
      this.fetchSprite(number, found);
      if (this.sprites.size > MOST_SPRITES) { const [oldest, gone] = this.sprites.entries().next().value; gone.bitmap?.close(); this.sprites.delete(oldest); }
    }
    if (found.broken.has(k)) return false;
    return found.bitmap && [found.bitmap, (k % ACROSS) * SPRITE, Math.floor(k / ACROSS) * SPRITE];
  }
  touch(i) { // what is in view is the last to go
    const number = Math.floor(i / CELLS), found = this.sprites.get(number);
    if (found) { this.sprites.delete(number); this.sprites.set(number, found); }
  }
  fetchSprite(number, found) {
    const of = this.of;
    this.push(async () => {
      const answer = await fetch(`/assay/sprite/${number}?of=${of}`);
      if (!answer.ok) throw Object.assign(new Error("no sprite"), { gone: answer.status === 400 });
      const bitmap = await createImageBitmap(await answer.blob());
      if (this.of !== of) return bitmap.close();
      found.broken = new Set(JSON.parse(answer.headers.get("x-unreadable") ?? "[]"));
      found.bitmap = bitmap;
      this.changed();
    }, () => this.sprites.delete(number), of);
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

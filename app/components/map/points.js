// The points of the map, written into pixels: a million take some 50 ms on a plain processor, and nothing is asked of the graphics card.

export const GROUND = [22, 24, 28], FAINT = [52, 57, 65];
const ROOM = 16; // pixels around the picture, so that no dot needs clipping
export const ink = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
const mix = (colour, ground, share) => colour.map((v, i) => Math.round(v * share + ground[i] * (1 - share)));

function disc(size, width) { // offsets of the pixels of a dot, and of its softer edge
  const core = [], edge = [], r = size / 2, shift = size % 2 ? 0 : 0.5, reach = Math.ceil(r) + 1;
  for (let y = -reach; y <= reach; y++)
    for (let x = -reach; x <= reach; x++) {
      const away = Math.hypot(x + shift, y + shift);
      if (away <= r) core.push(y * width + x);
      else if (size > 2 && away <= r + 0.55) edge.push(y * width + x);
    }
  return { core: Int32Array.from(core), edge: Int32Array.from(edge) };
}

function shuffle(n) { // always the same order, in which no class lies over all others
  const out = new Uint32Array(n);
  for (let i = 0; i < n; i++) out[i] = i;
  for (let i = n - 1, seed = 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((seed / 4294967296) * (i + 1)), kept = out[i];
    out[i] = out[j];
    out[j] = kept;
  }
  return out;
}

export class Points {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { alpha: false });
    this.set = new Uint8Array(0); // 1 for each row of the filter
    this.dpr = 1;
    this.place(new Float32Array(0));
  }
  place(xy) {
    this.xy = xy;
    this.n = xy.length / 2;
    this.shuffled = shuffle(this.n).filter((row) => xy[2 * row] === xy[2 * row]); // a row without a place is NaN
    this.codes = new Uint16Array(this.n);
    this.box = [Infinity, Infinity, -Infinity, -Infinity];
    for (const row of this.shuffled) {
      const x = xy[2 * row], y = xy[2 * row + 1], box = this.box;
      if (x < box[0]) box[0] = x;
      if (x > box[2]) box[2] = x;
      if (y < box[1]) box[1] = y;
      if (y > box[3]) box[3] = y;
    }
    if (!this.shuffled.length) this.box = [0, 0, 1, 1];
    this.choose(null);
  }
  choose(order) { // the rows of the filter; null: all
    if (this.set.length !== this.n) this.set = new Uint8Array(this.n);
    this.set.fill(order ? 0 : 1);
    if (order) for (const row of order) if (row >= 0) this.set[row] = 1;
    this.inside = order ? this.shuffled.filter((row) => this.set[row]) : this.shuffled;
    this.outside = order ? this.shuffled.filter((row) => !this.set[row]) : new Uint32Array(0);
  }
  colour(codes, colours) { // colours: [r, g, b] by code
    this.codes = codes;
    this.bright = new Uint32Array(65536).fill(ink([138, 145, 155]));
    this.dim = new Uint32Array(65536).fill(ink([66, 71, 79]));
    for (const [code, rgb] of colours) { this.bright[code] = ink(rgb); this.dim[code] = ink(mix(rgb, GROUND, 0.38)); }
    this.faint = new Uint32Array(65536).fill(ink(FAINT));
  }
  fit(width, height) {
    const dpr = Math.min(2, devicePixelRatio || 1), w = Math.max(1, Math.round(width * dpr)), h = Math.max(1, Math.round(height * dpr));
    if (this.image && this.canvas.width === w && this.canvas.height === h) return;
    this.canvas.width = w;
    this.canvas.height = h;
    this.dpr = dpr;
    this.image = new ImageData(w + 2 * ROOM, h + 2 * ROOM);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.discs = new Map();
  }
  size(camera) { return Math.max(1, Math.min(9, Math.round(this.dpr * Math.min(6, (190 / Math.sqrt(this.inside.length + 1)) * Math.sqrt(camera.scale / camera.whole))))); }
  draw(camera, selection, { hide, most = Infinity } = {}) { // how many of the filter are in view
    const size = this.size(camera), few = Math.min(most, this.inside.length), some = selection.size > 0;
    this.pixels.fill(ink(GROUND));
    if (!hide) this.stamp(camera, this.outside, Math.min(most, this.outside.length), this.faint, Math.max(1, size - 1), null, 0);
    let seen = this.stamp(camera, this.inside, few, some ? this.dim : this.bright, size, some ? selection.marks : null, 0);
    if (some) {
      if (selection.size < 4000) this.stamp(camera, this.shuffled, this.shuffled.length, new Uint32Array(65536).fill(0xffffffff), size + 3, selection.marks, 1);
      seen += this.stamp(camera, this.shuffled, selection.size < 4000 ? this.shuffled.length : Math.min(most, this.shuffled.length), this.bright, size + 1, selection.marks, 1);
    }
    this.pen.putImageData(this.image, -ROOM, -ROOM);
    return seen;
  }
  stamp(camera, rows, n, colours, size, marks, wanted) {
    const { pixels, xy, codes, dpr } = this, width = this.image.width, right = this.canvas.width, bottom = this.canvas.height;
    if (!this.discs.has(size)) this.discs.set(size, disc(size, width));
    const { core, edge } = this.discs.get(size), scale = camera.scale * dpr;
    const left = (camera.width / 2 - camera.x * camera.scale) * dpr, top = (camera.height / 2 + camera.y * camera.scale) * dpr;
    let seen = 0;
    for (let i = 0; i < n; i++) {
      const row = rows[i];
      if (marks !== null && marks[row] !== wanted) continue;
      const x = (xy[2 * row] * scale + left) | 0, y = (top - xy[2 * row + 1] * scale) | 0;
      if (x < 0 || y < 0 || x >= right || y >= bottom) continue;
      seen++;
      const at = (y + ROOM) * width + x + ROOM, colour = colours[codes[row]];
      for (let k = 0; k < core.length; k++) pixels[at + core[k]] = colour;
      for (let k = 0; k < edge.length; k++) { const p = at + edge[k]; pixels[p] = (((pixels[p] ^ colour) & 0xfefefefe) >>> 1) + (pixels[p] & colour); }
    }
    return seen;
  }

  // ---- which of them

  inView(camera, most) { // rows of the filter that are in view; null where they are more than `most`
    const [x0, y1] = camera.place(0, 0), [x1, y0] = camera.place(camera.width, camera.height), { xy } = this, out = [];
    for (const row of this.inside) {
      const x = xy[2 * row], y = xy[2 * row + 1];
      if (x < x0 || x > x1 || y < y0 || y > y1) continue;
      if (out.length >= most) return null;
      out.push(row);
    }
    return out;
  }
  nearest(camera, px, py, within) { // the row of the filter next to a pixel, or -1
    const [x, y] = camera.place(px, py), { xy } = this;
    let found = -1, best = (within / camera.scale) ** 2;
    for (const row of this.inside) {
      const dx = xy[2 * row] - x, dy = xy[2 * row + 1] - y, away = dx * dx + dy * dy;
      if (away <= best) { best = away; found = row; }
    }
    return found;
  }
  within(corners) { // rows of the filter inside a polygon: an odd number of its edges lie to their left
    const ys = corners.map((c) => c[1]), low = Math.min(...ys), high = Math.max(...ys), left = Math.min(...corners.map((c) => c[0])), right = Math.max(...corners.map((c) => c[0]));
    const BANDS = 512, band = (y) => Math.max(0, Math.min(BANDS - 1, Math.floor(((y - low) / (high - low || 1)) * BANDS))), bands = Array.from({ length: BANDS }, () => []);
    corners.forEach(([x0, y0], i) => {
      const [x1, y1] = corners[(i + 1) % corners.length];
      if (y0 !== y1) for (let b = band(Math.min(y0, y1)); b <= band(Math.max(y0, y1)); b++) bands[b].push(x0, y0, x1, y1);
    });
    const { xy } = this, out = [];
    for (const row of this.inside) {
      const x = xy[2 * row], y = xy[2 * row + 1];
      if (x < left || x > right || y < low || y > high) continue;
      const edges = bands[band(y)];
      let odd = false;
      for (let k = 0; k < edges.length; k += 4) if (edges[k + 1] > y !== edges[k + 3] > y && x < edges[k] + ((y - edges[k + 1]) / (edges[k + 3] - edges[k + 1])) * (edges[k + 2] - edges[k])) odd = !odd;
      if (odd) out.push(row);
    }
    return out;
  }
}

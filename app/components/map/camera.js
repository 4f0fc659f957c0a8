// What part of the map is in view: what lies in its middle, and how many pixels a unit of the map has.

const CLOSEST = 400, FARTHEST = 0.4; // of the scale at which all is in view

export class Camera {
  constructor() { Object.assign(this, { x: 0.5, y: 0.5, scale: 400, whole: 400, width: 1, height: 1, moved: false }); }
  resize(width, height) { this.width = Math.max(1, width); this.height = Math.max(1, height); }
  fit([x0, y0, x1, y1], left = 0) { // a box of the map, in view beside what covers the left
    const wide = Math.max(x1 - x0, 1e-6), high = Math.max(y1 - y0, 1e-6);
    this.scale = 0.92 * Math.min((this.width - left) / wide, this.height / high, this.whole * CLOSEST);
    this.x = (x0 + x1) / 2 - left / 2 / this.scale;
    this.y = (y0 + y1) / 2;
  }
  across(x) { return (x - this.x) * this.scale + this.width / 2; } // a place of the map in pixels
  down(y) { return (this.y - y) * this.scale + this.height / 2; }
  place(px, py) { return [(px - this.width / 2) / this.scale + this.x, this.y - (py - this.height / 2) / this.scale]; }
  pan(px, py) { this.x -= px / this.scale; this.y += py / this.scale; this.moved = true; }
  zoom(by, px = this.width / 2, py = this.height / 2) { // what lies under the pointer stays there
    const [x, y] = this.place(px, py);
    this.scale = Math.max(FARTHEST * this.whole, Math.min(CLOSEST * this.whole, this.scale * by));
    this.x = x - (px - this.width / 2) / this.scale;
    this.y = y + (py - this.height / 2) / this.scale;
    this.moved = true;
  }
  toString() { return [this.x, this.y, this.scale].map((v) => v.toFixed(4)).join(" "); }
}

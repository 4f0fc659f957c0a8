// What the points are coloured by: one answer of the server holds the codes of all rows and what they mean.

import { COLOURS } from "../browse/paint.js";

export const NONE = 65535, LOCKED = 65534, OTHER = 65533;
const GREY = { [NONE]: [105, 112, 122], [LOCKED]: [78, 84, 93], [OTHER]: [138, 145, 155] };
const SCALE = [[66, 92, 190], [52, 160, 180], [140, 200, 120], [250, 220, 90]]; // readable on a dark ground at both ends
const CLASSES = ["label", "given_label", "suggestion"];

const parse = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
export const css = (rgb) => `rgb(${rgb.join(" ")})`;

function turn(i) { // more values than the palette has: around the wheel by the golden angle
  const hue = (i * 137.508) % 360, light = 0.58 + 0.12 * ((i >> 4) % 2), chroma = 0.32;
  return [0, 8, 4].map((n) => { const k = (n + hue / 30) % 12; return Math.round(255 * (light - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1)))); });
}
function along(share) { // a place on the scale of numbers
  const at = share * (SCALE.length - 1), i = Math.min(SCALE.length - 2, Math.floor(at));
  return SCALE[i].map((v, c) => Math.round(v + (at - i) * (SCALE[i + 1][c] - v)));
}

export class Colours {
  constructor(header, codes, colourOf) {
    Object.assign(this, header, { codes });
    const bars = Math.max(0, header.edges.length - 1), worst = /low is bad/.test(header.says); // what is to be looked at shines
    this.colours = new Map(Object.entries(GREY).map(([code, rgb]) => [Number(code), rgb]));
    header.values.forEach((value, i) => this.colours.set(i, this.pick(value, i, colourOf)));
    for (let i = 0; i < bars; i++) this.colours.set(i, along(worst ? 1 - i / (bars - 1) : i / (bars - 1)));
  }
  pick(value, i, colourOf) {
    if (this.sets && this.one) return i ? GREY[OTHER] : parse(colourOf(value));
    if (this.sets) return turn(i);
    if (CLASSES.includes(this.by) || this.by.endsWith("_suggestion")) return parse(colourOf(value));
    return this.values.length <= COLOURS.length ? parse(COLOURS[i]) : turn(i);
  }
  words(value) { // of label sets in place of their JSON
    if (!this.sets) return undefined;
    if (this.one) return value === this.one ? value : `not ${this.one}`;
    return JSON.parse(value).join(" · ") || "no class";
  }
  count(order) { // samples of the filter by code
    const out = new Uint32Array(65536);
    for (const row of order) if (row >= 0) out[this.codes[row]]++;
    return out;
  }
}

// Numbers as they are read: a share never without its interval, a mean count to a tenth.

import { make } from "../browse/dom.js";

const minus = (text) => text.replaceAll("-", "−");
const signed = (x) => { const r = (100 * x).toFixed(1); return Number(r) > 0 ? `+${r}` : Number(r) === 0 ? "0.0" : minus(r); };

export const amount = (x) => (Number.isInteger(x) || x >= 99.95 ? Math.round(x).toLocaleString("en") : x.toFixed(1));
export const change = (x) => (Math.abs(x) < 0.05 ? "0" : `${x > 0 ? "+" : "−"}${amount(Math.abs(x))}`);
export const percent = (x) => `${(100 * x).toFixed(x > 0.0995 || x === 0 ? 0 : 1)} %`;
export const interval = (e) => `${(100 * e.estimate).toFixed(1)} % [${(100 * e.low).toFixed(1)}, ${(100 * e.high).toFixed(1)}]`;
export const difference = (e) => `${signed(e.estimate)} points [${signed(e.low)}, ${signed(e.high)}]`;

export function whisker(e, side = "a") { // an interval on a line from 0 to 100 %
  return make("span", { class: `whisker ${side}`, "aria-hidden": "true", style: { "--low": `${100 * e.low}%`, "--wide": `${100 * (e.high - e.low)}%`, "--at": `${100 * e.estimate}%` } }, make("u"), make("b"));
}
export const share = (e, side) => (e ? make("span", { class: "share" }, whisker(e, side), make("span", { text: interval(e) })) : make("span", { class: "quiet", text: "none" }));

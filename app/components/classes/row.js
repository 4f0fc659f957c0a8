// One class of the list: its place, colour, name, guideline, key, exemplars, counts and accuracy.

import { clip, count, icon, make } from "../browse/dom.js";
import { COLOURS } from "../browse/paint.js";
import { NOUN, SAMPLE } from "../sample.js";

const GRIP = "M5.5 3.5h.01M10.5 3.5h.01M5.5 8h.01M10.5 8h.01M5.5 12.5h.01M10.5 12.5h.01";
export const picture = (id, side = 96) => `/assay/image/${encodeURIComponent(id)}?side=${side}`;
const quote = (name) => `'${name.replaceAll("'", "''")}'`;
export const browse = (name) => `/browse?${new URLSearchParams({ q: `label = ${quote(name)} and keep` })}`;
const whole = (hex) => (hex.length === 4 ? `#${[...hex.slice(1)].map((c) => c + c).join("")}` : hex); // as a colour field wants it

export class ClassRow {
  constructor(one, at, page, panel) { // panel: what is open under it, or null
    const { name } = one, short = clip(name, 80), field = (part, options) => make("input", { data: { part }, ...options });
    const edit = (what) => page.act({ what: "edit", name, ...what });
    const grip = make("button", { class: "icon grip", data: { part: "grip" }, draggable: "true", title: "drag it; or the arrow keys, Home and End", "aria-label": `move ${short}: number ${at + 1}; arrow keys, Home and End` }, icon(GRIP));
    const colour = field("colour", { type: "color", value: whole(one.colour ?? COLOURS[at % COLOURS.length]), title: one.colour ?? "no colour of its own yet", "aria-label": `colour of ${short}` });
    colour.onchange = () => edit({ colour: colour.value });
    const guideline = field("guideline", { value: one.guideline ?? "", placeholder: "what belongs in it, in one line", title: one.guideline ?? "", "aria-label": `guideline of ${short}`, maxlength: "5000" });
    const store = () => guideline.value.trim() !== (one.guideline ?? "") && edit({ guideline: guideline.value.trim() });
    guideline.onchange = store;
    guideline.onkeydown = (e) => { if (e.key === "Escape") { guideline.value = one.guideline ?? ""; guideline.blur(); } if (e.key === "Enter") guideline.blur(); };
    const key = field("key", { class: "key", value: one.key ?? "", placeholder: "–", maxlength: "2", title: "its key in Review, for everybody; empty: none of its own", "aria-label": `key of ${short} in Review`, autocomplete: "off" });
    key.onfocus = () => key.select();
    key.onchange = async () => { if (key.value !== (one.key ?? "") && !await edit({ key: key.value })) key.value = one.key ?? ""; };
    const button = (part, text, words) => make("button", { data: { part }, text, "aria-label": `${words} ${short}`, "aria-expanded": String(panel?.dataset.part === part), onclick: () => page.open(name, part) });
    const title = make("a", { class: "name", href: browse(name), target: "_self", title: `${name}\n${count(one.n)} in Browse`, text: name || "(empty)" });
    this.root = make("li", { data: { name }, class: panel ? "opened" : "" }, make("div", { class: "row" },
      grip, colour, make("div", { class: "what" }, title, guideline), make("label", { class: "keyed" }, make("span", { class: "quiet", text: "key" }), key),
      this.exemplars(one), this.counts(one), this.accuracy(one), make("div", { class: "buttons" }, button("name", "Rename, merge", "rename or merge"), button("pictures", "Split, exemplars", "split, or choose exemplars of,"))), panel);
  }
  exemplars({ exemplars, chosen, name }) {
    const words = exemplars.length ? `${chosen ? "chosen" : "typical"} ${NOUN}s of ${clip(name, 80)}` : `no ${NOUN} yet`;
    return make("div", { class: "exemplars", role: "img", "aria-label": words, title: words }, ...exemplars.map((id) => make(SAMPLE, { src: picture(id), alt: "", loading: "lazy" })));
  }
  counts(one) {
    const parts = ["train", "val", "pool"].filter((s) => one[s]).map((s) => `${count(one[s])} ${s}`);
    return make("div", { class: "counts" }, make("b", { text: count(one.n) }), make("small", { text: parts.join(", ") || "no sample" }));
  }
  accuracy({ accuracy }) {
    if (!accuracy) return make("div", { class: "accuracy quiet" }, make("small", { text: "accuracy not known" }));
    const [right, n, low, high] = accuracy, percent = (p) => `${Math.round(100 * p)}`;
    const words = `${right} of ${n} validation labels of this class, by the live probe; 95 % interval`;
    return make("div", { class: "accuracy", title: words }, make("span", {}, make("b", { text: `${percent(right / n)} %` }), make("small", { text: ` [${percent(low)}, ${percent(high)}] right of ${count(n)} val` })),
      make("div", { class: "track", "aria-hidden": "true", style: { "--low": `${100 * low}%`, "--wide": `${100 * (high - low)}%`, "--at": `${100 * right / n}%` } }));
  }
}

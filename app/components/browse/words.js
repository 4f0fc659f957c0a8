// What the search field offers: samples by words where a model reads them, else class names, conditions and a picture.

import { spell } from "./conditions.js";
import { clip, make } from "./dom.js";

const MOST = 12; // class names that are offered at once
const EXAMPLES = [ // conditions that say something where their columns are there
  ["doubted labels", "flagged and not reviewed", ["flagged", "reviewed"]],
  ["the model says another class, on val", "suggestion <> label and split = 'val'", ["suggestion"]],
  ["least likely labels", "score < 0.1", ["score"]],
  ["has near duplicates", "duplicate_group is not null", ["duplicate_group"]],
  ["without a label", "label is null", ["label"]],
];

export class SearchHelp {
  constructor({ search, apply, view, choose, leave }) {
    Object.assign(this, { search, apply, view, choose, leave, classes: [], columns: new Set(), model: null });
    this.root = make("div", { class: "offers", role: "group", "aria-label": "what can be looked for", hidden: true });
    const away = (e) => { if (!this.root.contains(e.relatedTarget) && e.relatedTarget !== search) this.close(); };
    search.addEventListener("focus", () => this.draw());
    search.addEventListener("input", () => this.draw());
    search.addEventListener("blur", away);
    this.root.addEventListener("focusout", away);
    this.root.onmousedown = (e) => e.preventDefault(); // or the field would close it before the click
    this.root.onkeydown = (e) => {
      e.stopPropagation();
      if (e.key === "Escape") { this.close(); search.focus(); this.close(); }
      const buttons = [...this.root.querySelectorAll("button")], at = buttons.indexOf(document.activeElement), by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[e.key];
      if (by && at >= 0) { e.preventDefault(); (buttons[at + by] ?? (by < 0 ? search : buttons[at])).focus(); }
    };
  }
  describe({ classes, columns, words, medium }) {
    this.isText = medium === "text";
    if (this.isText) Object.assign(this.search, { placeholder: "search texts, names and metadata  /", ariaLabel: "search texts, names and metadata" });
    this.classes = classes.map(([name]) => name);
    this.columns = new Set(columns.map((c) => c.name));
    this.model = words;
  }
  close() { this.root.hidden = true; }
  enter() { this.draw(); this.root.querySelector("button")?.focus(); } // the arrow down leads here
  byWords() { // what is written, as what pictures show
    const text = this.search.value.trim();
    if (!text || !this.model) return false;
    this.search.value = "";
    this.close();
    this.apply({ words: text, search: "", like: [], sort: "" });
    this.leave();
    return true;
  }
  draw() {
    const text = this.search.value.trim(), parts = [];
    if (this.model && text) parts.push(make("button", { class: "main", text: `${this.isText ? "texts about" : "pictures that show"} “${clip(text, 40)}” (Shift and Enter)`, title: `by ${this.model}`, onclick: () => this.byWords() }));
    else if (this.model) parts.push(make("p", { class: "quiet", text: this.isText ? "Words are looked for in texts, names and metadata; with Shift and Enter by what they mean." : "Words are looked for in names and metadata; with Shift and Enter in what the pictures show." }));
    else if (this.isText) parts.push(make("p", { class: "quiet", text: "Words are looked for in texts, names and metadata. After a scan also by what they mean." }));
    else parts.push(make("p", { class: "quiet" }, "Words are looked for in names and metadata. To look for what pictures show takes an image-text model: ", make("code", { text: "assay app --text-embedder package.module:function" })));
    parts.push(...this.examples(text));
    this.root.replaceChildren(...parts);
    const { left, bottom } = this.search.getBoundingClientRect(); // fixed: on a phone the line of the field scrolls by itself
    Object.assign(this.root.style, { top: `${bottom + 6}px`, left: `${Math.max(8, Math.min(left, innerWidth - 500))}px` });
    this.root.hidden = false;
  }
  examples(text) { // class names and conditions that are a click away
    const low = text.toLowerCase(), fit = this.classes.filter((c) => c.toLowerCase().includes(low)).sort((a, b) => b.toLowerCase().startsWith(low) - a.toLowerCase().startsWith(low));
    const offer = (words, condition, title) => make("button", { class: "offer", text: clip(words, 40), title, onclick: () => this.take(condition) });
    const part = (title, ...buttons) => (buttons.length ? [make("div", { class: "offered" }, make("span", { class: "quiet", text: title }), ...buttons)] : []);
    const more = fit.length > MOST ? [make("span", { class: "quiet", text: `and ${fit.length - MOST} more: write more of the name` })] : [];
    const conditions = text ? [] : EXAMPLES.filter(([, , needs]) => needs.every((n) => this.columns.has(n)));
    return [
      ...part("classes", ...fit.slice(0, MOST).map((name) => offer(name, spell({ name: "label", not: false, values: [name] }), name)), ...more),
      ...part("conditions", ...conditions.map(([words, condition]) => offer(words, condition, condition))),
      ...(this.isText ? [] : part("a picture", make("button", { class: "offer", text: "choose a file …", title: "or drop one on the grid, or paste one: the likest come first", onclick: () => { this.close(); this.choose(); } }))),
    ];
  }
  take(condition) {
    this.search.value = "";
    this.close();
    const { chips } = this.view();
    this.apply({ search: "", words: "", chips: chips.includes(condition) ? chips : [...chips, condition] });
    this.leave();
  }
}

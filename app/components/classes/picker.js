// The pictures of a class by groups that look alike: single ones or whole groups are selected. Nothing is by default.

import { clip, count, make } from "../browse/dom.js";
import { picture } from "./row.js";
import { SAMPLE } from "../sample.js";

const FIRST = 12, MORE = 120; // pictures of a group at once

export class Picker {
  constructor(changed) {
    this.changed = changed;
    this.marked = new Set();
    this.root = make("div", { class: "picker" }, make("p", { class: "quiet", text: "…" }));
  }
  chosen() { return [...this.marked]; }
  show({ groups, listed, n, clustered }) {
    const parts = groups.map((some, i) => this.group(some, clustered ? `Group ${i + 1}` : "All"));
    if (listed < n) parts.push(make("p", { class: "quiet", text: `The first ${count(listed)} of ${count(n)}.` }));
    if (!n) parts.push(make("p", { class: "quiet", text: "It has no sample outside test and guard." }));
    if (n && !clustered) parts.push(make("p", { class: "quiet", text: "After a scan they come in groups that look alike." }));
    this.root.replaceChildren(...parts);
  }
  group(some, title) {
    let shown = Math.min(FIRST, some.length);
    const box = make("input", { type: "checkbox" }), strip = make("div", { class: "strip" }), more = make("button", { class: "more" });
    const head = make("label", {}, box, make("b", { text: title }), make("span", { class: "quiet", text: ` ${count(some.length)}` }));
    const mark = (id, on) => (on ? this.marked.add(id) : this.marked.delete(id));
    const tell = () => {
      const n = some.filter(([id]) => this.marked.has(id)).length;
      box.checked = n === some.length;
      box.indeterminate = n > 0 && n < some.length;
      this.changed();
    };
    const tile = ([id, key]) => {
      const b = make("button", { type: "button", "aria-pressed": String(this.marked.has(id)), "aria-label": clip(key, 120), title: key }, make(SAMPLE, { src: picture(id, 128), alt: "", loading: "lazy" }));
      b.onclick = () => { const on = !this.marked.has(id); mark(id, on); b.setAttribute("aria-pressed", String(on)); tell(); };
      return b;
    };
    const draw = () => {
      strip.replaceChildren(...some.slice(0, shown).map(tile), ...(shown < some.length ? [more] : []));
      more.textContent = `${count(some.length - shown)} more`;
    };
    more.type = "button";
    more.onclick = () => { const from = shown; shown = Math.min(some.length, shown + MORE); draw(); strip.children[from]?.focus(); };
    box.onchange = () => { for (const [id] of some) mark(id, box.checked); draw(); tell(); };
    draw();
    return make("section", {}, head, strip);
  }
}

// What is open under a class: its name, place and parent; or its pictures, to split it or choose exemplars.

import { count, make } from "../browse/dom.js";
import { ask } from "../browse/server.js";
import { Picker } from "./picker.js";

export class Panel {
  constructor(one, part, page) { // part: name or pictures
    Object.assign(this, { one, name: one.name, part, page, asked: 0 });
    this.words = make("p", { class: "plan", role: "status" });
    this.root = make("div", { class: "panel", data: { part } }, ...(part === "name" ? this.naming() : this.pictures()));
    this.root.addEventListener("keydown", (e) => { if (e.key === "Escape") { e.stopPropagation(); page.close(); } });
  }
  begin() { this.first?.focus(); this.first?.select?.(); }

  // ---- its name, place and parent

  naming() {
    const { one, page } = this;
    this.field = this.first = make("input", { list: "assay-class-names", maxlength: "300", "aria-label": "new name; another class's name merges the two", autocomplete: "off" });
    this.field.value = one.name;
    this.button = make("button", { class: "main", text: "Rename", disabled: true });
    const form = make("form", {}, make("label", {}, "New name ", this.field), this.button);
    form.onsubmit = (e) => { e.preventDefault(); this.rename(); };
    // a form whose button is disabled sends nothing, and who is quick presses Enter before the plan is here
    this.field.onkeydown = (e) => { if (e.key === "Enter" && !e.repeat) { e.preventDefault(); this.rename(); } };
    this.field.oninput = () => this.plan();
    this.words.textContent = "Another class's name merges the two.";
    const place = make("input", { type: "number", min: "1", max: String(page.all().length), value: String(page.place(one.name) + 1), "aria-label": "its place in the list", class: "short" });
    place.onchange = () => this.moveTo(Number(place.value) - 1);
    const parent = make("input", { list: "assay-class-names", maxlength: "300", value: one.parent ?? "", "aria-label": "the class above it", autocomplete: "off" });
    parent.onchange = () => parent.value !== (one.parent ?? "") && page.act({ what: "edit", name: one.name, parent: parent.value });
    return [form, this.words, make("div", { class: "line" }, make("label", {}, "Place ", place, ` of ${count(page.all().length)}`), make("label", {}, "Class above it ", parent))];
  }
  async plan() { // said before it is done
    const mine = ++this.asked, name = this.field.value;
    this.button.disabled = true;
    this.planned = null;
    if (name === this.one.name || !name) { this.words.textContent = "Another class's name merges the two."; return; }
    try {
      const said = await this.page.plan({ name: this.one.name, new: name });
      if (mine !== this.asked) return;
      this.words.textContent = said.words;
      this.button.textContent = said.merges ? "Merge" : "Rename";
      this.button.disabled = false;
      this.planned = name;
      if (this.wanted && !said.merges) this.rename(); // what merges is read first
    } catch (e) { if (mine === this.asked) this.words.textContent = `${e.message}. ${e.hint ?? ""}`; }
  }
  async rename() { // Enter before the plan has come waits for it
    const name = this.field.value;
    this.wanted = name !== this.one.name && this.planned !== name;
    if (this.planned !== name) return;
    this.planned = null;
    this.page.close();
    await this.page.act({ what: "rename", name: this.one.name, new: name });
  }
  moveTo(to) {
    const rest = this.page.all().map((c) => c.name).filter((n) => n !== this.name);
    if (Number.isInteger(to) && to >= 0 && to <= rest.length) this.page.act({ what: "move", name: this.name, before: rest[to] ?? null });
  }

  // ---- its pictures

  pictures() {
    const { one, page } = this;
    this.into = make("input", { list: "assay-class-names", maxlength: "300", placeholder: "new class", "aria-label": "the class that they go to, new or there", autocomplete: "off" });
    this.button = make("button", { class: "main", text: "Split off", disabled: true });
    this.make = make("button", { text: "Make them exemplars", disabled: true, onclick: () => this.choose() });
    this.typical = make("button", { text: "Show typical ones again", hidden: !one.chosen, onclick: () => page.act({ what: "edit", name: one.name, exemplars: [] }).then((done) => done && page.close()) });
    this.picker = new Picker(() => this.planSplit());
    const form = make("form", {}, make("label", {}, "Selected ones go to ", this.into), this.button, this.make, this.typical);
    form.onsubmit = (e) => { e.preventDefault(); this.split(); };
    this.into.oninput = () => this.planSplit();
    this.words.textContent = "Select single pictures, or whole groups of alike ones.";
    this.load();
    return [form, this.words, this.picker.root];
  }
  async load() {
    try {
      this.picker.show(await ask(`/assay/classes/samples?name=${encodeURIComponent(this.one.name)}`));
      this.picker.root.querySelector("button, input")?.focus();
    } catch (e) { this.words.textContent = `${e.message}. ${e.hint ?? ""}`; }
  }
  async planSplit() {
    const mine = ++this.asked, some = this.picker.chosen(), into = this.into.value.trim();
    this.button.disabled = true;
    this.make.disabled = !some.length || some.length > 6;
    this.make.title = some.length > 6 ? "six at most" : "";
    if (!some.length || !into) { this.words.textContent = some.length ? `${count(some.length)} selected. Say which class they are, or make them exemplars.` : "Select single pictures, or whole groups of alike ones."; return; }
    try {
      const said = await this.page.plan({ name: this.one.name, into, samples: some });
      if (mine !== this.asked) return;
      this.words.textContent = said.words;
      this.button.disabled = false;
    } catch (e) { if (mine === this.asked) this.words.textContent = `${e.message}. ${e.hint ?? ""}`; }
  }
  async split() {
    if (this.button.disabled) return;
    this.button.disabled = true;
    const asked = { what: "split", name: this.one.name, into: this.into.value.trim(), samples: this.picker.chosen() };
    if (await this.page.act(asked)) this.page.close(); else this.button.disabled = false;
  }
  async choose() {
    if (await this.page.act({ what: "edit", name: this.one.name, exemplars: this.picker.chosen() })) this.page.close();
  }
}

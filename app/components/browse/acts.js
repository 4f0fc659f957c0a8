// What is done with the selection: one act is one batch, and says how it is undone. Nothing is selected by default.

import { count, hex, make, samples } from "./dom.js";
import { askSet } from "./guard.js";
import { ask, patiently, Refused } from "./server.js";
import { askAssignee } from "./assign.js";
import { refresh } from "../frame/events.js";
import { undoLast } from "../frame/undo.js";

const ASK = 100; // samples in one act above which the number is asked about
const SPLITS = ["train", "val", "pool"];
const MORE = [["restore", "restore what was dropped"], ["guard", "guard: keep as a regression set …"], ["like", "like these"], ["exemplar", "exemplars of their class"], ["review", "review these"], ["assign", "assign to a person …"], ["fiftyone", "open in FiftyOne"], ["export", "download as a table …"]];
const OF_ALL = { review: "review all of the filter", fiftyone: "open the filter in FiftyOne", export: "download the filter as a table …" }; // with nothing selected

export class Acts {
  constructor(actions) { // selection, order(), of(), table(), classes(), who(), askName(then), stored(), away(), allOfFilter(), link(...)
    Object.assign(this, actions);
    this.count = make("div", { class: "chosen" });
    this.says = make("div", { class: "says", role: "status" });
    this.tools = make("div", { class: "tools", tabindex: "0", role: "group", "aria-label": "acts" });
    this.label = make("input", { list: "assay-classes", placeholder: "label …", "aria-label": "label the selected samples", autocomplete: "off", maxlength: "300" });
    this.names = make("datalist", { id: "assay-classes" });
    this.tag = make("input", { placeholder: "tag …", "aria-label": "tag the selected samples; a minus before it takes a tag off", maxlength: "300", class: "short" });
    this.split = make("select", { "aria-label": "move the selected samples to a split" }, make("option", { value: "", text: "split …" }), ...SPLITS.map((s) => make("option", { value: s, text: s })));
    this.more = make("select", { "aria-label": "more to do with the selection" }, make("option", { value: "", text: "more …" }), ...MORE.map(([value, text]) => make("option", { value, text })));
    const button = (words, decision, title) => make("button", { text: words, title, onclick: () => this.act(words, decision) });
    this.buttons = [button("confirm", { verdict: "confirm" }, "the given label is right"), button("suggestion is right", { suggested: true }, "label each as the model suggests"), button("not sure", { verdict: "unsure" }), button("drop", { keep: false }, "leave out of every version from here on")];
    this.tools.append(this.label, this.names, ...this.buttons, this.split, this.tag, this.more);
    this.root = make("div", { class: "acts", role: "region", "aria-label": "what to do with the selection" }, make("div", { class: "row" }, this.count, this.tools), this.says);
    this.root.dataset.n = 0;
    for (const one of this.tools.children) one.disabled = true; // until there are samples
    this.label.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Enter") { e.preventDefault(); this.labelled(e.shiftKey); } if (e.key === "Escape") this.leave(); };
    this.tag.onkeydown = (e) => { e.stopPropagation(); const name = this.tag.value.trim(); if (e.key === "Enter") e.preventDefault(); if (e.key === "Enter" && name) this.act(name.startsWith("-") ? `take off the tag ${name.slice(1)}` : `tag ${name}`, { tag: name }, () => { this.tag.value = ""; }); if (e.key === "Escape") this.leave(); };
    this.split.onchange = () => { const to = this.split.value; this.split.value = ""; if (to) this.act(`move to ${to}`, { split: to }); };
    this.more.onchange = () => { const what = this.more.value; this.more.value = ""; if (what) this.other(what); };
  }
  draw() {
    const n = this.selection.size, total = this.order().length, here = n ? this.selection.within(this.order()) : 0;
    const all = make("button", { class: "plain", text: `all ${count(total)} of the filter`, disabled: !total, title: "select all (Ctrl+A)", onclick: () => this.selection.all(this.order()) });
    const none = make("button", { class: "plain", text: "select none", title: "Escape does so, too", onclick: () => this.selection.clear() });
    this.count.replaceChildren(make("b", { text: n ? `${count(n)} selected` : "Nothing selected" }), ...(n && here < n ? [make("span", { class: "quiet", text: `${count(n - here)} not in this filter` })] : []), ...(here < total ? [all] : []), ...(n ? [none] : []));
    this.root.dataset.n = n;
    for (const one of [...this.buttons, this.label, this.tag, this.split]) one.disabled = !n || !!this.sending;
    this.more.disabled = (!n && !total) || !!this.sending;
    for (const [i, [what, words]] of MORE.entries()) {
      const option = this.more.options[i + 1];
      option.disabled = !n && !OF_ALL[what];
      option.textContent = n ? words : OF_ALL[what] ?? words;
    }
  }
  offer(classes, several = false) { // several: a label is added to those that a sample has, or taken away
    this.several = several;
    if (several) Object.assign(this.label, { placeholder: "label, −label …", ariaLabel: "add a label to the selected samples; a minus before it takes it away" });
    this.names.replaceChildren(...classes.flatMap((c) => (several ? [c, `−${c}`] : [c])).map((c) => make("option", { value: c })));
  }
  say(words, ...buttons) { this.says.replaceChildren(...(words ? [make("span", { text: words })] : []), ...buttons); }
  button(words, onclick, main) { return make("button", { text: words, onclick, class: main ? "main" : "" }); }

  labelled(added) { // a class by its name, or by as much of it as no other begins with; a new one is asked about
    const whole = this.label.value.trim(), all = this.classes(), away = this.several && !all.includes(whole) && /^[-−]/.test(whole), said = away ? whole.slice(1).trim() : whole, fits = all.filter((c) => c.toLowerCase().startsWith(said.toLowerCase()));
    const one = all.find((c) => c === said) ?? all.find((c) => c.toLowerCase() === said.toLowerCase()) ?? (said && fits.length === 1 ? fits[0] : null);
    if (!said) return;
    const done = () => { this.label.value = ""; };
    if (one && this.several) return this.act(away ? `take away the label ${one}` : `add the label ${one}`, away ? { remove_label: one } : { add_label: one }, done);
    if (one) return this.act(`label ${one}`, { label: one }, done);
    if (fits.length) return this.say(`${count(fits.length)} classes begin like that`);
    if (added && !away) return this.act(`${this.several ? "add the label" : "label"} ${said}, a new class`, { [this.several ? "add_label" : "label"]: said, new_class: true }, done);
    this.say(`no class is called ${said}`, ...(away ? [] : [this.button(`add it as a new class (Shift and Enter)`, () => this.labelled(true))]));
  }
  other(what) {
    const n = this.selection.size, rows = () => (n ? this.selection.body(this.order(), this.of(), this.table()) : { of: this.of(), but: [] });
    if (what === "guard") return askSet(this);
    if (what === "restore") return this.act("restore", { keep: true });
    if (what === "like") return this.like();
    if (what === "exemplar") return this.exemplar();
    if (what === "export") return this.showExport();
    if (what === "assign") return this.who() ? askAssignee(this, rows()) : this.askName(() => this.other(what));
    this.hand(what, { ...rows(), count: n || this.order().length });
  }
  act(words, decision, done) {
    const n = this.selection.size;
    if (!n || this.sending) return;
    if (!this.who()) return this.askName(() => this.act(words, decision, done));
    if (n <= ASK) return this.send(words, decision, done);
    this.say(`${words}: ${count(n)} samples in one batch?`, this.button(`yes, all ${count(n)}`, () => this.send(words, decision, done), true), this.button("no", () => this.say("")));
    this.says.querySelector("button").focus();
  }
  async send(words, decision, done) {
    const batch = `edit-${hex(6)}`, start = performance.now(), body = { who: this.who(), batch, decision, ...this.selection.body(this.order(), this.of(), this.table()) };
    this.sending = true;
    this.draw();
    this.say("storing …");
    try { // a batch that is sent twice is stored once: its name says so
      const said = await patiently(() => ask("/assay/act", body), this.away, () => this.stopped);
      const left = Object.entries(said.skipped).map(([why, k]) => `${count(k)} ${why === "locked" ? "of test or guard" : why} skipped`);
      if (said.copies) left.push(`${count(said.copies)} near copies went along`);
      const told = [said.samples ? `${words}: ${samples(said.samples)}` : `${words}: nothing to do`, ...left].join(" · ");
      done?.();
      refresh();
      await this.stored(said, start);
      this.say(told, ...(said.batch ? [this.button("Undo (Ctrl+Z)", () => undoLast())] : []));
    } catch (e) { this.say(e instanceof Refused ? `not stored: ${e.message}. ${e.hint}` : `not stored: ${e.message}`); }
    this.sending = false;
    this.draw();
    this.leave();
  }
  undone({ words, redo, failed, samples: some, n }) { // what the bar's undo did, wherever the act was made
    const show = n === 1 ? () => this.showOne(some[0]) : () => this.showSome(some), shown = n && n <= some?.length;
    this.say(words, ...(failed ? [] : [...(shown ? [this.button(n === 1 ? "show it" : "show them", show)] : []), this.button(redo ? "Do one more again" : "Undo one more", () => undoLast({ redo })), this.button(redo ? "Undo (Ctrl+Z)" : "Redo (Ctrl+Shift+Z)", () => undoLast({ redo: !redo }))]));
  }
}

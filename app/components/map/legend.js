// The legend is a facet of what the points are coloured by: a click includes, Alt and a click excludes, a double click leaves only this.

import { about, parse, spell } from "../browse/conditions.js";
import { clip, count, make } from "../browse/dom.js";
import { makeHistogram, makeValue } from "../browse/facets.js";
import { css, LOCKED, NONE, OTHER } from "./colours.js";

const FEW = 14, TWICE = 400; // ms between the clicks of a double click
const NEVER = ["sample", "key", "path"];

export class Legend {
  constructor(actions) { // apply(change), view(), colour(by)
    this.actions = actions;
    this.by = make("select", { "aria-label": "colour by", onchange: () => actions.colour(this.by.value) });
    this.body = make("div", { class: "values" });
    this.one = make("select", { "aria-label": "of which class", hidden: true, onchange: () => actions.colour(this.one.value ? `${this.column}:${this.one.value}` : this.column) });
    this.fold = make("details", { open: innerWidth > 640 }, make("summary", { text: "legend" }), this.body);
    this.root = make("div", { class: "legend", role: "region", "aria-label": "legend" }, make("label", { class: "choice" }, "colour", this.by), this.one, this.fold);
    this.root.onpointerdown = this.root.onwheel = (e) => e.stopPropagation();
    this.most = FEW;
  }
  describe(columns, by, classes = []) {
    this.classes = classes;
    this.by.replaceChildren(...columns.filter((c) => !NEVER.includes(c.name)).map((c) => make("option", { value: c.name, text: clip(c.name.replaceAll("_", " "), 30), title: c.says })));
    this.by.value = by;
    if (this.by.value !== by) this.by.value = by.split(":")[0]; // label:cat is a class of label
  }
  offerClasses(colours) { // of label sets: all of each, or one class
    this.one.hidden = !colours.sets;
    if (!colours.sets) return;
    this.column = colours.by;
    this.one.replaceChildren(make("option", { value: "", text: "whole sets" }), ...this.classes.map((name) => make("option", { value: name, text: clip(name, 40), title: name })));
    this.one.value = colours.one;
  }
  draw(colours, order) {
    const counts = colours.count(order), { by } = colours;
    if (this.of !== by) { this.of = by; this.most = FEW; }
    this.by.value = by;
    this.offerClasses(colours);
    const rest = [[NONE, "none"], [OTHER, "other values"], [LOCKED, "locked: test and guard"]].filter(([code]) => counts[code]);
    const facet = { name: by, edges: colours.edges, counts: [...counts.subarray(0, Math.max(0, colours.edges.length - 1))] };
    const rows = colours.edges.length ? [makeHistogram(this.actions, facet, (i) => css(colours.colours.get(i)))] : this.values(colours, counts);
    const last = rest.map(([code, words]) => (code === NONE ? this.value(colours, null, counts[code], css(colours.colours.get(code)), "none", 1) : this.plain(words, counts[code], css(colours.colours.get(code)))));
    const notes = colours.notes.map((words) => make("p", { class: "quiet", text: words }));
    if (colours.kind === "list" && colours.values.length) notes.push(make("p", { class: "quiet", text: "a sample with several has the colour of its first" }));
    this.body.replaceChildren(...rows, ...last, ...notes);
  }
  values(colours, counts) {
    const most = Math.max(1, ...colours.values.map((_, i) => counts[i])), on = about(this.actions.view().chips, colours.by).flatMap((c) => parse(c).values ?? []);
    const all = colours.values.map((value, i) => [value, i]), some = all.filter(([value], i) => i < this.most || on.includes(value)); // no row moves while a filter changes, or a second click would fall on another
    const shown = some.map(([value, i]) => (i && colours.one ? this.plain(colours.words(value), counts[i], css(colours.colours.get(i))) : this.value(colours, value, counts[i], css(colours.colours.get(i)), colours.words(value), counts[i] / most))), left = all.length - some.length;
    if (left > 0) shown.push(make("button", { class: "plain", text: `${count(left)} more`, onclick: () => { this.most += 200; this.actions.redraw(); } }));
    return shown;
  }
  value(colours, value, n, colour, words, share) {
    const { by } = colours, list = colours.kind === "list", button = makeValue(this.actions, { name: by, list }, value, n, { words, colour, share }), once = button.onclick;
    button.title = `${words ?? value}\nclick: only these; Alt and click: all but these; double click: this alone`;
    button.onclick = (e) => { // the first click has already drawn the legend anew
      const again = this.last?.value === value && this.last.by === by && !e.altKey && e.detail > 0 && (e.detail === 2 || e.timeStamp - this.last.at < TWICE);
      if (!again) { this.last = e.altKey ? null : { by, value, at: e.timeStamp }; return once(e); }
      this.last = null;
      const rest = this.actions.view().chips.filter((c) => parse(c)?.name !== by);
      this.actions.apply({ chips: [...rest, spell({ name: by, list, not: false, values: [value] })] });
    };
    return button;
  }
  plain(words, n, colour) { return make("div", { class: "value still" }, make("i", { style: { "--c": colour } }), make("span", { class: "name", text: words, title: words }), make("span", { class: "n", text: count(n) })); }
}

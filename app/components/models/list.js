// The models at the left: the live probe, its versions, every recipe with its runs, and what test says of them as numbers alone.

import { clip, count, make } from "../browse/dom.js";
import { ask } from "../browse/server.js";
import { interval, whisker } from "./numbers.js";

const TITLES = { probe: "The probe", runs: "Runs" };

export class ModelList {
  constructor(actions) { // choose({a, b}), view(), go(page)
    this.actions = actions;
    this.items = make("div", { class: "items" });
    this.test = make("div", { class: "test" });
    this.root = make("nav", { class: "list", "aria-label": "models" }, this.items, this.test);
    this.drawTest();
  }
  draw({ models, scanned }) {
    const view = this.actions.view(), parts = [];
    for (const kind of ["probe", "runs"]) {
      const some = models.filter((m) => m.kind === kind);
      parts.push(make("h2", { text: TITLES[kind] }));
      if (kind === "probe" && !scanned) parts.push(make("p", { class: "quiet", text: "A scan fits it." }), make("button", { text: "Scan", onclick: () => this.actions.go("scan") }));
      if (kind === "runs" && !some.length) parts.push(make("p", { class: "quiet", text: "None yet: an experiment trains some." }), make("button", { text: "New experiment", onclick: () => this.actions.go("experiments") }));
      parts.push(...some.map((m) => this.item(m, view)));
    }
    this.items.replaceChildren(...parts);
  }
  item(model, view) {
    const title = model.kind === "probe" ? (model.name === "probe" ? "live, at HEAD" : `of ${model.version}`) : model.name;
    const usable = model.kind === "probe" || model.runs.length > 0, parts = [this.row(model.name, title, model.accuracy, view, usable, model.kind === "probe" && model.name !== "probe")];
    if (model.error) parts.push(make("p", { class: "why", text: model.error }));
    if (model.failed.length) parts.push(make("p", { class: "why", title: model.failed.join("\n"), text: `${count(model.failed.length)} failed: ${clip(model.failed[0], 160)}` }));
    if (model.runs.length > 1) {
      const runs = model.runs.map((run) => this.row(run.key, `seed ${run.seed}`, run.accuracy, view, true));
      const open = model.runs.some((run) => [view.a, view.b].includes(run.key));
      parts.push(make("details", { open }, make("summary", { text: `${count(model.runs.length)} seeds` }), ...runs));
    }
    return make("div", { class: "model" }, ...parts);
  }
  row(name, title, accuracy, view, usable, later) {
    const { choose } = this.actions, isA = view.a === name, isB = view.b === name;
    const words = accuracy ? interval(accuracy) : later ? "fitted when chosen" : "";
    const main = make("button", { class: `name${isA ? " is-a" : ""}`, "aria-pressed": String(isA), disabled: !usable, title: `${title}: ${words || "no accuracy"}`, onclick: () => choose({ a: name, b: isB ? "" : view.b }) },
      make("span", { class: "title", text: title }), accuracy ? whisker(accuracy, isB ? "b" : "a") : null, make("small", { text: words }));
    const versus = make("button", { class: `versus${isB ? " is-b" : ""}`, text: "B", "aria-pressed": String(isB), disabled: !usable || isA, title: isB ? "compare no longer" : "compare with this", "aria-label": isB ? `compare with ${title} no longer` : `compare with ${title}`, onclick: () => choose({ b: isB ? "" : name }) });
    return make("div", { class: "model-row" }, main, versus);
  }
  drawTest(said, wrong) { // an access to the test set is counted, so a click asks for it
    const head = make("h2", { text: "Test" }), button = make("button", { text: "Show test accuracy", onclick: () => this.askTest() });
    const files = make("button", { text: "Compare files of predictions", onclick: () => this.actions.go("files") });
    const about = make("p", { class: "quiet", text: "Numbers alone: no cell, no picture. Looking is counted, and reports say so." });
    if (!said) return this.test.replaceChildren(head, about, button, files, ...(wrong ? [make("p", { class: "why", role: "alert", text: wrong })] : []));
    const rows = said.rows.map((row) => make("div", { class: "model-row" }, make("div", { class: "name" }, make("span", { class: "title", text: row.name, title: row.name }), whisker(row.accuracy), make("small", { text: `${interval(row.accuracy)}, ${count(row.seeds)} ${row.seeds === 1 ? "seed" : "seeds"}${row.diverged ? `, ${count(row.diverged)} diverged` : ""}` }))));
    const words = [`${count(said.n)} test samples; looked at ${count(said.accesses)} ${said.accesses === 1 ? "time" : "times"}.`, said.caveat && `${said.caveat[0].toUpperCase()}${said.caveat.slice(1)}.`, ...said.notes, rows.length ? "" : "No run has predicted them."];
    this.test.replaceChildren(head, ...rows, ...words.filter(Boolean).map((text) => make("p", { class: "quiet", text })), files);
    return null;
  }
  async askTest() {
    this.test.querySelector("button").disabled = true;
    try { this.drawTest(await ask("/assay/test-accuracy", {})); } catch (e) { this.drawTest(null, `${e.message}. ${e.hint ?? ""}`); }
  }
}


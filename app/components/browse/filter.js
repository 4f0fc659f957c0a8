// The filter bar: chips, a condition in words, a search, the order, the count. A wrong condition is marked, and the last good set stays.

import { words } from "./conditions.js";
import { clip, count, icon, ICONS, make } from "./dom.js";
import { SearchHelp } from "./words.js";
import { SAMPLE } from "../sample.js";

export class FilterBar {
  constructor(actions) { // apply(change), view(), show facets
    this.actions = actions;
    this.search = make("input", { type: "search", placeholder: "search name and metadata  /", "aria-label": "search names and metadata", maxlength: "300" });
    this.condition = make("input", { class: "where", placeholder: "condition, as in: score < 0.2 and split = 'val'", "aria-label": "condition", spellcheck: "false", maxlength: "4000", autocomplete: "off" });
    this.chips = make("div", { class: "chips", role: "list", "aria-label": "filter" });
    this.more = make("span", { class: "chips" });
    this.wrong = make("div", { class: "wrong", role: "alert", hidden: true });
    this.count = make("div", { class: "count", role: "status" });
    this.sort = make("select", { "aria-label": "sort by" });
    this.way = make("button", { class: "way", title: "the other way round" });
    this.group = make("select", { "aria-label": "group by" });
    this.size = make("input", { type: "range", min: "32", max: "320", step: "8", "aria-label": "size of the pictures", title: "size of the pictures (+ and -)" });
    this.views = make("select", { "aria-label": "saved views" });
    this.panel = make("button", { class: "icon", title: "facets", "aria-label": "facets", onclick: () => actions.facets() }, icon(ICONS.panel));
    this.elsewhere = actions.elsewhere ? this.linkTo(actions.elsewhere) : null;
    this.help = new SearchHelp({ search: this.search, ...actions });
    const field = make("div", { class: "field search" }, icon(ICONS.search), this.search, this.help.root);
    this.root = make("div", { class: "filter" },
      make("div", { class: "line" }, this.panel, this.elsewhere, field, make("label", { class: "field grow" }, this.condition), this.views),
      make("div", { class: "line" }, this.count, this.chips, this.more, make("span", { class: "push" }), make("label", { class: "choice" }, "sort", this.sort, this.way), make("label", { class: "choice" }, "group", this.group), this.size),
      this.wrong);
    let typing = null;
    this.search.oninput = () => { clearTimeout(typing); typing = setTimeout(() => actions.apply({ search: this.search.value.trim() }, this.search.dataset.pushed === "yes"), 180); };
    this.search.onfocus = () => { this.search.dataset.pushed = "no"; };
    this.search.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") { this.search.value = ""; actions.apply({ search: "" }); actions.leave(); } if (e.key === "ArrowDown") { e.preventDefault(); this.help.enter(); } if (e.key === "Enter" && e.shiftKey && this.help.byWords()) return clearTimeout(typing); if (e.key === "Enter") { clearTimeout(typing); actions.apply({ search: this.search.value.trim() }); actions.leave(); } };
    this.condition.onkeydown = (e) => this.typed(e);
    this.condition.oninput = () => { this.wrong.hidden = true; this.condition.removeAttribute("aria-invalid"); };
    this.sort.onchange = () => actions.apply({ sort: this.sort.value ? `${this.sort.value} asc` : "" });
    this.way.onclick = () => { const [name, way] = this.sorted(actions.view().sort); if (name) actions.apply({ sort: `${name} ${way === "desc" ? "asc" : "desc"}` }); };
    this.group.onchange = () => actions.apply({ group: this.group.value });
    this.size.oninput = () => actions.size(Number(this.size.value));
    this.views.onchange = () => actions.openView(this.views.value);
  }
  linkTo({ path, text, title }) { // another page that shows the view as it is when somebody goes there
    const link = make("a", { class: "elsewhere", text, title, href: path });
    link.onpointerenter = link.onpointerdown = link.onfocus = () => { link.href = path + location.search; };
    return link;
  }
  sorted(sort) { const found = /^(.*?)(?: (asc|desc))?$/is.exec(sort); return [found[1], (found[2] ?? "asc").toLowerCase()]; }
  typed(e) {
    e.stopPropagation();
    if (e.key === "Escape") { this.condition.value = ""; this.editing = null; this.good(); this.actions.leave(); }
    if (e.key !== "Enter") return;
    const said = this.condition.value.trim(), chips = this.actions.view().chips, at = chips.indexOf(this.editing);
    const next = !said ? (at < 0 ? chips : chips.toSpliced(at, 1)) : at < 0 ? [...chips, said] : chips.with(at, said);
    this.actions.apply({ chips: next }, false, () => { this.condition.value = ""; this.editing = null; this.actions.leave(); });
  }
  describe({ columns, groups, ...rest }) { // what can be sorted and grouped by, and looked for
    this.help.describe({ columns, ...rest });
    const named = (name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
    this.sort.replaceChildren(make("option", { value: "", text: "as imported" }), ...columns.filter((c) => c.kind !== "list").map((c) => make("option", { value: named(c.name), text: clip(c.name, 28), title: c.says })));
    this.group.replaceChildren(make("option", { value: "", text: "nothing" }), ...groups.map(([value, text]) => make("option", { value, text })));
  }
  draw(view, { total, all }) {
    const [name, way] = this.sorted(view.sort);
    if (name && ![...this.sort.options].some((o) => o.value === name)) this.sort.append(make("option", { value: name, text: clip(name, 28) }));
    if (this.sort.options.length) this.sort.options[0].textContent = view.like.length || view.words ? "the likest first" : "as imported";
    this.sort.value = name;
    this.way.disabled = !name;
    this.way.textContent = way === "desc" ? "↓" : "↑";
    this.way.setAttribute("aria-label", way === "desc" ? "largest first" : "smallest first");
    this.group.value = view.group;
    if (document.activeElement !== this.search) this.search.value = view.search;
    this.count.replaceChildren(make("b", { text: count(total) }), total !== all ? ` of ${count(all)}` : total === 1 ? " sample" : " samples");
    const chips = view.chips.map((chip, at) => {
      const [what, sign, values] = words(chip);
      const text = make("button", { class: "words", title: `${chip}\n(click to edit)`, onclick: () => this.edit(chip) }, ...(values === undefined ? [clip(what, 70)] : [make("span", { class: "quiet", text: what }), sign ? make("em", { text: " not " }) : " ", clip(values, 60)]));
      return this.chip(text, () => this.actions.apply({ chips: view.chips.toSpliced(at, 1) }), sign ? "chip not" : "chip", `take away ${chip}`);
    });
    for (const one of view.like) {
      const img = make(SAMPLE, { src: this.actions.dropped(one) ?? `/assay/image/${encodeURIComponent(one)}?side=128`, alt: "" });
      chips.push(this.chip(make("span", { class: "words" }, img, "like this"), () => this.actions.apply({ like: view.like.filter((l) => l !== one) }), "chip", "no longer like this picture"));
    }
    if (view.words) chips.push(this.chip(make("button", { class: "words", title: `${view.words}\n(click to edit)`, onclick: () => { this.search.value = view.words; this.search.focus(); } }, make("span", { class: "quiet", text: "shows " }), clip(view.words, 60)), () => this.actions.apply({ words: "" }), "chip", "no longer by these words"));
    this.chips.toggleAttribute("hidden", !chips.length);
    this.chips.replaceChildren(...chips);
    const more = [];
    if (chips.length || view.search) more.push(make("button", { class: "plain", text: "clear", title: "show all samples", onclick: () => { this.search.value = ""; this.actions.apply({ chips: [], like: [], words: "", search: "" }); } }));
    if (view.chips.length || view.words || view.search || view.sort) more.push(make("button", { class: "plain", text: "save view", onclick: () => this.actions.saveView() }));
    this.more.replaceChildren(...more);
  }
  chip(inner, away, name, label) {
    return make("span", { class: name, role: "listitem" }, inner, make("button", { class: "away", "aria-label": label, title: label, onclick: away }, icon(ICONS.close, 12)));
  }
  edit(chip) { this.condition.value = chip; this.editing = chip; this.condition.focus(); this.condition.select(); }
  good() { this.wrong.hidden = true; this.condition.removeAttribute("aria-invalid"); }
  bad(e, chips) { // where a condition is wrong, and what was expected there
    const { place, condition } = e.said ?? {}, text = chips[condition] ?? "";
    const shown = place && text ? make("code", {}, text.slice(0, place[0]), make("mark", { text: text.slice(place[0], place[1]) || " " }), text.slice(place[1])) : null;
    this.wrong.replaceChildren(make("span", { text: e.message.split("\n")[0] }), ...(shown ? [shown] : []), make("span", { class: "quiet", text: e.hint }));
    this.wrong.hidden = false;
    this.condition.setAttribute("aria-invalid", "true");
    if (place && document.activeElement === this.condition && this.condition.value.trim() === text) this.condition.setSelectionRange(...place);
  }
  note(words) { // what may surprise, and is no error
    this.wrong.replaceChildren(make("span", { class: "quiet", text: words.join(" ") }));
    this.wrong.hidden = !words.length;
  }
  offer(views) {
    this.views.replaceChildren(make("option", { value: "", text: views.length ? "saved views" : "no saved view" }), ...views.map((v) => make("option", { value: v.name, text: clip(v.name, 40), title: v.where ?? "" })));
    this.views.disabled = !views.length;
  }
}

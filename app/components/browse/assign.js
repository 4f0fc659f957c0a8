// "These 300 to ann": who is to review what is selected. It is a saved view that keeps its samples.

import { latest, refresh } from "../frame/events.js";
import { count, make, samples } from "./dom.js";
import { ask } from "./server.js";

export function askAssignee(acts, chosen) { // chosen: the rows, as an act names them
  const n = acts.selection.size, state = latest() ?? {};
  const known = [...new Set([...(state.people ?? []).map((p) => p.who), ...Object.keys(state.today ?? {}), ...(state.assigned ?? []).map((a) => a.to)])].filter(Boolean);
  const to = make("input", { placeholder: "to whom", list: "assay-people", maxlength: "300", "aria-label": `assign ${samples(n)} to`, autocomplete: "off" });
  const name = make("input", { placeholder: "name (made of the filter)", maxlength: "100", "aria-label": "name of the assignment" });
  const form = make("form", {}, make("span", { text: `${samples(n)} to` }), to, make("datalist", { id: "assay-people" }, ...known.map((who) => make("option", { value: who }))), name, make("button", { class: "main", text: "assign" }));
  for (const field of [to, name]) field.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") { acts.say(""); acts.leave(); } };
  form.onsubmit = async (e) => {
    e.preventDefault();
    if (!to.value.trim()) return to.focus();
    try {
      const view = acts.view(), said = await ask("/assay/assign", { who: acts.who(), to: to.value.trim(), name: name.value.trim(), conditions: view.chips, sort: view.sort, search: view.search, ...chosen });
      const left = said.left_out ? ` · ${count(said.left_out)} left out: dropped, or of another split than train and val` : "";
      acts.offerViews(said.views);
      acts.say(`${samples(said.samples)} assigned to ${said.to} as ${said.name}${left}`);
      refresh();
    } catch (wrong) { acts.say(`not assigned: ${wrong.message}. ${wrong.hint ?? ""}`); }
    acts.leave();
  };
  acts.say("");
  acts.says.append(form);
  to.focus();
}

// The act guard: a form for the regression set that the selected samples become, or that they join.

import { count, make } from "./dom.js";
import { ask } from "./server.js";

export async function askSet(acts) {
  acts.say("looking for the sets that are frozen …");
  const sets = await ask("/assay/sets").catch(() => []);
  const name = make("input", { placeholder: "name of the set", maxlength: "100", "aria-label": "name of the regression set", list: "assay-sets", autocomplete: "off" });
  const score = make("input", { type: "number", min: "0.01", max: "1", step: "0.01", placeholder: "0.9", "aria-label": "accuracy that is required on it", class: "short" });
  const names = make("datalist", { id: "assay-sets" }, ...sets.map((one) => make("option", { value: one.name })));
  const words = make("span", { class: "quiet", text: "They leave train, val and pool, near copies too: nothing trains on them, and no page shows their labels again." });
  const form = make("form", {}, name, names, make("label", { class: "choice" }, "at least", score, "right"), make("button", { text: "freeze", class: "main" }), make("button", { type: "button", text: "no", onclick: () => acts.say("") }), words);
  name.oninput = () => {
    const old = sets.find((one) => one.name === name.value.trim());
    score.disabled = !!old;
    if (old) score.value = old.score;
    words.textContent = old ? `They join the ${count(old.n)} of it; its accuracy stays.` : words.textContent;
  };
  for (const one of [name, score]) one.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") acts.say(""); };
  form.onsubmit = (e) => {
    e.preventDefault();
    const set = name.value.trim();
    if (!set) return name.focus();
    if (!score.value) return score.focus();
    acts.act(`guard as ${set}`, { guard: { name: set, score: Number(score.value) } });
  };
  acts.say("");
  acts.says.append(form);
  name.focus();
}

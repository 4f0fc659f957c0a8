// What the page asks of its own accord: who decides, and whether two names are one class.

import { clip, count, make, samples } from "../browse/dom.js";

export function askName(root, box, component, then) { // everybody may look; who decides is asked with the first change
  const input = make("input", { placeholder: "your name", maxlength: "300", autocomplete: "name", "aria-label": "your name" });
  input.value = root.proposal ?? "";
  const form = make("form", {}, make("label", {}, "Who decides? The name goes into the log with every change. ", input), make("button", { text: "go on", class: "main" }));
  input.onkeydown = (e) => { if (e.key === "Escape") box.hidden = true; };
  form.onsubmit = (e) => {
    e.preventDefault();
    const who = input.value.trim();
    if (!who) return input.focus();
    root.who = who;
    box.hidden = true;
    component().setTriggerValue("named", who);
    then();
  };
  box.replaceChildren(form);
  box.hidden = false;
  input.focus();
  input.select();
}

export function listSimilar(box, { pairs, more }, act) {
  box.hidden = !pairs.length;
  const lines = pairs.map(({ old, n, new: name, of }) => make("li", {},
    make("span", { title: `${old}\n${name}` }, make("q", { text: clip(old, 60) }), ` (${samples(n)}) looks like `, make("q", { text: clip(name, 60) }), ` (${count(of)})`),
    make("button", { text: `Merge into ${clip(name, 30)}`, title: name, onclick: () => act({ what: "rename", name: old, new: name }) })));
  box.replaceChildren(make("h2", { text: "Probably one class" }), make("p", { class: "quiet", text: "These names differ in capitals, blanks, accents or Unicode form alone." }), make("ul", {}, ...lines));
  if (more) box.append(make("p", { class: "quiet", text: `And ${count(more)} more, once these are settled.` }));
}

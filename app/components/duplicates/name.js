// Who decides: asked with the first decision, as everybody may look.

import { make } from "../browse/dom.js";
import { setWho } from "../frame/undo.js";

export function askName(box, root, component, then) {
  const input = make("input", { placeholder: "your name", maxlength: "300", autocomplete: "name", "aria-label": "your name" });
  input.value = root.proposal ?? "";
  const form = make("form", {}, make("label", {}, "Who decides? The name goes into the log with every decision. ", input), make("button", { text: "decide", class: "main" }));
  input.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") box.hidden = true; };
  form.onsubmit = (e) => {
    e.preventDefault();
    const who = input.value.trim();
    if (!who) return input.focus();
    root.who = who;
    setWho(who); // whose acts Ctrl+Z takes back
    box.hidden = true;
    component().setTriggerValue("named", who);
    then();
  };
  box.replaceChildren(form);
  box.hidden = false;
  input.focus();
  input.select();
}

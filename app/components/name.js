// Who decides: asked with the first decision, as everybody may look. A proposal stands there until somebody takes it.

import { make } from "./browse/dom.js";
import { setWho } from "./frame/undo.js";

export function askName(box, proposal, named) { // named(who): the page is told, and goes on
  const input = make("input", { placeholder: "your name", maxlength: "300", autocomplete: "name", "aria-label": "your name" });
  input.value = proposal ?? "";
  const form = make("form", {}, make("label", {}, "Who decides? The name goes into the log with every decision. ", input), make("button", { text: "decide", class: "main" }));
  input.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") box.hidden = true; };
  form.onsubmit = (e) => {
    e.preventDefault();
    const who = input.value.trim();
    if (!who) return input.focus();
    named(who);
  };
  box.replaceChildren(form);
  box.hidden = false;
  input.focus();
  input.select();
}

export function askNameOnce(box, root, component, then) { // and the page need not wait for the server's answer
  askName(box, root.proposal, (who) => {
    root.who = who;
    setWho(who); // whose acts Ctrl+Z takes back
    box.hidden = true;
    component().setTriggerValue("named", who);
    then();
  });
}

// What the class list says of a class: its key, its guideline, and pictures of what belongs in it.

import { ask, picture } from "./server.js";
import { newSample } from "../sample.js";

const PATIENCE = 250; // ms in which a pointer may go from a class to its note

export function makeNotes(root, box) { // box: where the note of the class lies that is pointed at, or has the focus
  let notes = {}, shown = null, timer = null;
  const text = (tag, words) => Object.assign(document.createElement(tag), { textContent: words });
  const of = (name) => notes[name] ?? {};

  function show(button) {
    const name = button.dataset.label, { guideline, exemplars } = of(name);
    clearTimeout(timer);
    if (!guideline && !exemplars?.length) return hide();
    if (shown === button) return;
    const strip = document.createElement("div");
    strip.append(...(exemplars ?? []).map((id) => Object.assign(newSample(), { src: picture(id, 96), alt: "" })));
    box.replaceChildren(text("b", name), ...(guideline ? [text("p", guideline)] : []), strip);
    box.hidden = false;
    shown = button;
    const at = button.getBoundingClientRect(), home = root.getBoundingClientRect(), wide = box.offsetWidth;
    const below = at.bottom + box.offsetHeight + 8 < innerHeight || at.top < box.offsetHeight;
    box.style.left = `${Math.max(0, Math.min(home.width - wide, at.left - home.left))}px`;
    box.style.top = `${below ? at.bottom - home.top + 4 : at.top - home.top - box.offsetHeight - 4}px`;
  }
  function hide() { clearTimeout(timer); box.hidden = true; shown = null; }
  const later = () => { clearTimeout(timer); timer = setTimeout(hide, PATIENCE); };
  const named = (e) => e.target.closest?.("[data-label]");
  const listeners = [["pointerover", (e) => { if (box.contains(e.target)) clearTimeout(timer); else if (e.pointerType !== "touch" && named(e)) show(named(e)); }],
    ["pointerout", (e) => { if (named(e) || box.contains(e.target)) later(); }],
    ["focusin", (e) => { if (named(e)?.matches(":focus-visible")) show(named(e)); }], ["focusout", (e) => { if (named(e) && !box.matches(":hover")) hide(); }], // at once: it lies over what has the focus next
    ["keydown", (e) => { if (e.key === "Escape") hide(); }]];
  for (const [what, work] of listeners) root.addEventListener(what, work);
  return {
    async load() { notes = await ask("/assay/classes/notes").catch(() => notes); },
    guide($, item) { // beside its two labels
      for (const part of ["given", "suggested"]) {
        const label = item?.[`${part}_label`] ?? "";
        $(`do-${part}`).dataset.label = label;
        $(`guide-${part}`).textContent = of(label).guideline ?? "";
      }
    },
    guideline: (name) => of(name).guideline ?? "",
    keys: () => Object.fromEntries(Object.entries(notes).filter(([, note]) => note.key).map(([name, note]) => [name, note.key])),
    hide,
    stop() { hide(); for (const [what, work] of listeners) root.removeEventListener(what, work); },
  };
}

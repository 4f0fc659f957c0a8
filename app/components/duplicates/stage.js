// The copies of one group, large: arrows change the picture, C held down shows the other in its place, at the same zoom.

import { clip, make } from "../browse/dom.js";
import { closeUp, drawTools, makeViewer, VIEWER_ACTS } from "../viewer.js";
import { address } from "./group.js";
import { newSample, SAMPLE, sizeOf } from "../sample.js";

export const otherOf = (k) => (k === 0 ? 1 : 0); // a picture is compared with the best, the best with the next

export function openStage(group, first, host, closed) {
  const { members } = group, dialog = make("dialog", { class: "viewer-window", "aria-label": "copies, large" });
  const box = make("div"), words = make("p"), tools = make("div"), strip = make("div", { class: "viewer-acts", role: "group", "aria-label": "pictures of this group" });
  const close = make("button", { text: "close", onclick: () => dialog.close() });
  let at = first, show = () => {};
  const viewer = makeViewer(box, { whole: dialog, changed: (view) => show(view) });
  show = drawTools(tools, viewer);
  const img = make(SAMPLE, { alt: "" });
  img.onload = () => img.classList.toggle("small", Math.max(img.naturalWidth, img.naturalHeight) <= 64);
  box.append(img);
  const choices = members.map((m, k) => make("button", { text: `${k + 1}`, title: m.key, "aria-label": `picture ${k + 1}: ${clip(m.key, 120)}`, onclick: () => go(k) }));
  const hold = make("button", { text: "hold to compare (C)" });
  hold.onpointerdown = () => compare(true);
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) hold.addEventListener(end, () => compare(false));
  strip.append(...choices, hold, close);
  dialog.append(box, words, make("footer", {}, tools, strip));

  function go(k) {
    at = (k + members.length) % members.length;
    const m = members[at], said = m.locked ? `${m.split}, locked` : m.label ?? "no label";
    img.src = address(m.id, 1024);
    img.alt = clip(m.key, 200);
    words.textContent = `${at + 1} of ${members.length}: ${clip(m.key, 200)} · ${said} · ${sizeOf(m)}`;
    choices.forEach((b, i) => b.setAttribute("aria-pressed", String(i === at)));
    viewer.show(img, closeUp(address(m.id, 1024)));
    newSample().src = address(members[otherOf(at)].id, 1024);
  }
  function compare(yes) {
    const m = members[otherOf(at)];
    if (yes !== viewer.comparing()) viewer.compare(yes ? address(m.id, 1024) : null, clip(m.key, 200));
  }
  dialog.addEventListener("keydown", (e) => {
    e.stopPropagation();
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input")) return;
    const found = VIEWER_ACTS.find(([, , keys]) => keys.includes(e.key.toLowerCase()));
    if (e.key.toLowerCase() === "c") { compare(true); e.preventDefault(); }
    else if (viewer.pan(e) || (found && viewer.act(found[0]))) e.preventDefault();
    else if (e.key === "ArrowRight" || e.key === "ArrowLeft") { go(at + (e.key === "ArrowRight" ? 1 : -1)); e.preventDefault(); }
  });
  dialog.addEventListener("keyup", (e) => { e.stopPropagation(); if (e.key.toLowerCase() === "c") compare(false); });
  dialog.addEventListener("close", () => { viewer.stop(); dialog.remove(); closed(at); });
  host.append(dialog);
  dialog.showModal();
  close.focus();
  go(first);
}

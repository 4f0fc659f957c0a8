// What was decided on this page, in order: undone and done again, and shown as a film strip.

import { picture } from "./server.js";
import { isText, newSample } from "../sample.js";

const PAST = 8, NEXT = 4; // pictures of the film strip

export function makePast() { // of items, each with its batch and what was decided about it
  let done = [], undone = [];
  const without = (items, item) => items.filter((other) => other !== item);
  return {
    made(item) { done = [...without(done, item), item]; },
    forgetUndone() { undone = []; }, // another decision was made: nothing is left to do again
    taken(item, decision) { done = without(done, item); undone.push({ item, decision }); },
    refused(item) { done = without(done, item); },
    newest: () => done.at(-1),
    nextUndone: () => undone.pop(),
    hasUndone: () => undone.length > 0,
    last: () => done.slice(-PAST),
  };
}

export function drawStrip(box, { last, next, current, go }) { // a past one is a button that goes back to it
  const frame = (item) => { // one element for a picture as long as it is known: it is decoded once
    item.frame ??= Object.assign(newSample(), { src: picture(item.sample, isText ? 128 : 512), alt: item.name, decoding: "async", draggable: false,
      className: Math.max(item.width, item.height) <= 64 ? "small" : "" });
    return item.frame;
  };
  const past = last.map((item, i) => {
    const b = document.createElement("button");
    b.title = `${item.name}: ${item.said}`;
    b.ariaLabel = `back to ${item.name}, you said ${item.said}`;
    if (item === current) b.ariaCurrent = "true";
    b.onclick = () => { b.blur(); go(item); };
    b.append(frame(item), Object.assign(document.createElement("small"), { textContent: item.said }));
    return place(b, "ago", last.length - i);
  });
  const coming = next.slice(0, NEXT).map((item, i) => {
    const one = Object.assign(document.createElement("span"), { title: item.name });
    one.append(frame(item));
    return place(one, "ahead", i + 1);
  });
  const now = Object.assign(document.createElement("li"), { className: "now", ariaHidden: "true" });
  box.replaceChildren(...past, now, ...coming);
}

function place(what, side, far) {
  const li = document.createElement("li");
  li.dataset[side] = far;
  li.append(what);
  return li;
}

// The classes that can be chosen: the likeliest with their bars, and all with fixed keys.

import { nameKey, LIKELY } from "./keys.js";

const element = (tag, className = "") => Object.assign(document.createElement(tag), { className });

export function makeLikely(box, choose) { // five rows, made once and filled anew for every picture
  const rows = Array.from({ length: LIKELY }, (_, i) => {
    const b = document.createElement("button"), key = document.createElement("kbd"), name = element("span", "name-of");
    const track = element("span", "track"), bar = document.createElement("i"), share = element("span", "share");
    b.onclick = (e) => choose(i, e.timeStamp);
    track.append(bar);
    b.append(key, name, track, share);
    return { b, key, name, bar, share };
  });
  box.replaceChildren(...rows.map((row) => row.b));
  return {
    setKeys(keys) { rows.forEach((row, i) => { row.key.textContent = keys.ofAct(`likely ${i + 1}`).slice(0, 1).map(nameKey).join(""); }); },
    show(item) {
      const likely = item?.likely ?? [];
      box.hidden = !likely.length;
      rows.forEach(({ b, name, bar, share }, i) => {
        b.hidden = i >= likely.length;
        if (b.hidden) return;
        const [label, p] = likely[i];
        name.textContent = b.title = b.dataset.label = label;
        bar.style.width = `${Math.max(100 * p, 1)}%`;
        share.textContent = p < 0.005 ? "< 1 %" : `${Math.round(100 * p)} %`;
        b.classList.toggle("given", label === item.given_label && label !== item.suggested_label); // one that is doubted
      });
    },
  };
}

export function drawClasses(box, names, classes, { keys, notes, choose }) { // those that have a key; every class can be typed
  const keyed = classes.filter((label) => keys.ofClass(label));
  box.replaceChildren(...keyed.map((label) => {
    const b = document.createElement("button"), key = document.createElement("kbd");
    key.textContent = nameKey(keys.ofClass(label));
    b.title = b.dataset.label = label;
    b.append(key, ` ${label}`);
    if (notes.guideline(label)) b.append(Object.assign(element("small", "guideline"), { textContent: notes.guideline(label) }));
    b.onclick = (e) => choose(label, e.timeStamp);
    return b;
  }));
  names.replaceChildren(...classes.map((name) => Object.assign(document.createElement("option"), { value: name })));
}

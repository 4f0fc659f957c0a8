// A text in place of a picture: all of it, as it came, to be read.

import { ask } from "./server.js";

export function drawText(item) { // an element that is there at once: see `load` of seen.js for what `state` says
  const box = Object.assign(document.createElement("article"), { className: "text", dir: "auto", tabIndex: 0, state: "there" });
  box.append(Object.assign(document.createElement("p"), { textContent: item.text }));
  if (item.cut) box.append(Object.assign(document.createElement("small"), { textContent: `… ${item.cut.toLocaleString()} more characters are not shown.` }));
  return box;
}

export function drawExcerpt(near) { // the beginning of a neighbour
  return Object.assign(document.createElement("span"), { className: "text", dir: "auto", textContent: near.text + (near.cut ? " …" : "") });
}

export async function markWords(box, item) { // those that speak for the suggestion, and against it; once for each text
  if (box.marked) return;
  box.marked = true;
  const note = (words) => box.append(Object.assign(document.createElement("small"), { textContent: words }));
  let said;
  try { said = await ask(`/assay/words/${encodeURIComponent(item.sample)}`); } catch (e) { return note(`No words are marked: ${e.message}.`); } // the text stands without
  if (!said.words.length) return note("No word speaks for or against the suggestion by itself.");
  const points = [...item.text], parts = []; // by characters, as the server counts
  let at = 0;
  for (const [start, end, weight] of said.words.filter(([, end]) => end <= points.length).sort((a, b) => a[0] - b[0])) {
    const mark = Object.assign(document.createElement("mark"), { className: weight > 0 ? "for" : "against", textContent: points.slice(start, end).join("") });
    mark.title = `${weight > 0 ? "for" : "against"} ${said.toward}`;
    parts.push(points.slice(at, start).join(""), mark);
    at = end;
  }
  box.querySelector("p").replaceChildren(...parts, points.slice(at).join(""));
  note(said.how);
}

// What speaks for a label: the nearest neighbours, how the score came about, and what others said.

import { openPicture } from "../viewer.js";
import { ask, picture } from "./server.js";
import { drawExcerpt } from "./texts.js";

export function drawNeighbours(box, item, { host, take, queue, isQueued }) { // each opens; there it is taken, or called wrong; C compares it with the one that is judged
  const shown = (near) => ({
    address: picture(near.sample), name: `a neighbour labelled ${near.label}`,
    caption: `Labelled ${near.label}; near ${item.name}.${isQueued(near.sample) ? " You called its label wrong: it is queued." : ""}`,
    near: [{ address: picture(item.sample), words: `${item.name}, which is judged` }],
    actions: [["review this one now", () => take(near)], ["its label is wrong: queue it next", () => queue(near)]],
  });
  box.replaceChildren(...item.near.map((near) => {
    const figure = document.createElement("figure"), open = document.createElement("button"), img = new Image();
    const words = document.createElement("figcaption");
    if (near.text === undefined) img.src = picture(near.sample, 128);
    img.alt = "";
    words.textContent = near.label;
    open.title = near.text === undefined ? `labelled ${near.label}: open it` : `labelled ${near.label}: review it now`;
    open.ariaLabel = near.text === undefined ? `open the neighbour labelled ${near.label}` : `review the neighbour labelled ${near.label}: ${near.text}`;
    open.onclick = () => {
      open.blur();
      if (near.text !== undefined) return take(near); // it is there to be read: it is reviewed now
      let at = item.near.indexOf(near);
      const step = (by) => shown(item.near[(at = Math.max(0, Math.min(item.near.length - 1, at + by)))]);
      openPicture({ ...shown(near), host, step });
    };
    figure.className = near.side ?? (near.label === item.suggested_label ? "for" : near.label === item.given_label ? "against" : "");
    open.append(near.text === undefined ? img : drawExcerpt(near));
    figure.append(open, words);
    return figure;
  }));
}

export async function drawVotes(box, item, who, asked) { // after one's own decision; who asks before has it noted
  const said = await ask(`/assay/votes/${encodeURIComponent(item.sample)}?who=${encodeURIComponent(who)}`);
  return () => {
    item.saw ||= !item.batch && said.votes.length > 0;
    const lines = said.votes.map((v) => `${v.who}: ${v.said}`);
    if (said.hidden) lines.push(`${said.hidden} other${said.hidden > 1 ? "s have" : " has"} decided; by the rule of the majority you see it after your own vote.`);
    if (!lines.length && asked) lines.push("Nobody else has decided about this one.");
    box.replaceChildren(...lines.map((words) => Object.assign(document.createElement("p"), { textContent: words })));
    box.hidden = !lines.length;
  };
}

const CALLED = "called wrong"; // the tag of a sample whose label somebody calls wrong, in the log until it is decided

export function makeCalledWrong(store) { // store(decision): as any other decision
  const samples = new Set();
  return {
    has: (sample) => samples.has(sample),
    async load() { const found = await ask("/assay/called"); for (const [sample] of found) samples.add(sample); return found; }, // [sample, who called it wrong]
    call(sample) { if (!samples.has(sample)) store({ sample, tag: CALLED }); samples.add(sample); },
    settle(sample, decision) { if (samples.delete(sample)) decision.tag = `-${CALLED}`; }, // in the same batch: one undo brings both back
    restore(sample, decision) { if (decision?.tag) samples.add(sample); },
    forget: (sample) => samples.delete(sample),
  };
}

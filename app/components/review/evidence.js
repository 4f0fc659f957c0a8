// What speaks for a label: the nearest neighbours, how the score came about, and what others said.

import { openPicture } from "../viewer.js";
import { ask, picture } from "./server.js";

export function drawNeighbours(box, item, { host, take, queue, isQueued }) { // each opens; there it is taken, or called wrong
  box.replaceChildren(...item.near.map((near) => {
    const figure = document.createElement("figure"), open = document.createElement("button"), img = new Image();
    const words = document.createElement("figcaption");
    img.src = picture(near.sample, 128);
    img.alt = "";
    words.textContent = near.label;
    open.title = `labelled ${near.label}: open it`;
    open.ariaLabel = `open the neighbour labelled ${near.label}`;
    open.onclick = () => {
      open.blur();
      openPicture({
        address: picture(near.sample), name: `a neighbour labelled ${near.label}`, host,
        caption: `Labelled ${near.label}; near ${item.name}.${isQueued(near.sample) ? " You called its label wrong: it is queued." : ""}`,
        actions: [["review this one now", () => take(near)], ["its label is wrong: queue it next", () => queue(near)]],
      });
    };
    figure.className = near.label === item.suggested_label ? "for" : near.label === item.given_label ? "against" : "";
    open.append(img);
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

export function makeCalledWrong(bench) { // neighbours whose label somebody calls wrong wait in the browser until they are decided
  const key = `assay-wrong:${bench}`;
  const read = () => { try { return JSON.parse(localStorage.getItem(key)) ?? []; } catch { return []; } };
  let samples = read();
  const write = (now) => { samples = now; try { localStorage.setItem(key, JSON.stringify(now)); } catch { /* until the page closes */ } };
  return {
    list: () => samples,
    has: (sample) => samples.includes(sample),
    add(sample) { write([...new Set([...read(), ...samples, sample])]); },
    remove(sample) { if (samples.includes(sample)) write(samples.filter((s) => s !== sample)); },
  };
}

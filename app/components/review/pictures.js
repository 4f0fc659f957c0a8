// The pictures of Review: fetched before they are asked for, and the last ones held.

import { load } from "../seen.js";
import { drawRow } from "./rows.js";
import { drawText } from "./texts.js";
import { picture as address } from "./server.js";

const HELD = 80;

export function makePictures() {
  const held = new Map(), fetched = new Set();
  function get(item) {
    const { sample } = item;
    if (!held.has(sample)) {
      held.set(sample, item.text === undefined ? load(address(sample)) : item.cells ? drawRow(item) : drawText(item));
      if (held.size > HELD) held.delete(held.keys().next().value);
    }
    return held.get(sample);
  }
  return {
    get,
    isComing: (sample) => (held.get(sample)?.state ?? "coming") === "coming",
    fetch(items, soon) { // a page that fetches is late for the next key: neighbours of the next few alone, and nothing twice
      items.forEach(get);
      for (const n of soon.flatMap((item) => item.near).filter((n) => n.text === undefined)) {
        if (!fetched.has(n.sample)) new Image().src = address(n.sample, 128);
        fetched.add(n.sample);
      }
    },
  };
}

export function whenPainted(img, pressed, then) { // the picture is decoded, and a frame has been drawn with it
  const done = () => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      performance.measure("assay:painted", { start: pressed, end: performance.now() });
      then();
    };
    channel.port2.postMessage(0);
  });
  img.state === "there" ? done() : img.addEventListener("load", done, { once: true });
}

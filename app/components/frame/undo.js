// Ctrl+Z and Ctrl+Shift+Z on every page: one's own last act, wherever it was made. Presses wait for each other; each counts once.

import { hex } from "../browse/dom.js";
import { ask, describeAway, patiently } from "../browse/server.js";
import { refresh } from "./events.js";

let line = Promise.resolve(), who = "";

export function setWho(name) { who = name || who; } // whose acts: what somebody has just said counts at once

export function undoLast({ redo = false, before = null } = {}) { // before: gives what must be stored first
  line = line.then(() => once(redo, before)).catch(() => {});
  return line;
}

async function once(redo, before) {
  const kind = redo ? "redo" : "undo", body = { who, redo, name: `${kind}-${hex(6)}` }; // sent twice it is done once
  if (!who) return tell({ redo, words: "Nobody has said who you are: say your name, and your acts can be undone.", failed: true });
  try {
    await before?.();
    const said = await patiently(() => ask("/assay/undo", body), (away, e) => { if (away) tell({ redo, words: describeAway(e), failed: true }); }, () => false);
    tell({ ...said, redo, words: describe(said, redo) });
    refresh();
  } catch (e) { tell({ redo, words: `${e.message}. ${e.hint ?? ""}`, failed: true }); }
}

function describe({ words, left_alone, passed }, redo) {
  const out = [`${redo ? "done again" : "undone"}: ${words}`];
  if (left_alone) out.push(`${left_alone.toLocaleString("en")} left alone, which others changed since`);
  if (passed) out.push(`${passed === 1 ? "one act" : `${passed} acts`} after it passed over: others changed all of it since`);
  return out.join(" · ");
}

// pages hear it first, and say it themselves where they can (preventDefault); else the bar does
function tell(said) {
  const event = new CustomEvent("assay:undone", { detail: said, cancelable: true });
  if (dispatchEvent(event)) dispatchEvent(new CustomEvent("assay:said", { detail: said }));
}

export function isUndo(e) { // null, "undo" or "redo": what a key asks for where nobody types
  if (!(e.ctrlKey || e.metaKey) || e.altKey || e.isComposing || !/^[zy]$/i.test(e.key)) return null;
  const from = e.composedPath()[0];
  if ((/^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName) && !/^(range|checkbox|radio|button)$/.test(from.type)) || from.isContentEditable) return null;
  return e.shiftKey || e.key.toLowerCase() === "y" ? "redo" : "undo";
}

export function linkTo({ samples = [], n = 0 }) { // what an act was about
  if (n === 1) return `/browse?open=${encodeURIComponent(samples[0])}`;
  if (n && n <= samples.length) return `/browse?q=${encodeURIComponent(`sample in (${samples.map((s) => `'${s.replaceAll("'", "''")}'`).join(", ")})`)}`;
  return "/history";
}

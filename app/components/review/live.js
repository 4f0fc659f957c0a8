// What the decisions did: the gain on validation and the errors left, in words.

import { drawNumber } from "../why.js";
import { ask } from "./server.js";

const points = (x) => `${x > 0 ? "+" : x < 0 ? "−" : ""}${Math.abs(100 * x).toFixed(1)}`;

export function drawEffect($, said) { // $ finds a part of the page by its name; said: an answer of /assay/live
  const gain = said.gain, drawn = said.sure_at_random + said.unsure_at_random;
  $("gain").textContent = !gain ? "no validation labels" : said.measurable ? `${points(gain[0])} points` : "not yet measurable";
  $("gain-range").textContent = gain ? `${points(gain[0])} points [${points(gain[1])}, ${points(gain[2])}] on ${judged(said)}${said.exact ? ", exact match" : ""}` : "";
  $("changed").textContent = said.validation_changed ? `validation labels changed: ${said.validation_changed}` : "";
  $("reviewed").textContent = `${said.reviewed.toLocaleString()} reviewed, ${said.wrong.toLocaleString()} wrong, `
    + `${said.unsure.toLocaleString()} unsure`;
  $("random").textContent = said.share ? `${said.share_words} of labels drawn at random are wrong`
    : `${drawn} of 30 random reviews done; the errors left are estimated from these`;
  $("errors").textContent = said.errors_left ? `${said.left_words} errors left` : "errors left: not yet known";
  $("flags").textContent = said.flags_words ? `flagged: ${said.flags_words}` : "";
  $("next").textContent = said.next_words ? `expect ${said.next_words} in the queue to be wrong` : "";
  drawOutlook($, said.outlook);
  $("rests-on").textContent = said.rests_on;
  drawHow($("how-gain"), said.explained.gain);
  drawHow($("how-errors"), said.explained.found);
}

function judged({ n, n_of }) { // all of them, or a fixed sample of a large bench's
  return n < n_of ? `a fixed sample of ${n.toLocaleString()} of ${n_of.toLocaleString()} validation labels` : `${n.toLocaleString()} validation labels`;
}

function drawOutlook($, outlook) { // what the next hundred gain, and whether to stop
  const known = Boolean(outlook.gain), field = $("stop-below");
  $("next-gain").textContent = known ? `the next ${outlook.gain.labels}: ${outlook.gain_words}` : "";
  $("stop").textContent = outlook.stop_words;
  $("limit").hidden = !known && outlook.stop_below === null;
  if (!field.matches(":focus")) field.value = outlook.stop_below === null ? "" : +(100 * outlook.stop_below).toPrecision(6);
}

export function listenToLimit($, { who, changed, tell }) { // a limit of the gain is the bench's, not a browser's
  $("stop-below").addEventListener("change", async ({ target }) => {
    try {
      if (!who()) throw new Error("decide about one sample first, so that it is known who sets the limit");
      changed((await ask("/assay/stop-below", { who: who(), points: target.value })).seq);
    } catch (e) { tell(e); }
  });
}

function drawHow(box, numbers) { // what a reader has opened stays open
  const open = new Set([...box.querySelectorAll("details[open]")].map((part) => part.dataset.name));
  box.replaceChildren(...numbers.map((number, i) => {
    const part = drawNumber(number, box.childElementCount ? open.has(number.name) : i === 0);
    part.dataset.name = number.name;
    return part;
  }));
}

export function makeLive(root, session, { measured, moved, tell, stopped }) { // it comes after the answer, one at a time, for the newest state
  let asking = false, wanted = 0; // the log's position that is waited for
  async function follow(pressed) {
    if (asking || stopped()) return;
    asking = true;
    try {
      const before = wanted, said = await ask(`/assay/live?session=${session}&after=${wanted}`);
      root.dataset.seq = said.seq;
      if (said.error) tell(new Error(`not re-scored: ${said.error}`));
      else measured(said);
      if (pressed) performance.measure("assay:live", { start: pressed, end: performance.now() });
      if (said.seq >= before) moved();
    } catch (e) { tell(e); } finally { asking = false; }
    if (wanted > Number(root.dataset.seq || 0)) setTimeout(() => follow(null), 100);
  }
  return { follow, want(seq) { wanted = Math.max(wanted, seq); } };
}

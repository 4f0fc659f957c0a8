// What the decisions did: the gain on validation and the errors left, in words.

import { ask } from "./server.js";

const points = (x) => `${x > 0 ? "+" : x < 0 ? "−" : ""}${Math.abs(100 * x).toFixed(1)}`;

export function drawEffect($, said) { // $ finds a part of the page by its name; said: an answer of /assay/live
  const gain = said.gain, n = said.n.toLocaleString(), drawn = said.sure_at_random + said.unsure_at_random;
  $("gain").textContent = !gain ? "no validation labels" : said.measurable ? `${points(gain[0])} points` : "not yet measurable";
  $("gain-range").textContent = gain ? `${points(gain[0])} [${points(gain[1])}, ${points(gain[2])}] on ${judged(said)}${said.exact ? ", exact match" : ""}` : "";
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
  $("how-gain").textContent = gain ? explainGain(said, n) : "";
  $("how-errors").textContent = explainErrors(said, drawn);
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

function explainGain({ n_of, gain, better, worse, ...said }, n) {
  const sampled = said.n < n_of ? ` They are a fixed sample of ${n_of.toLocaleString()}: drawn class by class, beside those that the `
    + "queue is made of; each counts for as many as it stands for, and the range is wider by what the others may say." : "";
  return `The model as it was when this session began and the model now are asked about the same ${n} validation images, none of `
    + `which either was fitted to. ${better} answers became right and ${worse} became wrong: ${points(gain[0])} points. The range `
    + `from ${points(gain[1])} to ${points(gain[2])} holds at every look of the session together (95 %), however often you look and `
    + "whenever you stop; so it is wider than a range for one look. While it holds zero the gain is not yet measurable. Both are "
    + "judged by the labels as they are now, so a corrected validation label is no gain." + sampled;
}

function explainErrors(said, drawn) {
  const doubt = said.unsure_at_random ? `, and ${said.unsure_at_random.toLocaleString()} nobody was sure of: they count as right `
    + "at one end and as wrong at the other" : "";
  const left = said.errors_left ? "That share of all labels, less what people found anywhere, is what is left. The range holds at "
    + "every look of the session together (95 %). The queue looks where errors are, so its own hits say nothing about the rest."
    : "Below 30 such reviews no rate is shown.";
  const right = said.flags_words ? " How many of the flagged labels are wrong is counted among these looks alone; the range holds at every "
    + "look of the session together (95 %)." : "";
  const then = said.next_words ? " What comes next is expected from how the labels that people looked at score now: the lower, the "
    + "oftener it was wrong. The range is for the number itself, and meant for 95 % of sessions; simulated, it held in 80 to 100 %." : "";
  const worth = said.outlook.gain ? " What the next gain is computed by relabelling each as suggested, as likely as it is wrong: how far the "
    + "mean probability rises that the model gives the right class of val samples. Accuracy moves less, most often. The range allows for wrong "
    + "val labels among those nobody reviewed, and is meant for all looks together; simulated, it held at all looks of 87 to 100 % of sessions." : "";
  return `${drawn.toLocaleString()} of ${said.population.toLocaleString()} labels were drawn at random and judged; `
    + `${said.hits.toLocaleString()} of these were wrong${doubt}. ${left}${right}${then}${worth}`;
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

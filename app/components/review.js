// Review: one picture, one key, the next picture. Pictures are fetched ahead; decisions wait in the browser until they are stored.

import { setWho, undoLast } from "./frame/undo.js";
import { askName } from "./name.js";
import { drawClasses, makeLikely } from "./review/choices.js";
import { makeDecision } from "./review/decision.js";
import { makeBackground } from "./review/background.js";
import { drawNeighbours, makeCalledWrong } from "./review/evidence.js";
import { makeKeys, nameKey, showKeys } from "./review/keys.js";
import { listenToKeys } from "./review/keyboard.js";
import { drawEffect, listenToLimit, makeLive } from "./review/live.js";
import { makeNotes } from "./review/notes.js";
import { makeOutbox } from "./review/outbox.js";
import { describePace, makePace } from "./review/pace.js";
import { drawStrip, makePast } from "./review/past.js";
import { makePictures, whenPainted } from "./review/pictures.js";
import { makeSets } from "./review/sets.js";
import { ask, describeFault, hex, makeNote, picture as address } from "./review/server.js";
import { markWords } from "./review/texts.js";
import { gate, presses, typed } from "./seen.js";
import { closeUp, drawTools, makeViewer } from "./viewer.js";

const AHEAD = 12; // pictures that are ready before they are asked for
const FIXED = 4; // next items that a re-scoring leaves in place: those of the film strip

export default function (component) {
  const root = component.parentElement.querySelector(".assay-review");
  const changed = root.who !== component.data.who; // it may be said, or changed, while the page is open
  root.who = component.data.who;
  if (root.desk) { if (changed) root.desk.named(); return root.desk.stop; }
  root.desk = review(root, component.data, (name) => component.setTriggerValue("named", name), () => component.setTriggerValue("unscanned", hex(4)));
  return () => { root.desk.stop(); root.desk = null; };
}

function review(root, { bench, session, proposal, queue }, tellName, offerScan) {
  const $ = (name) => root.querySelector(`[data-is="${name}"]`);
  const pictures = makePictures();
  let trail = [], at = 0, ahead = [], classes = [], asking = true;
  let stopped = false, apart = false, ended = false, refused = [], unnamed = null, calling = null, total = null, drawn = null, drawView = () => {};
  const press = presses(), past = makePast(), pace = makePace(), wrong = makeCalledWrong((decision) => outbox.add({ batch: `edit-${hex(6)}`, decision })), keys = makeKeys(bench, root.who), notes = makeNotes(root, $("class-note")), note = makeNote($("note"));
  const see = gate(root, $("picture"), $("hint"), { stand: () => show(), back: (some) => takeBack(some, null) });
  const viewer = makeViewer($("picture"), { whole: root, changed: (view) => drawView(view) });
  drawView = drawTools($("tools"), viewer);
  const live = makeLive(root, session, { measured, moved: () => more(), tell, stopped: () => stopped });
  const background = makeBackground($, { item: () => trail[at], who: () => root.who, tell });
  const sets = makeSets(root, $, { keys, item: () => trail[at] });
  const likely = makeLikely($("likely"), (i, pressed) => act(`likely ${i + 1}`, pressed));
  const outbox = makeOutbox(bench, {
    who: () => root.who, failed: tell, changed: draw,
    answered(seq, pressed) { live.want(seq); live.follow(pressed); },
    refused(batch, words) {
      const item = trail.find((i) => i.batch === batch);
      if (item) { item.batch = item.said = null; past.refused(item); }
      refused.push(words);
    },
  });

  // ---- the queue

  async function more() {
    if (asking || stopped) return;
    asking = true;
    try {
      const kept = () => ahead.filter((item, k) => k < FIXED || item.called);
      const mine = () => trail.filter((item, k) => item.batch || item.passed || k >= at).slice(-1000).map((i) => i.sample);
      const said = await ask("/assay/items", { session, queue: queue ?? "", skip: [...mine(), ...kept().map((i) => i.sample)] });
      if (sets.several() !== said.several) { sets.setSeveral(said.several); drawKeys(); }
      if (said.classes.join("\n") !== classes.join("\n")) setClasses(said.classes);
      const next = kept(), known = new Set([...mine(), ...next.map((i) => i.sample)]); // what was decided meanwhile, too
      ahead = [...next, ...said.items.filter((i) => !known.has(i.sample)).map(sets.prepare)];
      ended = !said.items.length;
      fetchAhead();
      if (!trail[at]) step();
      else drawLater();
      if (!trail[at] && !stopped) setTimeout(more, 2000); // others may hold what is left, or a re-scoring bring more
    } catch (e) {
      tell(e);
      if (e.unscanned) return offerScan(); // the page has the button
      setTimeout(more, 2000);
    } finally { asking = false; }
  }
  async function fetchOne(sample) { // one that somebody asks for, whatever the queue says; null, and words, where it cannot be had
    try {
      return sets.prepare(await ask(`/assay/item/${encodeURIComponent(sample)}?session=${session}`));
    } catch (e) {
      if (e.refused) wrong.forget(sample);
      e.refused ? note(`That one cannot be reviewed: ${e.message}.`) : tell(e);
      return null;
    }
  }
  async function take(near) { // it comes before the present one, which is next then
    const there = trail.findIndex((i) => i.sample === near.sample), waits = ahead.find((i) => i.sample === near.sample);
    const item = there < 0 ? waits ?? await fetchOne(near.sample) : null;
    if (item) { ahead = ahead.filter((i) => i.sample !== near.sample); trail.splice(at, 0, item); } else if (there >= 0) at = there;
    show();
  }
  async function queueNext(sample, from, by = root.who) { // from: the item beside which it stood; by: who called it wrong
    if (from && !root.who) { calling = [sample, from]; return askName($("who"), proposal, tellName); } // who says so is asked first
    if (from) wrong.call(sample);
    const waits = ahead.find((i) => i.sample === sample), item = waits ?? await fetchOne(sample);
    if (!item || trail.slice(at).some((i) => i.sample === sample && !i.batch)) return;
    item.called = true;
    item.reason = [`called wrong by ${by === root.who ? "you" : by}`, item.reason].filter(Boolean).join("; ");
    ahead = [item, ...ahead.filter((i) => i.sample !== sample)];
    if (from) note(`Queued: it comes after ${from}.`);
    fetchAhead();
    trail[at] ? drawLater() : step();
  }
  function measured(said) { // the live effect of what is decided so far
    drawEffect($, said);
    total = said.doubted + countDone() - outbox.size();
    drawn = said.sure_at_random + said.unsure_at_random;
    draw();
  }

  // ---- deciding

  function named() { // somebody has said who they are: what they had decided first counts now
    if (document.activeElement?.matches("input")) document.activeElement.blur(); // and the next key decides
    keys.setReviewer(root.who);
    setWho(root.who);
    drawKeys();
    if (!root.who || !(unnamed || calling)) return;
    $("who").hidden = true;
    if (calling) queueNext(...calling);
    const [item, decision] = unnamed ?? [null, []];
    unnamed = calling = null;
    if (item && trail[at] === item && decide(...decision)) $("type").value = "";
  }
  function decide(what, label, pressed, added) { // true where it counts; added: the label is a new class
    const item = trail[at];
    if (!item) return false;
    if (sets.several() && what === "label") return sets.toggle(label, added); // Enter stores it
    if (sets.several() && what === "suggested") [what, label, added] = sets.decision(item);
    const seconds = see.seconds(pressed, what !== "unsure" && what !== "drop");
    if (seconds === null || (what === "suggested" && !item.suggested_label)) return false;
    if (!root.who) { // everybody may look; who decides is asked with the first decision
      unnamed = [item, [what, label, pressed, added]];
      askName($("who"), proposal, tellName);
      return false;
    }
    const [decision, said] = makeDecision(item, what, label, seconds, added);
    item.said = sets.show(said);
    past.forgetUndone();
    store(item, decision, pressed);
    see.decided(item, seconds);
    step(pressed);
    return true;
  }
  function store(item, decision, pressed) {
    item.batch = `edit-${hex(6)}`;
    item.decision = decision;
    apart = false;
    wrong.settle(item.sample, decision);
    pace.decided(performance.now());
    past.made(item);
    outbox.add({ batch: item.batch, decision }, pressed);
  }
  function takeBack(items, pressed) { // the newest first; the oldest of them is shown
    for (const item of items.filter((i) => i.batch).reverse()) {
      past.taken(item, { ...item.decision, said: item.said });
      pace.taken();
      outbox.add({ batch: item.batch }, pressed);
      item.was = item.batch;
      item.batch = item.said = null;
      wrong.restore(item.sample, item.decision);
      see.undone(item);
      at = trail.indexOf(item);
    }
    show(pressed);
  }
  const stored = async () => { while (outbox.size() && !stopped) await new Promise((r) => setTimeout(r, 30)); };
  function undo(pressed) { // the last one of this page at once; what was done elsewhere since, as the bar does
    const item = past.newest();
    if (!item || apart) return undoLast({ before: stored });
    const { name, said } = item;
    takeBack([item], pressed);
    note(`Taken back: ${name} was ${said}.`);
  }
  function redo(pressed) {
    if (apart || !(past.newest() || past.hasUndone())) return undoLast({ redo: true, before: stored });
    const one = past.nextUndone();
    if (!one || one.item.batch) return note("Nothing is left to decide again.");
    const { said, ...decision } = one.decision;
    [one.item.said, at] = [said, trail.indexOf(one.item)];
    store(one.item, decision, pressed);
    step(pressed);
    note(`Decided again: ${one.item.name} is ${said}.`);
  }
  function undone({ detail }) { // by the bar: one of this page's is shown again
    if (detail.failed) return;
    for (const item of trail.filter((i) => detail.undone.includes(detail.redo ? i.was : i.batch))) {
      if (detail.redo) { item.batch = item.was; past.made(item); } else { past.taken(item, { ...item.decision, said: item.said }); item.was = item.batch; item.batch = item.said = null; see.undone(item); at = trail.indexOf(item); }
    }
    live.want(detail.seq);
    show();
    live.follow(null);
  }
  function step(pressed) {
    if (trail[at]) at++;
    if (!trail[at] && ahead.length) {
      const ready = ahead.slice(0, AHEAD).findIndex((i) => !pictures.isComing(i.sample));
      trail.push(...ahead.splice(Math.max(0, ready), 1)); // one whose picture is there comes before one that would be waited for
    }
    show(pressed);
    fetchAhead();
    if (ahead.length < AHEAD && !ended) more();
  }
  function fetchAhead() { pictures.fetch(ahead.slice(0, AHEAD), ahead.slice(0, FIXED)); }
  function act(what, pressed) {
    if (see.asking()) return;
    const item = trail[at];
    if (what === "undo") {
      const last = trail.slice(0, at + 1).filter((i) => i.batch).at(-1);
      last ? takeBack([last], pressed) : undo(pressed);
    } else if (what === "back") { if (at > 0) { at--; show(pressed); } }
    else if (what === "forward") {
      if (item && see.passable()) item.passed = true;
      if (item && (at < trail.length - 1 || item.batch || item.passed)) step(pressed);
    } else if (what === "yes" || what === "no") { if (sets.answer(what === "yes")) decide("suggested", null, pressed); }
    else if (what === "type") $("type").focus();
    else if (what === "why") background.toggle();
    else if (what === "votes") background.votes(true);
    else if (what === "keys") showKeys($("keys"), keys, drawKeys);
    else if (what === "compare") compare();
    else if (what.startsWith("likely ")) { const label = item?.likely[Number(what.slice(7)) - 1]?.[0]; if (label) decide("label", label, pressed); }
    else if (!viewer.act(what)) decide(what, null, pressed);
  }
  function compare() { // as long as the key is held
    const near = trail[at]?.near[0];
    if (!near) return note("There is no labelled neighbour to compare with.");
    if (near.text !== undefined) return note(`The nearest neighbour is labelled ${near.label}; it stands below whole.`);
    if (!viewer.comparing()) viewer.compare(address(near.sample), `the nearest neighbour, labelled ${near.label}`);
  }
  const key = listenToKeys(root, { press, see, keys, viewer, act, decide, undo, redo }), release = () => { if (viewer.comparing()) viewer.compare(null); };

  // ---- drawing

  function show(pressed) {
    const item = trail[at], img = item ? pictures.get(item) : null;
    root.classList.toggle("empty", !item);
    root.classList.toggle("texts", item?.text !== undefined); // there is nothing to zoom or to light
    see.show(img);
    viewer.show(img, item && item.text === undefined && Math.max(item.width, item.height) > 512 ? closeUp(address(item.sample)) : null);
    likely.show(item);
    if (item) {
      if (item.text === undefined) img.alt = item.name;
      else if (!item.cells && !sets.several()) markWords(img, item); // words are weighed for one label alone
      img.classList.toggle("small", item.text === undefined && Math.max(item.width, item.height) <= 64);
      for (const [part, words] of [["name", item.name], ["given", item.given_label ?? "none"], ["suggested", item.suggested_label ?? "no suggestion"],
        ["reason", item.reason ?? ""], ["said", item.said ? `you said: ${item.said}` : ""]]) $(part).textContent = words;
      $("do-suggested").disabled = !item.suggested_label;
      sets.draw();
      notes.guide($, item);
      drawNeighbours($("near"), item, { host: root, take, queue: (near) => queueNext(near.sample, item.name), isQueued: wrong.has });
    }
    draw();
    background.show();
    if (!pressed || !item) return drawLater();
    whenPainted(img, pressed, drawLater);
  }
  function drawLater() { // nobody waits for the film strip
    const next = [...trail.slice(at + 1).filter((i) => !i.batch), ...ahead];
    drawStrip($("strip"), { last: past.last(), next, current: trail[at], go: (item) => { at = trail.indexOf(item); show(); } });
  }
  function draw() {
    const n = outbox.size(), done = countDone();
    $("stored").textContent = n ? `${n} waiting to be stored` : "everything is stored";
    $("stored").classList.toggle("waiting", n > 0);
    root.dataset.waiting = n;
    root.dataset.done = done;
    $("pace").textContent = total === null && !done ? "" : describePace({ done, total, drawn }, pace.perMinute());
    if (!n) $("problem").textContent = refused.length ? `not stored: ${refused.at(-1)}` : "";
    $("end").textContent = ended ? "Nothing is left in the queue." : "Fetching the queue …";
  }
  function countDone() { return trail.filter((i) => i.batch).length; }
  function tell(e) { $("problem").textContent = describeFault(e); }
  function setClasses(names) {
    keys.setClasses(classes = names);
    drawKeys();
    notes.load().then(() => { if (!stopped) { keys.setTeam(notes.keys()); drawKeys(); notes.guide($, trail[at]); } });
  }
  function drawKeys() {
    for (const kbd of root.querySelectorAll("kbd[data-act]")) kbd.textContent = keys.ofAct(kbd.dataset.act).slice(0, 1).map(nameKey).join("");
    likely.setKeys(keys);
    drawClasses($("classes"), $("names"), classes, { keys, notes, choose: (label, pressed) => decide("label", label, pressed) });
    sets.draw();
  }

  for (const name of ["suggested", "given", "yes", "no", "unsure", "drop", "undo", "back", "forward", "why", "votes", "keys"])
    $(`do-${name}`).onclick = (e) => act(name, e.timeStamp);
  typed($("type"), () => classes, (label, pressed) => decide("label", label, pressed), (words) => tell(new Error(words)),
    (label, pressed) => { if (!decide("label", label, pressed, true)) return false; setClasses([...classes, label]); return true; });
  $("do-compare").onpointerdown = compare;
  const listeners = [[document, "keydown", key, true], [document, "keyup", release, true], [document, "pointerup", release, true],
    [window, "blur", () => { release(); apart = true; }, false], [window, "assay:undone", undone, false], [window, "online", () => outbox.send(), false]];
  for (const [where, what, work, early] of listeners) where.addEventListener(what, work, early);
  listenToLimit($, { who: () => root.who, changed: (seq) => { live.want(seq); live.follow(null); }, tell });
  setWho(root.who);
  drawKeys();
  show(); // where the page was drawn anew nothing old may stand there that a key would not decide
  wrong.load().then((some) => Promise.all(some.map(([sample, by]) => queueNext(sample, "", by)))).catch(tell).then(() => { asking = false; more(); }); // what was called wrong comes first
  outbox.send();
  live.follow(null);
  return { named, stop() {
    stopped = true;
    for (const part of [outbox, press, see, viewer, notes]) part.stop();
    for (const [where, what, work, early] of listeners) where.removeEventListener(what, work, early);
  } };
}

// One item, one key, the next item: pictures are fetched ahead, decisions are kept in the browser until the server has stored them.

import { gate, keysOf, load, nameForm, presses, typed } from "./seen.js";
import { why } from "./why.js";

const AHEAD = 12; // pictures that are ready before they are asked for
const FIXED = 3; // next items that a re-scoring leaves in place
const KEYS = { Enter: "suggested", s: "suggested", " ": "given", g: "given", n: "unsure", d: "drop", u: "undo", Backspace: "undo",
  e: "why", v: "votes", ArrowLeft: "back", ArrowRight: "forward", "/": "type" };

export default function (component) {
  const root = component.parentElement.querySelector(".assay-review");
  const changed = root.who !== component.data.who; // it may be said, or changed, while the page is open
  root.who = component.data.who;
  if (root.desk) { if (changed) root.desk.named(); return root.desk.stop; }
  root.desk = review(root, component.data, (name) => component.setTriggerValue("named", name));
  return () => { root.desk.stop(); root.desk = null; };
}

function review(root, { bench, session, proposal }, tellName) {
  const $ = (name) => root.querySelector(`[data-is="${name}"]`);
  const store = `assay:${bench}:`; // one key a decision: tabs do not overwrite each other, and what is sent twice is stored once
  const pictures = new Map(), fetched = new Set();
  let trail = [], at = 0, ahead = [], classes = [], waiting = [], sending = false, asking = false, living = false, wanted = 0;
  let told = false, stopped = false, ended = false, count = 0, keys = [], unnamed = null;
  const refused = [], press = presses();
  const see = gate(root, $("picture"), $("hint"), { stand: () => show(), back: (some) => takeBack(some, null) });

  // ---- talking to the server

  const ask = async (path, body) => {
    const answer = await fetch(path, body && {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), keepalive: true });
    const said = await answer.json().catch(() => ({}));
    if (answer.status === 400) throw Object.assign(new Error(said.error), { refused: true, hint: said.hint });
    if (!answer.ok) throw new Error(answer.status === 403 ? "the server does not know this browser: open its link again" : `the server says ${answer.status}`);
    return said;
  };

  async function more() {
    if (asking || stopped) return;
    asking = true;
    try {
      const keep = ahead.slice(0, FIXED);
      const mine = () => trail.filter((item, k) => item.batch || item.passed || k >= at).slice(-1000).map((i) => i.sample);
      const said = await ask("/assay/items", { session, skip: [...mine(), ...keep.map((i) => i.sample)] });
      if (said.classes.join("\n") !== classes.join("\n")) { classes = said.classes; drawClasses(); }
      const next = ahead.slice(0, keep.length), known = new Set([...mine(), ...next.map((i) => i.sample)]); // what was decided meanwhile, too
      ahead = [...next, ...said.items.filter((i) => !known.has(i.sample))];
      ended = !said.items.length;
      prefetch();
      if (!trail[at]) step();
      if (!trail[at] && !stopped) setTimeout(more, 2000); // others may hold what is left, or a re-scoring bring more
    } catch (e) { tell(e); setTimeout(more, 2000); } finally { asking = false; }
  }

  async function send() { // all that waits goes at once, in order; what is made meanwhile goes next
    if (sending || stopped) return;
    sending = true;
    for (let patience = 250; waiting.length && !stopped; draw()) {
      const some = waiting.slice(0, 40);
      try {
        const said = await ask("/assay/decisions", { who: some[0].who, sent: some.filter((w) => w.who === some[0].who).map((w) => w.body) });
        const now = performance.now();
        for (const one of some.filter((w) => w.who === some[0].who)) {
          forget(one);
          if (one.at) performance.measure("assay:stored", { start: one.at, end: now });
          if (said.refused[one.body.batch]) refuse(one, said.refused[one.body.batch]);
        }
        wanted = Math.max(wanted, said.seq);
        patience = 250;
        follow(some.at(-1).at);
      } catch (e) {
        tell(e);
        draw();
        await new Promise((r) => setTimeout(r, (patience = Math.min(2 * patience, 4000))));
      }
    }
    sending = false;
  }

  async function follow(pressed) { // the live effect comes after the answer, one at a time, for the newest state
    if (living || stopped) return;
    living = true;
    try {
      const before = wanted;
      const said = await ask(`/assay/live?session=${session}&after=${wanted}`);
      drawLive(said);
      if (pressed) performance.measure("assay:live", { start: pressed, end: performance.now() });
      if (said.seq >= before) more();
    } catch (e) { tell(e); } finally { living = false; }
    if (wanted > Number(root.dataset.seq || 0)) setTimeout(() => follow(null), 100);
  }

  // ---- what is kept until it is stored

  function remember(body, pressed) {
    const one = { key: `${store}${Date.now()}-${String(count++).padStart(6, "0")}-${hex(4)}`, who: root.who, body, at: pressed };
    try { localStorage.setItem(one.key, JSON.stringify({ who: one.who, body })); } catch { /* a browser without room still sends */ }
    waiting.push(one);
    send();
  }
  function forget(one) { localStorage.removeItem(one.key); waiting = waiting.filter((w) => w !== one); }
  function refuse(one, why) {
    const item = trail.find((i) => i.batch === one.body.batch);
    if (item) item.batch = item.said = null;
    refused.push(why);
  }
  for (const key of Object.keys(localStorage).filter((k) => k.startsWith(store)).sort())
    waiting.push({ key, ...JSON.parse(localStorage.getItem(key)) });

  // ---- deciding

  function named() { // somebody has said who they are: what they had decided first counts now
    if (document.activeElement?.matches("input")) document.activeElement.blur(); // and the next key decides
    if (!root.who || !unnamed) return;
    const [item, decision] = unnamed;
    unnamed = null;
    $("who").hidden = true;
    if (trail[at] === item && decide(...decision)) $("type").value = "";
  }

  function decide(what, label, pressed, added) { // true where it counts; added: the label is a new class
    const item = trail[at];
    if (!item) return false;
    const given = item.given_label, hint = item.suggested_label, seconds = see.seconds(pressed, what !== "unsure" && what !== "drop");
    if (seconds === null || (what === "suggested" && !hint)) return false;
    if (!root.who) { // everybody may look; who decides is asked with the first decision
      unnamed = [item, [what, label, pressed, added]];
      nameForm($("who"), proposal, tellName);
      return false;
    }
    const decision = { sample: item.sample, given_label: given, suggested_label: hint, score: item.score, rank: item.rank, random: item.random,
      reason: [item.reason, item.saw && "saw the votes of others first"].filter(Boolean).join("; "), seconds: Math.round(1000 * seconds) / 1000 };
    if (what === "suggested") label = hint;
    if (what === "given") decision.verdict = "confirm";
    else if (what === "unsure") decision.verdict = "unsure";
    else if (what === "drop") decision.keep = false;
    else decision.label = label;
    if (added) decision.new_class = true;
    item.said = what === "given" ? given : what === "unsure" ? "not sure" : what === "drop" ? "dropped" : label;
    item.batch = `edit-${hex(6)}`;
    remember({ batch: item.batch, decision }, pressed);
    see.decided(item, seconds);
    step(pressed);
    return true;
  }

  function takeBack(items, pressed) { // the newest first; the oldest of them is shown
    for (const item of items.filter((i) => i.batch).reverse()) {
      remember({ batch: item.batch }, pressed);
      item.batch = item.said = null;
      see.undone(item);
      at = trail.indexOf(item);
    }
    show(pressed);
  }

  function step(pressed) {
    if (trail[at]) at++;
    if (!trail[at] && ahead.length) {
      const ready = ahead.slice(0, AHEAD).findIndex((i) => (pictures.get(i.sample)?.state ?? "coming") !== "coming");
      trail.push(...ahead.splice(Math.max(0, ready), 1)); // one whose picture is there comes before one that would be waited for
    }
    show(pressed);
    prefetch();
    if (ahead.length < AHEAD && !ended) more();
  }

  function act(what, pressed) {
    if (see.asking()) return;
    if (what === "undo") { const last = trail.slice(0, at + 1).filter((i) => i.batch).slice(-1); if (last.length) takeBack(last, pressed); }
    else if (what === "back") { if (at > 0) { at--; show(pressed); } }
    else if (what === "forward") {
      if (trail[at] && see.passable()) trail[at].passed = true;
      if (trail[at] && (at < trail.length - 1 || trail[at].batch || trail[at].passed)) step(pressed);
    }
    else if (what === "type") { $("type").focus(); }
    else if (what === "why") { told = !told; explain(); }
    else if (what === "votes") votes(true);
    else decide(what, null, pressed);
  }

  function key(e) {
    const held = press.held(e), from = e.composedPath()[0], mine = () => { e.preventDefault(); e.stopPropagation(); };
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName) || from.isContentEditable) return held && e.key === "Enter" && root.contains(from) && mine();
    if (see.asking()) return see.answered(e, held) && mine();
    if (from.tagName === "BUTTON" && (e.key === "Enter" || e.key === " ") && root.contains(from)) from.blur();
    const named = KEYS[e.key] ?? KEYS[e.key.toLowerCase?.()];
    const number = keys.indexOf(e.key);
    if (!named && number < 0) return;
    mine();
    if (!held) named ? act(named, e.timeStamp) : decide("label", classes[number], e.timeStamp);
  }

  // ---- drawing

  const url = (sample, side) => `/assay/image/${encodeURIComponent(sample)}?side=${side}`;
  function picture(sample) {
    if (!pictures.has(sample)) {
      pictures.set(sample, load(url(sample, 512)));
      if (pictures.size > 80) pictures.delete(pictures.keys().next().value);
    }
    return pictures.get(sample);
  }
  function prefetch() { // a page that fetches is late for the next key: neighbours of the next few alone, and nothing twice
    ahead.slice(0, AHEAD).forEach((item) => picture(item.sample));
    for (const n of ahead.slice(0, FIXED).flatMap((item) => item.near)) {
      if (!fetched.has(n.sample)) new Image().src = url(n.sample, 128);
      fetched.add(n.sample);
    }
  }

  function show(pressed) {
    const item = trail[at];
    root.classList.toggle("empty", !item);
    see.show(item ? picture(item.sample) : null);
    if (item) {
      const img = picture(item.sample);
      img.alt = item.name;
      img.classList.toggle("small", Math.max(item.width, item.height) <= 64);
      $("name").textContent = item.name;
      $("given").textContent = item.given_label ?? "none";
      $("suggested").textContent = item.suggested_label ?? "none";
      $("reason").textContent = item.reason ?? "";
      root.classList.toggle("agreed", item.given_label !== null && item.given_label === item.suggested_label);
      $("said").textContent = item.said ? `you said: ${item.said}` : "";
      $("near").replaceChildren(...item.near.map((n) => {
        const figure = document.createElement("figure"), img = new Image(), text = document.createElement("figcaption");
        img.src = url(n.sample, 128);
        img.alt = text.textContent = n.label;
        figure.className = n.label === item.suggested_label ? "for" : n.label === item.given_label ? "against" : "";
        figure.append(img, text);
        return figure;
      }));
    }
    draw();
    if (told) explain();
    votes(false);
    if (pressed && item) { // painted: the picture is decoded, and a frame has been drawn with it
      const img = picture(item.sample);
      const done = () => requestAnimationFrame(() => { const c = new MessageChannel();
        c.port1.onmessage = () => performance.measure("assay:painted", { start: pressed, end: performance.now() }); c.port2.postMessage(0); });
      img.state === "there" ? done() : img.addEventListener("load", done, { once: true });
    }
  }
  async function explain() { // how the number came about, with this very sample
    const item = trail[at], box = $("told");
    $("do-why").setAttribute("aria-expanded", String(told));
    box.hidden = !told || !item;
    if (box.hidden) return;
    try {
      const show = await why(box, item.sample);
      if (trail[at] === item) show();
    } catch (e) { tell(e); }
  }
  async function votes(asked) { // what others said, after one's own decision; who asks before has it noted
    const item = trail[at], box = $("votes");
    box.hidden = true;
    if (!item || !(asked || item.batch)) return;
    try {
      const said = await ask(`/assay/votes/${encodeURIComponent(item.sample)}?who=${encodeURIComponent(root.who)}`);
      if (trail[at] !== item) return;
      item.saw ||= !item.batch && said.votes.length > 0;
      const lines = said.votes.map((v) => `${v.who}: ${v.said}`);
      if (said.hidden) lines.push(`${said.hidden} other${said.hidden > 1 ? "s have" : " has"} decided; by the rule of the majority you see it after your own vote.`);
      if (!lines.length && asked) lines.push("Nobody else has decided about this one.");
      box.replaceChildren(...lines.map((words) => Object.assign(document.createElement("p"), { textContent: words })));
      box.hidden = !lines.length;
    } catch (e) { tell(e); }
  }
  function draw() {
    const n = waiting.length;
    $("stored").textContent = n ? `${n} waiting to be stored` : "everything is stored";
    $("stored").classList.toggle("waiting", n > 0);
    root.dataset.waiting = n;
    root.dataset.done = trail.filter((i) => i.batch).length;
    if (!n) $("problem").textContent = refused.length ? `not stored: ${refused.at(-1)}` : "";
    $("end").textContent = ended ? "Nothing is left in the queue." : "Fetching the queue …";
  }
  function tell(e) { $("problem").textContent = e.message === "Failed to fetch" ? "the server cannot be reached: decisions are kept here until it is back" : e.message; }
  function drawClasses() {
    keys = keysOf(classes).slice(0, 10);
    $("classes").replaceChildren(...keys.map((k, i) => button(k, classes[i], (e) => decide("label", classes[i], e.timeStamp))));
    $("names").replaceChildren(...classes.map((name) => Object.assign(document.createElement("option"), { value: name })));
  }
  function button(key, text, press) {
    const b = document.createElement("button"), k = document.createElement("kbd");
    k.textContent = key;
    b.append(k, ` ${text}`);
    b.onclick = press;
    return b;
  }
  const points = (x) => `${x > 0 ? "+" : x < 0 ? "−" : ""}${Math.abs(100 * x).toFixed(1)}`;
  function drawLive(said) {
    root.dataset.seq = said.seq;
    if (said.error) return tell(new Error(`not re-scored: ${said.error}`));
    const g = said.gain;
    $("gain").textContent = !g ? "no validation labels" : said.measurable ? `${points(g[0])} points` : "not yet measurable";
    $("gain-range").textContent = g ? `${points(g[0])} [${points(g[1])}, ${points(g[2])}] on ${said.n.toLocaleString()} validation labels` : "";
    $("changed").textContent = said.validation_changed ? `validation labels changed: ${said.validation_changed}` : "";
    $("reviewed").textContent = `${said.reviewed.toLocaleString()} reviewed, ${said.wrong.toLocaleString()} wrong, ${said.unsure.toLocaleString()} unsure`;
    $("random").textContent = said.share ? `${said.share_words} of labels drawn at random are wrong`
      : `${said.sure_at_random + said.unsure_at_random} of the 30 labels reviewed at random that a rate takes`;
    $("how-gain").textContent = g ? `The model as it was when this session began and the model now are asked about the same ${said.n.toLocaleString()} validation images, none of which either was fitted to. ${said.better} answers became right and ${said.worse} became wrong: ${points(g[0])} points. The range from ${points(g[1])} to ${points(g[2])} holds at every look of the session together (95 %), however often you look and whenever you stop; so it is wider than a range for one look. While it holds zero the gain is not yet measurable. Both are judged by the labels as they are now, so a corrected validation label is no gain.` : "";
    const doubt = said.unsure_at_random ? `, and ${said.unsure_at_random.toLocaleString()} nobody was sure of: they count as right at one end and as wrong at the other` : "";
    $("how-errors").textContent = `${(said.sure_at_random + said.unsure_at_random).toLocaleString()} of ${said.population.toLocaleString()} labels were drawn at random and judged; ${said.hits.toLocaleString()} of these were wrong${doubt}. `
      + (said.errors_left ? "That share of all labels, less what people found anywhere, is what is left. The range holds at every look of the session together (95 %). The queue looks where errors are, so its own hits say nothing about the rest." : "Below 30 such reviews no rate is shown.");
    $("errors").textContent = said.errors_left ? `${said.left_words} errors left` : "errors left: not yet known";
  }
  const hex = (n) => [...crypto.getRandomValues(new Uint8Array(n))].map((b) => b.toString(16).padStart(2, "0")).join("");

  for (const [name, what] of [["do-suggested", "suggested"], ["do-given", "given"], ["do-unsure", "unsure"], ["do-drop", "drop"], ["do-undo", "undo"],
    ["do-back", "back"], ["do-forward", "forward"], ["do-why", "why"], ["do-votes", "votes"]]) $(name).onclick = (e) => act(what, e.timeStamp);
  typed($("type"), () => classes, (label, pressed) => decide("label", label, pressed), (words) => tell(new Error(words)),
    (label, pressed) => { if (!decide("label", label, pressed, true)) return false; classes = [...classes, label]; drawClasses(); return true; });
  const online = () => send();
  document.addEventListener("keydown", key, true);
  window.addEventListener("online", online);
  show(); // where the page was drawn anew nothing old may stand there that a key would not decide
  more();
  send();
  follow(null);
  return { named, stop() { stopped = true; press.stop(); see.stop(); document.removeEventListener("keydown", key, true); window.removeEventListener("online", online); } };
}

// Nothing is decided about a picture that was not seen: it is painted for a moment first, a key counts once, ten quick answers are asked about.

import { newSample, NOUN } from "./sample.js";

const SEEN = 150; // ms that a picture is on the screen before a decision counts
const HELD = 1000; // ms within which a key that nobody let go is still the same press; later its keyup was lost
const QUICK = 0.4, MANY_QUICK = 10; // seconds; so many decisions in a row that took less are asked about

export function load(url) { // an image whose `state` is coming, there or broken; "state" is fired at each change
  const img = newSample();
  const set = (state) => { img.state = state; img.classList.toggle("gone", state === "broken"); img.dispatchEvent(new Event("state")); };
  (async () => {
    for (let wait = 500; ; wait = Math.min(2 * wait, 8000)) {
      set("coming");
      img.src = url;
      try { await img.decode(); return set("there"); } catch { /* broken, or the server is away: it is asked */ }
      const answer = await fetch(url).catch(() => null);
      if (answer && (answer.ok || answer.status === 404)) return set("broken");
      await new Promise((r) => setTimeout(r, wait));
    }
  })();
  return img;
}

export function watch(img, seen) { // calls seen(when it was painted), once it has been on the screen for SEEN ms; returns what stops the watching
  let inside = false, frame = null, timer = null;
  const look = () => {
    cancelAnimationFrame(frame); clearTimeout(timer);
    if (!inside || img.state !== "there" || document.hidden) return;
    frame = requestAnimationFrame(() => { // the frame before this one has painted it
      const since = performance.now();
      timer = setTimeout(() => { stop(); seen(since); }, SEEN);
    });
  };
  const eye = new IntersectionObserver((found) => { inside = found.at(-1).isIntersecting; look(); }, { threshold: 0.25 });
  const stop = () => { eye.disconnect(); cancelAnimationFrame(frame); clearTimeout(timer); img.removeEventListener("state", look); document.removeEventListener("visibilitychange", look); };
  img.addEventListener("state", look);
  document.addEventListener("visibilitychange", look);
  eye.observe(img);
  return stop;
}

export function presses() { // tells a new press of a key from one that is held, with `repeat` or without it
  const down = new Map(), up = (e) => down.delete(e.code), none = () => down.clear();
  document.addEventListener("keyup", up, true);
  window.addEventListener("blur", none);
  return {
    held(e) { const last = down.get(e.code); down.set(e.code, e.timeStamp); return e.repeat || e.timeStamp - last < HELD; },
    stop() { document.removeEventListener("keyup", up, true); window.removeEventListener("blur", none); },
  };
}

export function gate(root, picture, note, { stand, back }) { // what both pages that decide one picture at a time have between a key and a decision
  if (document.activeElement?.matches("input")) document.activeElement.blur(); // who has just said their name there decides with the next key
  let img = null, shown = 0, since = null, quick = [], asking = false, unwatch = () => {};
  const pause = root.querySelector('[data-is="pause"]');
  const say = (words) => { note.textContent = words; };
  const state = () => {
    root.dataset.picture = img?.state ?? "none";
    if (img?.state === "broken") say(`This ${NOUN} cannot be shown. N: not sure, → passes it by.`);
    else if (img?.state === "coming") setTimeout(() => img?.state === "coming" && say(`The ${NOUN} is not here yet, so nothing is decided. → passes it by.`), 400);
  };
  function ask(yes) {
    asking = yes;
    const took = quick.reduce((sum, one) => sum + one.seconds, 0);
    if (yes) pause.querySelector("p").textContent = `Ten decisions in ${took.toFixed(1)} s. Did you look at every ${NOUN}?`;
    root.classList.toggle("paused", yes);
    pause.hidden = !yes;
  }
  function bring() { // on a telephone the classes lie beneath the picture, and the next one would not be seen
    const box = picture.getBoundingClientRect(), middle = box.top + box.height / 2;
    if (box.height && (middle < 0 || middle > innerHeight)) picture.scrollIntoView({ block: "center" });
  }
  const answer = (keep) => { if (!asking) return; const some = quick; quick = []; ask(false); keep ? stand() : back(some.map((one) => one.what)); };
  pause.querySelector('[data-is="stand"]').onclick = () => answer(true);
  pause.querySelector('[data-is="take-back"]').onclick = () => answer(false);
  return {
    show(one) { // this picture, from now on; the clock starts anew
      unwatch(); img?.removeEventListener("state", state);
      img = one; shown = performance.now(); since = null;
      delete root.dataset.seen;
      say("");
      picture.replaceChildren(...(img ? [img] : []));
      if (img) { img.addEventListener("state", state); unwatch = watch(img, (at) => { since = at; root.dataset.seen = "yes"; say(""); }); bring(); }
      state();
    },
    passable: () => img !== null && img.state !== "there", // what cannot be decided may be left for later
    seconds(at, judged = true) { // how long it was looked at, in seconds as they are stored; null, and a word on the screen, where that is no look
      if (asking) return null;
      if (img.state === "broken" && !judged && at - shown >= SEEN) return Math.round(at - shown) / 1000;
      if (since !== null && at - since >= SEEN) return Math.round(at - since) / 1000;
      if (img.state === "there") {
        say("Too soon: that was not counted.");
        bring();
      }
      return null;
    },
    decided(what, seconds) { quick = seconds < QUICK ? [...quick, { what, seconds }] : []; if (quick.length >= MANY_QUICK) ask(true); },
    undone(what) { quick = quick.filter((one) => one.what !== what); },
    asking: () => asking,
    answered(e, held) { // a key goes to the question; true unless it is the browser's
      const key = e.key.toLowerCase();
      if (!held && (key === "y" || key === "t")) answer(key === "y");
      return key !== "tab" && !pause.contains(e.target);
    },
    stop() { unwatch(); },
  };
}

export function keysOf(classes, taken = "") { // the key of each class: its own where all are digits, else 1 to 9, 0, and the letters that are free
  if (classes.every((name) => /^[0-9]$/.test(name))) return classes;
  return [..."1234567890abcdefghijklmnopqrstuvwxyz"].filter((k) => !taken.includes(k)).slice(0, classes.length);
}

function steps(a, b) { // letters to change, add or leave out until one name is the other
  let row = [...b, ""].map((_, i) => i);
  for (const [i, x] of [...a].entries()) row = row.reduce((now, up, k) => [...now, k ? Math.min(up + 1, now[k - 1] + 1, row[k - 1] + (x !== b[k - 1])) : i + 1], []);
  return row.at(-1);
}
export function typed(input, classes, decide, tell, add) { // a class by its name, or by as much of it as no other begins with; add: where there may be new ones
  input.onkeydown = (e) => {
    e.stopPropagation();
    if (e.key === "Escape") { input.value = ""; input.blur(); }
    if (e.key !== "Enter" || e.repeat) return;
    const said = input.value.trim().toLowerCase(), all = classes(), fits = all.filter((c) => c.toLowerCase().startsWith(said));
    const one = all.find((c) => c.toLowerCase() === said) ?? (said && fits.length === 1 ? fits[0] : null);
    if (!one && !fits.length && said) {
      const name = input.value.trim(), near = all.filter((c) => steps(c.toLowerCase().slice(0, 60), said.slice(0, 60)) <= Math.max(1, said.length / 4)).slice(0, 3);
      if (add && e.shiftKey) { if (add(name, e.timeStamp)) { input.value = ""; input.blur(); } return; }
      return tell(`no class is called ${name}${near.length ? `: did you mean ${near.join(" or ")}?` : ""}${add ? " Shift and Enter adds it as a new class" : ""}`);
    }
    if (!one) return tell(`${fits.length} classes begin like that`);
    if (!decide(one, e.timeStamp)) return;
    input.value = "";
    input.blur();
  };
}

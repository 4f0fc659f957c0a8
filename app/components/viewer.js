// A viewer of pictures: wheel or pinch zooms, a drag pans; brightness, contrast, full screen, another picture to compare.
//
// makeViewer(box) looks after the picture that stands in a box of the page; openPicture(...) opens one in a window.

import { isText, newSample } from "./sample.js";

const MOST = 32; // times
const STEP = 1.25; // of one press, or one notch of a wheel
const NOTCH = 100; // pixels that a wheel turns in one notch
const LIGHT = { least: 0.2, most: 3, step: 0.1 };
export const UNREADABLE = "This image cannot be read: its file has moved or is damaged. Overview asks where images are now.";
const FULL_SIDE = 4096; // pixels that are fetched of a picture that is looked at closely

document.head.append(Object.assign(document.createElement("link"),
  { rel: "stylesheet", href: new URL("./viewer.css", import.meta.url).href }));

export const VIEWER_ACTS = [ // name, words, keys
  ["closer", "zoom in", ["+", "="]], ["farther", "zoom out", ["-", "_"]], ["fit", "see all of it", ["0", "."]],
  ["brighter", "brighter", ["b"]], ["darker", "darker", ["h"]],
  ["harder", "more contrast", ["k"]], ["softer", "less contrast", ["j"]], ["full", "full screen", ["f"]]];

const limit = (value, least, most) => Math.min(most, Math.max(least, value));

export function closeUp(address) { // the same picture with all its pixels
  return address.replace(/side=\d+/, `side=${FULL_SIDE}`);
}

export function makeViewer(box, { whole = box, changed = () => {} } = {}) {
  const view = { scale: 1, x: 0, y: 0, brightness: 1, contrast: 1 }, fingers = new Map();
  let img = null, large = null, other = null, note = null, spread = 0;
  box.classList.add("assay-viewer");

  function draw() {
    const moved = view.scale > 1, lit = view.brightness !== 1 || view.contrast !== 1;
    for (const one of [img, other]) {
      if (!one) continue;
      if (isText) { one.style.setProperty("--text-zoom", view.scale); continue; }
      one.style.transform = moved ? `translate(${view.x}px, ${view.y}px) scale(${view.scale})` : "";
      one.style.filter = lit ? `brightness(${view.brightness}) contrast(${view.contrast})` : "";
    }
    box.classList.toggle("moved", moved && !isText);
    box.dataset.zoom = view.scale.toFixed(2);
    changed({ ...view });
  }
  function moveTo(x, y) { // never off the box
    const room = [box.clientWidth, box.clientHeight].map((side) => ((view.scale - 1) * side) / 2);
    view.x = limit(x, -room[0], room[0]);
    view.y = limit(y, -room[1], room[1]);
  }
  function zoom(factor, at = [0, 0]) { // what is under `at`, from the middle of the box, stays there
    const scale = limit(view.scale * factor, 1, isText ? 3 : MOST), by = scale / view.scale;
    view.scale = scale < 1.01 ? 1 : scale;
    moveTo(at[0] - (at[0] - view.x) * by, at[1] - (at[1] - view.y) * by);
    if (view.scale > 1.2) sharpen();
    draw();
  }
  async function sharpen() { // the picture in all its pixels, where more are known than are shown
    if (!large || isText) return;
    const mine = img, better = Object.assign(newSample(), { src: large });
    large = null;
    try { await better.decode(); mine.src = better.src; } catch { /* the one that is shown stays */ }
  }
  function light(name, value) { view[name] = Number(limit(value, LIGHT.least, LIGHT.most).toFixed(2)); draw(); }
  function fit() { Object.assign(view, { scale: 1, x: 0, y: 0 }); draw(); }
  const place = (e) => {
    const frame = box.getBoundingClientRect();
    return [e.clientX - frame.left - frame.width / 2, e.clientY - frame.top - frame.height / 2];
  };

  function compare(one, words) { // one: an address, or null: the own picture again
    other?.remove();
    note?.remove();
    other = note = null;
    if (one && img) {
      other = Object.assign(newSample(), { src: one, alt: words, className: `${img.className} other` });
      note = Object.assign(document.createElement("p"), { textContent: words, className: "viewer-note" });
      box.append(other, note);
    }
    box.classList.toggle("comparing", other !== null);
    draw();
  }
  function act(name) { // true where it was an act of the viewer
    const acts = {
      closer: () => zoom(STEP), farther: () => zoom(1 / STEP), fit,
      brighter: () => light("brightness", view.brightness + LIGHT.step),
      darker: () => light("brightness", view.brightness - LIGHT.step),
      harder: () => light("contrast", view.contrast + LIGHT.step),
      softer: () => light("contrast", view.contrast - LIGHT.step),
      full: () => (document.fullscreenElement ? document.exitFullscreen() : whole.requestFullscreen?.().catch(() => {})),
    };
    acts[name]?.();
    return name in acts;
  }
  function pan(e) { // Shift and an arrow, where the picture is larger than its box
    const to = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
    if (!to || !e.shiftKey || view.scale === 1) return false;
    moveTo(view.x + to[0], view.y + to[1]);
    draw();
    return true;
  }

  const life = new AbortController();
  const on = (event, work) => box.addEventListener(event, work, { passive: false, signal: life.signal });
  on("wheel", (e) => {
    if (isText || (view.scale === 1 && e.deltaY > 0)) return; // a text scrolls; nothing to zoom out of: the page scrolls
    e.preventDefault();
    const pixels = e.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? e.deltaY : 33 * e.deltaY; // a touchpad sends many small ones
    zoom(STEP ** limit(-pixels / NOTCH, -2, 2), place(e));
  });
  on("dblclick", (e) => !isText && (view.scale > 1 ? fit() : zoom(4, place(e))));
  on("pointerdown", (e) => {
    if (e.target.closest("button")) return;
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
    spread = 0;
    if (view.scale > 1 && !isText) box.setPointerCapture(e.pointerId);
  });
  on("pointermove", (e) => {
    const last = fingers.get(e.pointerId);
    if (!last) return;
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], wide = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (spread) zoom(wide / spread, place({ clientX: (a[0] + b[0]) / 2, clientY: (a[1] + b[1]) / 2 }));
      spread = wide;
    } else if (view.scale > 1) {
      moveTo(view.x + e.clientX - last[0], view.y + e.clientY - last[1]);
      draw();
    }
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"])
    on(end, (e) => { fingers.delete(e.pointerId); spread = 0; });
  on("dragstart", (e) => e.preventDefault());

  return {
    show(one, closer = null, keep = false) { // another picture stands in the box: all of it, or as near as the last; the light stays as it is set
      compare(null);
      img = one;
      large = closer;
      if (img) img.draggable = false;
      if (!keep) return fit();
      if (view.scale > 1.2) sharpen();
      draw();
    },
    act, pan, compare, light,
    zoomed: () => view.scale > 1,
    comparing: () => other !== null,
    stop() { life.abort(); },
  };
}

export function drawTools(bar, viewer) { // the viewer's buttons and sliders; returns what shows the present values
  const button = (words, name, label) => {
    const b = Object.assign(document.createElement("button"), { textContent: words, title: label, ariaLabel: label });
    b.onclick = () => { viewer.act(name); b.blur(); };
    return b;
  };
  const slider = (name) => {
    const label = document.createElement("label"), range = document.createElement("input");
    Object.assign(range, { type: "range", min: LIGHT.least, max: LIGHT.most, step: LIGHT.step, value: 1 });
    range.oninput = () => viewer.light(name, Number(range.value));
    range.onpointerup = () => range.blur(); // and the next key is one of the page
    label.append(name, range);
    return [label, range];
  };
  const [brightness, bright] = slider("brightness"), [contrast, hard] = slider("contrast");
  const lit = document.createElement("details"), head = Object.assign(document.createElement("summary"), { textContent: "light" });
  const as = button("as it is", "", "brightness and contrast as they are in the file");
  as.onclick = () => { viewer.light("brightness", 1); viewer.light("contrast", 1); as.blur(); };
  const sheet = document.createElement("div");
  sheet.append(brightness, contrast, as);
  lit.append(head, sheet);
  lit.hidden = isText;
  const level = button("fit", "fit", "see all of it");
  bar.classList.add("viewer-tools");
  bar.replaceChildren(button("−", "farther", "zoom out"), level, button("+", "closer", "zoom in"), lit,
    ...(document.fullscreenEnabled ? [button("full screen", "full", "full screen")] : []));
  return (view) => {
    level.textContent = view.scale > 1 ? `${view.scale.toFixed(1)} ×` : "fit";
    bright.value = view.brightness;
    hard.value = view.contrast;
    // a picture that is shown otherwise than it is says so
    const words = [["brightness", view.brightness], ["contrast", view.contrast]].filter(([, x]) => x !== 1);
    head.textContent = words.length ? words.map(([name, x]) => `${name} ${x.toFixed(1)}`).join(", ") : "light";
  };
}

export function openPicture({ host = document.body, step = null, closed = () => {}, ...first }) {
  // a window with one picture: { address, name, caption, actions, near, ahead }
  // actions: [words, what is done], each closes it; near: [{ address, words }], what C compares with, the next one with Shift
  // step(by): gives the picture before or after, or shows it by the window's `display`; ahead: addresses that come next
  const dialog = Object.assign(document.createElement("dialog"), { className: "viewer-window" });
  const make = (tag, className = "") => Object.assign(document.createElement(tag), { className });
  const frame = make("div", "viewer-frame"), box = make("div"), words = make("p"), foot = make("footer"), tools = make("div"), acts = make("div", "viewer-acts");
  let show = () => {}, now = null, at = -1, img = null;
  const viewer = makeViewer(box, { whole: frame, changed: (view) => show(view) }); // no dialog can fill the screen itself
  show = drawTools(tools, viewer);
  const button = (text, work, label) => Object.assign(make("button"), { textContent: text, onclick: work, ...(label && { title: label, ariaLabel: label }) });
  const close = button("close", () => dialog.close());
  close.autofocus = true; // Enter and Escape both lead back
  const compareButton = button("hold to compare (C)", null);
  compareButton.onpointerdown = () => compare(false);

  function compare(next) { // as long as it is held; with `next` another one each time
    if (!now.near?.length || viewer.comparing()) return;
    at = next || at < 0 ? (at + 1) % now.near.length : at;
    viewer.compare(now.near[at].address, now.near[at].words);
  }
  const release = () => { if (viewer.comparing()) viewer.compare(null); };
  async function move(by) {
    const next = await step(by);
    if (next) display(next);
  }
  function display(picture) { // zoom and light stay as they are
    const other = now?.address !== picture.address;
    now = { near: [], actions: [], ahead: [], ...picture };
    if (other) at = -1;
    dialog.ariaLabel = now.name;
    words.textContent = now.caption ?? "";
    words.title = now.name;
    const steps = step ? [button("‹", () => move(-1), "the one before (left arrow)"), button("›", () => move(1), "the next one (right arrow)")] : [];
    const held = acts.contains(document.activeElement) ? [...acts.children].indexOf(document.activeElement) : -1;
    acts.replaceChildren(...steps, ...(now.near.length ? [compareButton] : []), ...now.actions.map(([text, work]) => button(text, () => { dialog.close(); work?.(); })), close);
    if (held >= 0) (acts.children[held] ?? close).focus();
    for (const address of now.ahead) newSample().src = address;
    if (!other) return;
    img?.removeAttribute("src"); // nobody waits for one that was passed by
    img = Object.assign(newSample(), { alt: now.name, src: now.address });
    const mine = img;
    img.onload = () => img.classList.toggle("small", Math.max(mine.naturalWidth, mine.naturalHeight) <= 64); // its pixels, not a blur
    img.onerror = () => { if (mine === img) { viewer.show(null); box.replaceChildren(Object.assign(make("p", "viewer-broken"), { textContent: UNREADABLE })); } };
    box.replaceChildren(img);
    viewer.show(img, closeUp(now.address), true);
  }
  foot.append(tools, acts);
  frame.append(box, words, foot);
  dialog.append(frame);
  dialog.addEventListener("keydown", (e) => {
    e.stopPropagation();
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input")) return;
    const found = VIEWER_ACTS.find(([, , keys]) => keys.includes(e.key.toLowerCase()));
    const by = e.shiftKey ? 0 : { ArrowLeft: -1, ArrowRight: 1 }[e.key] ?? 0;
    if (e.key.toLowerCase() === "c") { if (!e.repeat) compare(e.shiftKey); return; }
    if (viewer.pan(e) || (found && viewer.act(found[0]))) e.preventDefault();
    else if (by && step) { e.preventDefault(); move(by); }
  });
  dialog.addEventListener("keyup", (e) => { e.stopPropagation(); if (e.key.toLowerCase() === "c") release(); });
  dialog.addEventListener("pointerup", release);
  dialog.addEventListener("close", () => { viewer.stop(); dialog.remove(); closed(); });
  host.append(dialog);
  dialog.display = display;
  display(first);
  dialog.showModal();
  return dialog;
}

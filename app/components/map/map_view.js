// What fills the middle of Map: the set as points where like images lie near each other, and what is selected beside it.

import { count, make } from "../browse/dom.js";
import { ask, askBytes, describeAway, patiently, Refused } from "../browse/server.js";
import { Camera } from "./camera.js";
import { Colours, css } from "./colours.js";
import { Drawing } from "./drawing.js";
import { Hands } from "./hands.js";
import { Legend } from "./legend.js";
import { Nearby } from "./nearby.js";
import { Panel } from "./panel.js";
import { Points } from "./points.js";

const MANY = 300_000; // points beyond which a part is drawn while the map moves; they come in random order, so that it is a fair one
const REST = 150; // ms until all are drawn

function unpack(bytes, Numbers) { // the length of a header, the header, an array
  const [length] = new Uint32Array(bytes, 0, 1), header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  return [header, new Numbers(bytes, 4 + length)];
}

export class MapView {
  static elsewhere = { path: "/browse", text: "Browse", title: "the same set and selection as a grid" };
  static faceted = false;
  static ordered = false;

  constructor(page) {
    Object.assign(this, { page, places: null, colours: null, asked: { places: 0, colours: 0 }, drawn: "", by: new URLSearchParams(location.search).get("colour") ?? "label", hide: localStorage.getItem("assay:hide") === "yes" });
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.chart = make("div", { class: "chart", tabindex: "0", role: "application", "aria-label": "map of the samples: arrows move it, plus and minus zoom, 0 shows all, V selects what is in view, Enter opens and Space selects what lies in the middle" });
    this.trace = make("div", { class: "trace" });
    this.veil = make("div", { class: "veil", role: "status", text: "drawing …" });
    this.says = make("div", { class: "seen", role: "status" });
    this.camera = new Camera();
    this.points = new Points(this.canvas);
    this.nearby = new Nearby(this.points, this.camera, { table: () => this.places?.table, colourOf: page.colourOf, changed: () => this.draw(), inkOf: (row) => css(this.colours?.colours.get(this.colours.codes[row]) ?? [138, 145, 155]) });
    this.legend = new Legend({ apply: page.apply, view: page.view, colour: (by) => this.colourBy(by), redraw: () => this.drawLegend() });
    this.drawing = new Drawing({ method: (name) => this.loadPlaces(name), drawn: (method) => this.loadPlaces(method ?? this.drawn), stopped: () => page.stopped });
    this.panel = new Panel(page, () => this.openPanel(false));
    this.hands = new Hands(this.chart, this.camera, { moved: () => this.moved(), lasso: (corners, how) => this.select(this.points.within(corners), how), trace: (corners) => this.outline(corners), hover: (x, y) => this.hover(x, y), leave: () => { clearTimeout(this.pointing); this.nearby.hover(-1); }, click: (x, y, e) => this.click(x, y, e), open: (x, y) => this.openNearest(x, y), fit: () => this.fit(), selectView: (e) => this.selectView(e) });
    this.chart.append(this.canvas, this.trace, this.nearby.card);
    this.root = make("div", { class: "map" }, make("div", { class: "left" }, this.chart, this.legend.root, this.toolbar(), this.says, this.drawing.box, this.veil), this.panel.root);
    this.openPanel(innerWidth > 1000 && localStorage.getItem("assay:panel") !== "no", true);
    this.sizes = new ResizeObserver(() => this.relayout());
    this.sizes.observe(this.chart);
    this.keys = (e) => { if (e.key.toLowerCase() === "l" && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.closest?.("input, textarea, select") && this.root.isConnected) this.circle(!this.hands.circling); };
    document.addEventListener("keydown", this.keys);
    this.drawing.start();
  }
  stop() { this.gone = true; this.sizes.disconnect(); this.panel.stop(); document.removeEventListener("keydown", this.keys); }
  focus() { this.chart.focus({ preventScroll: true }); }
  toolbar() {
    const button = (text, title, onclick) => make("button", { text, title, "aria-label": title, onclick });
    this.moving = button("move", "drag moves the map", () => this.circle(false));
    this.lassoing = button("lasso", "drag circles what is selected (L); Shift adds, Alt takes away", () => this.circle(true));
    this.shown = make("input", { type: "checkbox", checked: this.hide, onchange: () => { this.hide = this.shown.checked; localStorage.setItem("assay:hide", this.hide ? "yes" : "no"); this.draw(); } });
    this.selected = button("selected", "what is selected, beside the map", () => this.openPanel(this.panel.root.hidden));
    const zoom = (by) => () => { this.camera.zoom(by); this.moved(); };
    const bar = make("div", { class: "tools-of-map", role: "group", "aria-label": "map tools" }, this.moving, this.lassoing, button("select view", "select what is in view (V)", (e) => this.selectView(e)), button("+", "closer", zoom(1.5)), button("−", "farther", zoom(1 / 1.5)), button("whole", "show the whole map (0)", () => this.fit()), make("label", { class: "choice" }, this.shown, "only the filter"), make("label", { class: "choice" }, "by", this.drawing.method), this.selected);
    this.circle(false, bar);
    return bar;
  }
  circle(on) {
    if (this.hands) this.hands.circling = on;
    this.moving.setAttribute("aria-pressed", String(!on));
    this.lassoing.setAttribute("aria-pressed", String(on));
    this.chart.classList.toggle("circling", on);
  }
  openPanel(yes, first) {
    this.panel.root.hidden = !yes;
    this.selected.setAttribute("aria-expanded", String(yes));
    if (!first) { localStorage.setItem("assay:panel", yes ? "yes" : "no"); this.panel.draw(); }
  }

  // ---- the set, its places and colours

  show(set) {
    const known = this.places?.table === set.table;
    if (!known) this.loadPlaces(this.drawn);
    if (!known || !this.colours || this.colours.seq !== set.seq) this.loadColours();
    if (known && this.seq !== set.seq) this.nearby.forget();
    this.seq = set.seq;
    this.choose(set);
  }
  extend() { this.choose(this.page.set()); }
  choose(set) { // the samples of the filter
    if (!set || this.places?.table !== set.table) return;
    this.points.choose(set.total === set.all ? null : set.order);
    this.drawLegend();
    this.nearby.look();
    this.draw();
    this.panel.draw();
  }
  async fetch(kind, path, take) { // the newest question alone is answered, and a veil lies over it until it is
    const mine = ++this.asked[kind], old = () => this.gone || mine !== this.asked[kind];
    this.veil.hidden = false;
    try {
      const bytes = await patiently(() => askBytes(path), (away, e) => { this.veil.textContent = away ? describeAway(e) : "drawing …"; }, old);
      if (old()) return;
      take(bytes);
      this.waiting = { ...this.waiting, [kind]: false };
    } catch (e) {
      if (old() || !(e instanceof Refused)) return;
      this.refused(kind, e);
    }
    if (!old()) this.veil.hidden = true;
  }
  refused(kind, e) {
    if (kind === "colours" && this.colours) { this.legend.by.value = this.by = this.colours.by; this.says.textContent = `${e.message}. ${e.hint}`; return; }
    if (kind === "colours" && this.by !== "label") return this.colourBy("label");
    this.drawing.missing = kind === "places";
    this.drawing.draw();
  }
  loadPlaces(method) {
    return this.fetch("places", `/assay/map/places?drawn=${method}`, (bytes) => {
      const [header, xy] = unpack(bytes, Float32Array), other = !this.places || this.places.method !== header.method || this.places.key !== header.key;
      this.places = header;
      this.drawn = method;
      this.drawing.missing = false;
      this.drawing.show(header.method);
      this.points.place(xy);
      if (this.colours?.table === header.table) this.points.colour(this.colours.codes, this.colours.colours);
      if (other) this.fit();
      this.nearby.forget();
      this.choose(this.page.set());
    });
  }
  colourBy(by) {
    this.by = by;
    const said = new URLSearchParams(location.search);
    said.set("colour", by);
    history.replaceState(history.state, "", `${location.pathname}?${said}`);
    return this.loadColours();
  }
  loadColours() {
    const start = performance.now();
    return this.fetch("colours", `/assay/map/colours?by=${encodeURIComponent(this.by)}`, (bytes) => {
      const [header, codes] = unpack(bytes, Uint16Array);
      this.answer = [header, codes];
      this.recolour();
      requestAnimationFrame(() => performance.measure("assay:recolour", { start, end: performance.now() }));
    });
  }
  recolour(columns) {
    if (columns) this.legend.describe(columns, this.by, this.page.classes?.() ?? []);
    if (!this.answer) return;
    this.colours = new Colours(...this.answer, this.page.colourOf);
    if (this.places?.table === this.colours.table) this.points.colour(this.colours.codes, this.colours.colours);
    this.drawLegend();
    this.draw();
    this.panel.grid.recolour();
  }
  drawLegend() {
    const set = this.page.set();
    if (set && this.colours?.table === set.table) this.legend.draw(this.colours, set.order);
  }

  // ---- drawing

  relayout() {
    this.camera.resize(this.chart.clientWidth, this.chart.clientHeight);
    this.points.fit(this.camera.width, this.camera.height);
    if (!this.camera.moved) this.fit();
    this.panel.grid.relayout();
    this.nearby.look();
    this.draw();
  }
  resize(side) { this.panel.grid.resize(side); }
  fit() {
    const [x0, y0, x1, y1] = this.points.box, covered = this.camera.width > 700 ? 200 : 0;
    this.camera.whole = 0.92 * Math.min(this.camera.width / Math.max(x1 - x0, 1e-6), this.camera.height / Math.max(y1 - y0, 1e-6));
    this.camera.fit(this.points.box, covered);
    this.camera.moved = false;
    this.moved();
  }
  moved() { // a part of very many while it moves
    clearTimeout(this.resting);
    if (this.points.n > MANY) { this.most = MANY; this.resting = setTimeout(() => { this.most = undefined; this.draw(); }, REST); }
    clearTimeout(this.pointing);
    this.nearby.hover(-1);
    this.nearby.look();
    this.draw();
  }
  draw() {
    if (this.painting || this.gone) return;
    this.painting = true;
    requestAnimationFrame(() => { this.painting = false; if (!this.gone) this.paint(); });
    if (this.selecting !== this.page.selection.size) { this.selecting = this.page.selection.size; this.panel.draw(); }
  }
  paint() {
    if (!this.places || !this.colours || !this.points.image || this.colours.table !== this.places.table) return;
    const start = performance.now(), { root, selection } = this.page, seen = this.points.draw(this.camera, selection, { hide: this.hide, most: this.most });
    const pictures = this.nearby.rows.length ? this.nearby.draw(this.points.pen, this.points.dpr, selection) : 0, set = this.page.set();
    const left = this.places.left ? ` · ${count(this.places.left)} have no place before the next scan` : "";
    this.says.textContent = `${count(seen)} in view${left}`;
    Object.assign(root.dataset, { drawn: Math.min(this.most ?? Infinity, this.points.inside.length), seen, pictures, view: String(this.camera), colour: this.colours.by, selected: selection.size, of: set?.of ?? "" });
    performance.measure("assay:map", { start, end: performance.now() });
    this.page.painted();
  }
  outline(corners) {
    if (!corners) return this.trace.replaceChildren();
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
    line.setAttribute("points", corners.map((p) => p.map((v) => v.toFixed(1)).join(",")).join(" "));
    svg.append(line);
    this.trace.replaceChildren(svg);
  }

  // ---- what is selected, and one of them

  select(rows, { add, take } = {}) {
    const { selection } = this.page, start = performance.now();
    if (!add && !take) { selection.marks.fill(0); selection.size = 0; }
    for (const row of rows) selection.set(row, !take);
    this.selecting = -1;
    selection.changed();
    requestAnimationFrame(() => setTimeout(() => performance.measure("assay:lasso", { start, end: performance.now() })));
  }
  selectView(e) { this.select(this.points.inView(this.camera, Infinity), { add: e.shiftKey }); }
  find(x, y) { return this.points.nearest(this.camera, x, y, this.nearby.reach()); }
  hover(x, y) { // once the pointer has slowed down: to find the nearest of a million takes a while
    clearTimeout(this.pointing);
    this.pointing = setTimeout(() => { const row = this.find(x, y); this.chart.classList.toggle("over", row >= 0); this.nearby.hover(row); }, 16);
  }
  click(x, y) { const row = this.find(x, y); if (row >= 0) this.page.selection.toggle(row); }
  async openNearest(x, y) {
    const row = this.points.nearest(this.camera, x, y, Infinity);
    if (row >= 0) this.page.opened((await this.nearby.tile(row)).id);
  }
  step(by) { this.panel.step(by); }
}

// Duplicates: groups of copies under the filter of the address; the log holds the acts.

import { count, make, samples } from "../browse/dom.js";
import { FilterBar } from "../browse/filter.js";
import { COLOURS } from "../browse/paint.js";
import { ask, describeAway, patiently, query, readAddress, Refused, writeAddress } from "../browse/server.js";
import { askNameOnce } from "../name.js";
import { GroupActs } from "./acts.js";
import { drawGroup, address } from "./group.js";
import { Pages } from "./pages.js";
import { openStage, otherOf } from "./stage.js";
import { SAMPLE } from "../sample.js";

const CALM = 3000; // ms between two looks whether somebody else changed the bench
const ROOM = 300; // px of a group until one is drawn

export function duplicates(root, component) {
  let view = readAddress(), wanted = view, now = null, asked = 0, stopped = false, known = 0, colours = new Map(), hovered = null, opened = false, drawn = false;
  const home = location.pathname, life = new AbortController();
  const filter = new FilterBar({ apply, view: () => wanted, leave: () => focusGroup(0), size, facets: () => {}, saveView: () => {}, openView, dropped: () => null });
  const list = make("div", { class: "groups", tabindex: "0", role: "region", "aria-label": "groups of copies" }, make("div", { class: "empty coming" }, make("p", { role: "status", text: "Fetching the groups …" })));
  const head = make("div", { class: "summary" });
  const names = make("div", { class: "names", hidden: true }), offline = make("div", { class: "offline", role: "alert", hidden: true });
  const acts = new GroupActs({ who: () => root.who, askName: (then) => askNameOnce(names, root, component, then), stored, away, query: () => query(view), stopped: () => stopped });
  const doing = { keep: (...a) => acts.keep(...a), apart: (...a) => acts.apart(...a), review: (g) => hand("review", { samples: g.members.filter((m) => !m.locked).map((m) => m.id) }), open, browse, colourOf: (name) => colours.get(name) ?? "#8a919b" };
  const pages = new Pages(list, { room: ROOM, read, draw: (group, place) => drawGroup(group, place, doing) });
  root.replaceChildren(filter.root, make("div", { class: "middle" }, head, list), make("div", { class: "foot" }, offline, names, acts.root));
  size(Number(localStorage.getItem("assay:copies")) || (innerWidth < 600 ? 136 : 200));

  // ---- the groups

  async function apply(change, replace, done) { wanted = { ...wanted, ...change }; await load(wanted, { replace, done }); }
  async function load(next, { replace = false, silent = false, done } = {}) {
    const mine = ++asked;
    root.classList.add("busy");
    try {
      const said = await patiently(() => ask(`/assay/duplicates?${query(next)}`), away, () => stopped || mine !== asked);
      if (mine !== asked || stopped) return;
      view = wanted = next;
      now = said;
      known = Math.max(known, said.seq);
      if (!silent) writeAddress(view, replace);
      filter.good();
      done?.();
      filter.draw(view, said);
      filter.count.replaceChildren(make("b", { text: count(said.total) }), said.total === said.all ? ` ${said.total === 1 ? "group" : "groups"}` : ` of ${count(said.all)} groups`);
      draw();
      show();
      Object.assign(root.dataset, { total: said.total, seq: said.seq, of: said.of });
    } catch (e) {
      if (mine !== asked || stopped) return;
      wanted = view;
      if (!(e instanceof Refused)) return;
      if (e.said?.place) filter.bad(e, next.chips);
      else if (!now) list.replaceChildren(make("div", { class: "empty", role: "alert" }, make("p", { text: `${e.message}. ${e.hint}` }), make("button", { text: "try again", onclick: () => load(next) })));
      else acts.say(`${e.message}. ${e.hint}`);
      if (e.said?.place && !now) { view = { ...next, chips: [] }; load(view, { silent: true }).then(() => filter.bad(e, next.chips)); }
    } finally { if (mine === asked) root.classList.remove("busy"); }
  }
  function show() { // what had the focus has it again
    const tile = document.activeElement?.closest?.(".copy"), group = list.contains(tile) ? tile.closest(".group") : null;
    const had = group && [Number(group.dataset.place), pictures(group).indexOf(tile.querySelector(".picture"))];
    pages.show(now.total, now.page, now.groups);
    if (!now.total) list.replaceChildren(empty());
    if (had) focusGroup(...had);
    else if (!drawn && [document.body, list].includes(document.activeElement)) focusGroup(0);
    drawn = true;
  }
  async function read(after) {
    const said = await patiently(() => ask(`/assay/duplicates?${query(view, { after })}`), away, () => stopped);
    if (now && said.of !== now.of) { load(view, { silent: true }); return null; } // another bench by now
    return said.groups;
  }
  function draw() {
    const part = (n, one, several, title) => (n ? make("span", { class: "fact", title }, make("b", { text: count(n) }), ` ${n === 1 ? one : several}`) : null);
    const where = [...view.chips.map((c) => `(${c})`), "duplicate_group is not null"].join(" and ");
    const link = make("a", { href: browse(where, "duplicate_group"), target: "_self", text: samples(now.samples), title: "open them in Browse" });
    head.replaceChildren(...[
      make("span", { class: "fact" }, link, " in these groups"),
      part(now.conflict, "has contradicting labels", "have contradicting labels"),
      part(now.across, "is across splits", "are across splits", "a copy gives away a sample of a split that judges it"),
      part(now.hidden, "group of test or guard samples alone is left as it is", "groups of test or guard samples alone are left as they are"),
      make("span", { class: "push" }),
      make("button", { class: "main", text: "keep the best of all …", disabled: !now.total, title: "says first what it would do", onclick: () => acts.planAll() }),
      make("button", { text: "open in FiftyOne", disabled: !now.total, onclick: () => hand("fiftyone", {}) })].filter(Boolean));
    head.hidden = !now.total;
  }
  function empty() {
    const words = now.all ? "No group of copies holds a sample of this filter." : "No copies are left. A scan finds exact and near duplicates; what you called no copies is not listed again.";
    return make("div", { class: "empty" }, make("p", { text: words }), now.all ? make("button", { text: `show all ${count(now.all)} groups`, onclick: () => apply({ chips: [], search: "", like: [] }) }) : null);
  }
  async function describe() {
    const said = await patiently(() => ask("/assay/browse"), away, () => stopped);
    colours = new Map(said.classes.map(([name, colour], i) => [name, colour ?? COLOURS[i % COLOURS.length]]));
    filter.describe(said);
    filter.offer(said.views ?? []);
    if (now) { filter.offer(said.views ?? []); show(); }
  }

  // ---- what changes it

  async function stored(place, said) { // an act of ours is in the log: the groups as they are now
    known = Math.max(known, said?.seq ?? 0);
    await load(view, { silent: true });
    if (place !== undefined) await focusGroup(place);
  }
  function undone(e) { // by the bar: the groups as they are now
    e.preventDefault();
    if (e.detail.failed) return acts.undone(e.detail);
    acts.sending = true;
    stored(undefined, e.detail).then(() => { acts.sending = false; acts.undone(e.detail); });
  }
  function away(yes, e) {
    offline.hidden = !yes;
    offline.textContent = yes ? `${describeAway(e)} What you filtered stays.` : "";
  }
  async function look() {
    while (!stopped) {
      await new Promise((r) => setTimeout(r, CALM));
      if (stopped || document.hidden || acts.sending || !now) continue;
      try {
        const said = await ask(`/assay/position?since=${known}`);
        away(false);
        if (said.seq <= known || acts.sending) continue;
        known = said.seq;
        await load(view, { silent: true });
        const others = said.by.map(([who]) => who).filter((who) => who !== root.who); // what oneself did elsewhere is shown, too
        if (others.length) acts.say(`The bench was changed meanwhile (${others.join(", ")}); shown as it is now.`);
      } catch (e) { if (!(e instanceof Refused)) away(true); }
    }
  }
  function hand(what, more) { component().setTriggerValue("handed", { what, query: query(view), ...more }); }
  function browse(condition, group = "") {
    const out = new URLSearchParams({ q: condition });
    if (group) out.set("group", group);
    if (root.who) out.set("who", root.who);
    return `/browse?${out}`;
  }
  async function openView(name) {
    const said = await ask("/assay/browse"), found = (said.views ?? []).find((v) => v.name === name);
    if (found) apply({ chips: found.where ? [found.where] : [], search: found.search ?? "", like: [] });
  }
  function size(side) {
    filter.size.value = side;
    localStorage.setItem("assay:copies", side);
    root.style.setProperty("--side", `${side}px`);
  }

  // ---- one group: keys, and a look at it

  const current = () => { const here = document.activeElement?.closest?.(".copy"); return here && list.contains(here) ? here : hovered?.isConnected ? hovered : null; };
  const pictures = (group) => [...group.querySelectorAll(".picture")];
  async function focusGroup(place, k = 0) {
    const group = now?.total ? await pages.go(Math.min(place, now.total - 1)) : null;
    if (!group) return list.focus({ preventScroll: true });
    const all = pictures(group);
    all[Math.min(k, all.length - 1)]?.focus({ preventScroll: true });
    group.scrollIntoView({ block: "nearest" });
  }
  function open(group, k) {
    opened = true;
    const place = Number(list.querySelector(`[data-id="${CSS.escape(group.members[k].id)}"]`)?.closest(".group").dataset.place ?? 0);
    openStage(group, k, root, async (at) => { opened = false; const there = await pages.go(place); if (there) pictures(there)[at]?.focus({ preventScroll: true }); });
  }
  function blink(yes) { // the other picture, in the place of this one
    for (const one of list.querySelectorAll(".copy .other, .copy .viewer-note")) one.remove();
    const tile = yes ? current() : null, group = tile?.closest(".group")?.group;
    if (!group || group.members.length < 2) return;
    const k = group.members.findIndex((m) => m.id === tile.dataset.id), other = group.members[otherOf(k)], small = tile.querySelector(SAMPLE).classList.contains("small");
    tile.querySelector(".picture").append(make(SAMPLE, { class: `other${small ? " small" : ""}`, src: address(other.id), alt: `in its place: ${other.key}` }), make("span", { class: "viewer-note", text: other.key }));
  }
  function keys(e) {
    if (!root.isConnected || e.defaultPrevented || opened) return;
    const typing = e.target.closest?.("input, textarea, select, [contenteditable]"), key = e.key.toLowerCase();
    if (typing || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "/") { e.preventDefault(); filter.search.focus(); return filter.search.select(); }
    const tile = current(), section = tile?.closest(".group"), place = Number(section?.dataset.place ?? -1);
    if (key === "c" && tile) { e.preventDefault(); if (!e.repeat) blink(true); return; }
    if (e.repeat && (key === "b" || key === "n")) return; // a held key counts once
    if (key === "b" && section && !hoverOnly()) return void acts.keep(section.group, place);
    if (key === "n" && section && !hoverOnly() && !section.group.exact) return void acts.apart(section.group, place);
    const by = { ArrowDown: 1, ArrowUp: -1 }[e.key], aside = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!list.contains(document.activeElement)) return;
    if (by) { e.preventDefault(); focusGroup(Math.max(0, place + by)); }
    if (aside && section) { const all = pictures(section), at = all.indexOf(tile.querySelector(".picture")); e.preventDefault(); all[Math.max(0, Math.min(all.length - 1, at + aside))].focus(); }
  }
  const hoverOnly = () => !document.activeElement?.closest?.(".copy"); // a key decides about what has the focus alone
  function back(e) {
    if (location.pathname !== home) return;
    e.stopImmediatePropagation();
    load(readAddress(), { silent: true });
  }
  const on = (target, event, work, capture) => target.addEventListener(event, work, { signal: life.signal, capture });
  on(document, "keydown", keys);
  on(document, "keyup", (e) => { if (e.key.toLowerCase() === "c") blink(false); });
  on(window, "blur", () => blink(false));
  on(window, "popstate", back, true);
  on(window, "assay:undone", undone);
  on(list, "pointerover", (e) => { hovered = e.target.closest(".copy"); });
  on(list, "pointerleave", () => { hovered = null; });
  describe().catch(() => {});
  load(view, { replace: true });
  look();
  return { stop() { stopped = true; pages.stop(); life.abort(); } };
}

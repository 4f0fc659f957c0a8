// The bar above all pages: where one is, what waits and runs, who is here, what is not committed; and undo, wherever one is.

import { clip, count, icon, ICONS, make } from "../browse/dom.js";
import { ask } from "../browse/server.js";
import { begin, latest, listen, refresh } from "./events.js";
import { drawJobs } from "./jobs.js";
import { address, follow, go, here } from "./pages.js";
import { announce, drawPeople } from "./people.js";
import { isUndo, linkTo, setWho, undoLast } from "./undo.js";

const OWN_SEARCH = ["browse", "map", "models", "duplicates"]; // pages whose filter has a field for words
const SHOWN = 12_000; // ms that what was said stays, unless somebody is at it

export default function (component) {
  const root = component.parentElement.querySelector(".assay-frame");
  root.bar ??= makeBar(root);
  root.bar.show(component);
  return () => { root.bar.stop(); root.bar = null; };
}

function makeBar(root) {
  let component = null, who = "", titles = {}, timer = null, drawn = {}, openWork = null;
  const pop = (name, label) => { // a button, and what it opens
    const head = make("summary", { "aria-label": label }), box = make("details", { class: `pop ${name}`, hidden: true }, head, make("div", { class: "panel" }));
    return box;
  };
  const bench = make("b", { class: "bench" }), nav = make("nav", { "aria-label": "pages" }), menu = pop("menu", "pages");
  const search = make("input", { type: "search", placeholder: "search  /", "aria-label": "find in Browse", maxlength: "300" });
  const field = make("form", { class: "search", role: "search" }, icon(ICONS.search, 14), search);
  const mine = pop("mine"), work = pop("work"), jobs = pop("jobs"), people = pop("people"), said = make("div", { class: "said", hidden: true }), words = make("div", { role: "status" });
  const lost = make("span", { class: "lost", role: "status", hidden: true, text: "server away" });
  said.append(words);
  root.replaceChildren(bench, menu, nav, make("span", { class: "push" }), lost, field, mine, jobs, work, people, said);
  const pops = [menu, mine, work, jobs, people];
  for (const box of pops) box.addEventListener("toggle", () => { if (box.open) for (const other of pops) if (other !== box) other.open = false; });

  work.addEventListener("toggle", () => { if (work.open) askMessage(); else work.lastElementChild.replaceChildren(); });

  // ---- the pages

  function link(page) {
    const a = make("a", { href: address(page.name), onclick: follow, "data-page": page.name, text: page.title });
    for (const when of ["pointerenter", "focus"]) a.addEventListener(when, () => { a.href = address(page.name); }); // the filter as it is by then
    return a;
  }
  function drawPages(pages) {
    titles = Object.fromEntries(pages.map((p) => [p.name, p.title]));
    nav.replaceChildren(...pages.map(link));
    menu.lastElementChild.replaceChildren(make("ul", {}, ...pages.map((p) => make("li", {}, link(p)))));
  }
  function mark() { // where one is, and what waits there
    const now = here(), waits = latest()?.waits ?? {};
    field.hidden = OWN_SEARCH.includes(now);
    menu.firstElementChild.textContent = `${titles[now] ?? "Pages"} ▾`;
    menu.firstElementChild.setAttribute("aria-label", `pages; this is ${titles[now] ?? "one of them"}`);
    for (const a of root.querySelectorAll("[data-page]")) {
      const n = waits[a.dataset.page];
      a.toggleAttribute("aria-current", false);
      if (a.dataset.page === now) a.setAttribute("aria-current", "page");
      a.replaceChildren(titles[a.dataset.page], ...(n ? [make("span", { class: "n", text: ` ${count(n)}` })] : []));
    }
    fold();
  }
  function fold() { // words become short where the pages need the room; else these lie under a menu
    const tight = () => nav.scrollWidth > nav.clientWidth + 1;
    root.classList.remove("folded");
    for (const box of [mine, people, jobs, work]) box.classList.remove("short");
    for (const box of [mine, people, jobs, work]) if (tight()) box.classList.add("short");
    root.classList.toggle("folded", tight());
    menu.hidden = !root.classList.contains("folded");
  }
  const size = new ResizeObserver(fold);
  size.observe(root);

  // ---- what waits, runs, and is open

  function once(name, value, draw) { // a part is drawn where it changed: what one is about to click stays
    const told = JSON.stringify(value);
    if (drawn[name] === told) return;
    drawn[name] = told;
    draw();
  }
  function draw(state, away) {
    lost.hidden = !away;
    if (!state?.people) return;
    once("waits", [state.waits, here(), titles], mark);
    drawJobs(jobs, state.jobs, say);
    once("people", [state.people, state.today, who, titles], () => drawPeople(people, state, who, titles));
    once("work", [state.edits, state.next, who], () => drawWork(state));
    const own = (state.assigned ?? []).filter((a) => a.to === who && who);
    once("mine", own, () => drawMine(own));
    fold();
  }
  function drawWork({ edits, next }) {
    work.hidden = !edits;
    const told = `${count(edits)} ${edits === 1 ? "edit" : "edits"}`;
    work.firstElementChild.replaceChildren(make("span", { class: "wide", text: `${told}, commit as ${next}` }), make("span", { class: "narrow", text: `commit ${count(edits)}` }));
    work.firstElementChild.setAttribute("aria-label", `${told} since the last version: commit as ${next}`);
    openWork = { told, next };
    if (work.open) work.querySelector("p").textContent = `${told} since the last version.`;
  }
  function askMessage() { // made when it is opened, and left alone while somebody types
    const { told, next } = openWork;
    const message = make("input", { placeholder: "what changed?", "aria-label": "what changed", maxlength: "1000" }), name = make("input", { placeholder: "your name", "aria-label": "who commits", maxlength: "300", autocomplete: "name" });
    const button = make("button", { class: "main", text: `Commit as ${next}` }), wrong = make("p", { role: "alert" });
    const form = make("form", {}, make("p", { text: `${told} since the last version.` }), message, who ? null : name, button, make("a", { href: address("history"), onclick: follow, text: "what they are" }), wrong);
    form.onsubmit = async (e) => {
      e.preventDefault();
      const by = who || name.value.trim();
      if (!by) return name.focus();
      button.disabled = true;
      try {
        const made = await ask("/assay/commit", { who: by, message: message.value.trim() });
        work.open = false;
        say(made.new ? `${made.name} is committed` : `nothing changed since ${made.name}`);
        if (!who) component.setTriggerValue("named", by);
        component.setTriggerValue("changed", made.name);
        refresh();
      } catch (e) { wrong.textContent = `not committed: ${e.message}. ${e.hint ?? ""}`; }
      button.disabled = false;
    };
    work.lastElementChild.replaceChildren(form);
    message.focus();
  }
  function drawMine(own) {
    mine.hidden = !own.length;
    if (!own.length) return;
    const told = ({ reviewed, samples }) => `${count(reviewed)} of ${count(samples)} reviewed`, first = own.find((a) => a.reviewed < a.samples) ?? own[0];
    mine.firstElementChild.replaceChildren(make("span", { class: "wide", text: `yours: ${clip(first.name, 28)}, ${told(first)}${own.length > 1 ? ` · ${own.length - 1} more` : ""}` }), make("span", { class: "narrow", text: `yours ${own.length}` }));
    mine.firstElementChild.setAttribute("aria-label", `yours to review: ${own.length}`);
    mine.lastElementChild.replaceChildren(make("ul", {}, ...own.map((a) => make("li", {}, make("div", {}, make("b", { text: clip(a.name, 80), title: a.name }), make("span", { class: "stage", text: told(a) })),
      make("button", { class: "main", text: a.reviewed < a.samples ? "Review" : "done", disabled: a.reviewed >= a.samples, "aria-label": `review ${clip(a.name, 80)}`, onclick: () => review(a.name) })))));
  }
  async function review(name) {
    mine.open = false;
    try { go(address("review", { queue: (await ask("/assay/queue", { view: name })).queue })); } catch (e) { say(`${e.message}. ${e.hint ?? ""}`); }
  }

  // ---- what is said: what an act did, and where it can be seen

  function say(text, ...more) {
    words.replaceChildren(make("span", { text }), ...more);
    said.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(function hide() { if (said.matches(":hover, :focus-within")) timer = setTimeout(hide, 2000); else said.hidden = true; }, SHOWN);
  }
  function told({ detail }) {
    const link = detail.failed ? [] : [make("a", { href: linkWith(detail), onclick: follow, text: detail.n === 1 ? "show it" : "show them" })];
    const again = detail.failed ? [] : [make("button", { text: detail.redo ? "Do one more again" : "Undo one more", onclick: () => undo(detail.redo) }), make("button", { text: detail.redo ? "Undo (Ctrl+Z)" : "Redo (Ctrl+Shift+Z)", onclick: () => undo(!detail.redo) })];
    say(detail.words, ...link, ...again);
    if (!detail.failed && component) component.setTriggerValue("changed", detail.batch); // a page that Streamlit draws shows it, too
  }
  function linkWith(detail) { const to = linkTo(detail); return who ? `${to}${to.includes("?") ? "&" : "?"}who=${encodeURIComponent(who)}` : to; }
  const undo = (redo) => undoLast({ redo });

  // ---- keys

  function keys(e) {
    if (e.defaultPrevented) return;
    const asked = isUndo(e);
    if (asked) { e.preventDefault(); if (!e.repeat) undo(asked === "redo"); return; }
    const from = e.composedPath()[0], typing = /^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName) || from.isContentEditable;
    if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey && !field.hidden) { e.preventDefault(); search.focus(); search.select(); }
  }
  root.onkeydown = (e) => { // before the page below hears it
    const open = pops.find((p) => p.open);
    if (e.key !== "Escape" || !open) return;
    e.preventDefault();
    e.stopPropagation();
    open.open = false;
    open.firstElementChild.focus();
  };
  function outside(e) { for (const box of pops) if (box.open && !box.contains(e.target)) box.open = false; }
  field.onsubmit = (e) => { e.preventDefault(); go(address("browse", { s: search.value.trim() })); search.value = ""; search.blur(); };
  search.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Escape") search.blur(); };
  const listeners = [[document, "keydown", keys], [document, "pointerdown", outside], [window, "assay:said", told]];
  for (const [where, what, work] of listeners) where.addEventListener(what, work);
  begin();
  const say_here = announce(() => who), end = listen(draw);

  return {
    show(next) {
      component = next;
      const data = next.data, moved = drawn.here !== `${data.page} ${data.who}`;
      who = data.who;
      setWho(who);
      bench.textContent = clip(data.bench, 40);
      bench.title = data.bench;
      once("pages", data.pages, () => drawPages(data.pages));
      mark();
      drawn.here = `${data.page} ${data.who}`;
      draw(latest(), false);
      if (moved) { for (const box of pops) box.open = false; say_here(); }
    },
    stop() { end(); size.disconnect(); for (const [where, what, work] of listeners) where.removeEventListener(what, work); },
  };
}

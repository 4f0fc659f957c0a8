// Who else is here. A window says where it is, and when it goes.

import { make } from "../browse/dom.js";
import { ask } from "../browse/server.js";
import { windowName } from "./events.js";
import { here } from "./pages.js";

const BEAT = 15_000; // ms

export function announce(who) { // who() gives the name; returns what says it again
  const say = () => { if (!document.hidden) ask("/assay/here", { window: windowName, who: who(), page: here() }).catch(() => {}); };
  setInterval(say, BEAT);
  document.addEventListener("visibilitychange", say);
  addEventListener("pageshow", say);
  addEventListener("pagehide", () => fetch("/assay/here", { method: "POST", keepalive: true, headers: { "content-type": "application/json" }, body: JSON.stringify({ window: windowName, gone: true }) }).catch(() => {}));
  return say;
}

export function drawPeople(box, state, who, titles) { // first letters, and a list of names, pages and decisions of the day
  const others = state.people.filter((p) => p.who && p.who !== who), unnamed = state.people.some((p) => !p.who) && who ? 1 : 0;
  const day = (name) => (state.today[name] ? ` · ${state.today[name].toLocaleString("en")} today` : "");
  const line = (name, page) => make("li", {}, make("b", { text: name, title: name }), make("span", { text: `${page ? ` · ${titles[page] ?? page}` : ""}${day(name)}` }));
  box.hidden = !others.length && !unnamed;
  if (box.hidden) return;
  const said = others.length ? `${others.map((p) => p.who).slice(0, 3).join(", ")}${others.length > 3 ? ` and ${others.length - 3} more` : ""}` : "somebody";
  const faces = others.slice(0, 3).map((p) => make("i", { text: [...p.who.trim()][0] ?? "?", title: p.who }));
  box.firstElementChild.replaceChildren(...(faces.length ? faces : [make("i", { text: "?" })]), make("span", { class: "wide", text: said }));
  box.firstElementChild.setAttribute("aria-label", `here, too: ${said}`);
  const rows = [...others.map((p) => line(p.who, p.page)), ...(unnamed ? [make("li", { class: "quiet", text: "somebody without a name" })] : []), ...(who ? [make("li", { class: "quiet" }, `you: ${who}${day(who)}`)] : [])];
  box.lastElementChild.replaceChildren(make("ul", {}, ...rows));
}

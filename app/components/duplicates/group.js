// One group: its copies side by side, the best first. Of a test or guard sample only picture, key and size are shown.

import { clip, count, icon, ICONS, make } from "../browse/dom.js";
import { SAMPLE, sizeOf } from "../sample.js";

export const address = (id, side = 512) => `/assay/image/${encodeURIComponent(id)}?side=${side}`;
const percent = (share) => `${(100 * share).toFixed(share > 0.995 && share < 1 ? 1 : 0)} %`;

export function drawGroup(group, place, acts) { // acts: keep, apart, review, open, browse(condition), colourOf
  const { members, n, locked } = group, alike = group.exact ? "equal" : `at least ${percent(group.alike)} alike`;
  const head = make("div", { class: "head" },
    make("a", { class: "name", href: acts.browse(`duplicate_group = ${group.group}`), target: "_self", text: `${count(n)} copies`, title: "open this group in Browse" }),
    make("span", { class: "quiet", text: alike }),
    group.conflict ? make("span", { class: "mark amber", text: "labels contradict each other" }) : null,
    group.across ? make("span", { class: "mark", text: "across splits", title: "a copy gives away a sample of a split that judges it" }) : null,
    make("span", { class: "push" }),
    group.conflict ? make("button", { text: "review", title: "decide about their labels in Review", onclick: () => acts.review(group) }) : null,
    n > locked + (locked ? 0 : 1) ? make("button", { class: "main", text: locked ? `keep the ${locked === 1 ? members[0].split : "locked"} one${locked === 1 ? "" : "s"}` : "keep the best", title: "drop the others (B)", onclick: () => acts.keep(group, place) }) : null,
    group.exact ? null : make("button", { text: "these are no copies", title: "tell them apart for good (N)", onclick: () => acts.apart(group, place) }));
  const tiles = members.map((m, k) => drawTile(group, m, k, place, acts));
  if (n > members.length) tiles.push(make("a", { class: "rest", href: acts.browse(`duplicate_group = ${group.group}`), target: "_self", text: `and ${count(n - members.length)} more` }));
  const root = make("section", { class: "group", "aria-label": `group ${place + 1}: ${n} copies`, data: { place } }, head, make("div", { class: "tiles" }, ...tiles));
  root.group = group;
  return root;
}

function drawTile(group, m, k, place, acts) {
  const img = make(SAMPLE, { src: address(m.id), alt: "", loading: "lazy", draggable: "false" });
  img.onerror = () => box.classList.add("broken");
  img.onload = () => img.classList.toggle("small", Math.max(img.naturalWidth, img.naturalHeight) <= 64);
  const said = m.locked ? `${m.split}, locked` : m.label ?? "no label";
  const box = make("button", { class: "picture", "aria-label": `${k ? "" : "the best: "}${clip(m.key, 120)}, ${clip(said, 60)}`, title: "Enter opens it; hold C to compare it with another", onclick: () => acts.open(group, k) }, img, k ? null : make("span", { class: "best", text: m.locked ? "stays" : "best" }));
  const label = m.locked
    ? make("div", { class: "label" }, icon(ICONS.lock, 13), make("span", { class: "quiet", text: `${m.split}, locked` }))
    : make("div", { class: "label" }, m.label === null ? null : make("i", { style: { "--c": acts.colourOf(m.label) } }), make("span", { class: m.label === null ? "quiet" : group.conflict ? "amber" : "", text: m.label ?? "no label", title: m.label ?? "" }));
  const about = [m.locked ? null : m.split, m.width ? sizeOf(m) : null, m.reviewed ? "reviewed" : null].filter(Boolean).join(" · ");
  const one = !m.locked && !group.locked && k > 0 ? make("button", { class: "plain", text: "keep this one", title: "keep this copy, drop the others", onclick: () => acts.keep(group, place, m) }) : null;
  const odd = !m.locked && group.n > 2 && group.n <= group.members.length && !group.exact ? make("button", { class: "plain", text: "no copy", title: "this one is no copy of the others", onclick: () => acts.apart(group, place, m) }) : null;
  const tile = make("figure", { class: `copy${m.inside ? "" : " outside"}`, data: { id: m.id } }, box,
    make("figcaption", {}, label, make("div", { class: "key quiet", text: m.key, title: m.key }), make("div", { class: "quiet", text: about }), one || odd ? make("div", { class: "own" }, one, odd) : null));
  if (!m.inside) tile.title = "not in this filter";
  return tile;
}

// Which samples a number counts, in the words of the filter: so that each number is a link.

import { spell } from "../browse/conditions.js";
import { query } from "../browse/server.js";

const text = (value) => `'${String(value).replaceAll("'", "''")}'`;
const label = (name, not) => spell({ name: "label", not, values: [name] });
export const says = (model, name) => `predicted(${text(model)}, ${text(name)})`;

// cell: {label, said}; one of the two may be missing; several: whether a sample has several labels, of which another class is missed or added by itself. part: a, b (what that model says), came, went (what one of the two alone says)
export function conditionsOf({ label: given, said, part = "a", doubted }, [a, b], several = false) {
  const model = part === "b" || part === "came" ? b : a, other = model === a ? b : a, out = [];
  const holds = (m) => (said === undefined ? `not ${says(m, given)}` : says(m, said));
  if (given !== undefined) out.push(label(given));
  out.push(holds(model));
  if (several && given !== undefined && said !== undefined && given !== said) out.push(`not ${says(model, given)}`, label(said, true));
  if (part === "came" || part === "went") out.push(said === undefined ? says(other, given) : `not ${says(other, said)}`);
  if (given === undefined) out.push(label(said, true));
  if (doubted) out.push("flagged");
  return [...out, "split = 'val'", "keep"];
}

export function browseLink(view, conditions, who) {
  const chips = [...view.chips, ...conditions.filter((c) => !view.chips.includes(c))];
  const said = new URLSearchParams();
  for (const q of chips) said.append("q", q);
  if (view.search) said.set("s", view.search);
  if (who) said.set("who", who);
  return `/browse?${said}`;
}

export const samplesQuery = (view, conditions, sort) => query({ chips: [...view.chips, ...conditions], search: view.search, sort, group: "", like: [] });

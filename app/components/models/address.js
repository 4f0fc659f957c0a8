// What the address says is the view: the filter that all pages share, the models, and the open cell.

import { readAddress as readFilter } from "../browse/server.js";

const OWN = ["a", "b", "show", "label", "said", "part"], FILTER = ["q", "s", "sort", "like", "group", "open"];

export function readAddress() {
  const said = new URLSearchParams(location.search), { chips, search } = readFilter();
  const cell = { part: said.get("part") ?? "a" };
  for (const name of ["label", "said"]) if (said.has(name)) cell[name] = said.get(name);
  const open = cell.label !== undefined || cell.said !== undefined;
  return { chips, search, sort: "", group: "", like: [], a: said.get("a") ?? "", b: said.get("b") ?? "", show: said.get("show") ?? "", cell: open ? cell : null };
}

export function writeAddress(view, replace) {
  const said = new URLSearchParams(location.search);
  for (const name of [...OWN, ...FILTER]) said.delete(name);
  for (const q of view.chips) said.append("q", q);
  if (view.search) said.set("s", view.search);
  for (const name of ["a", "b", "show"]) if (view[name]) said.set(name, view[name]);
  if (view.cell) for (const name of ["label", "said"]) if (view.cell[name] !== undefined) said.set(name, view.cell[name]);
  if (view.cell && view.cell.part !== "a") said.set("part", view.cell.part);
  const to = `${location.pathname}${said.size ? `?${said}` : ""}`;
  if (to !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](history.state, "", to);
}

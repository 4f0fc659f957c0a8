// The ways between the pages. The five that show one set hand each other its filter; Streamlit draws the page that the address names.

const SETS = ["browse", "review", "map", "models", "duplicates"], FILTER = ["q", "sort", "s", "like", "group"];

export const here = () => location.pathname.split("/").at(-1) || "overview";

export function address(page, more = {}) { // of a page, with the name of who looks, and the filter where both show a set
  const now = new URLSearchParams(location.search), out = new URLSearchParams();
  if (now.get("who")) out.set("who", now.get("who"));
  if (SETS.includes(page) && SETS.includes(here())) for (const name of FILTER) for (const value of now.getAll(name)) out.append(name, value);
  for (const [name, value] of Object.entries(more)) out.set(name, value);
  return `/${page === "overview" ? "" : page}${out.size ? `?${out}` : ""}`;
}

export function go(to) { // as if somebody had gone there and back: the page is drawn, and nothing is loaded anew
  history.pushState(null, "", to);
  dispatchEvent(new PopStateEvent("popstate"));
}

export function follow(e) { // a click on a link of ours, unless it is meant for another window
  if (e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || e.defaultPrevented) return;
  e.preventDefault();
  go(e.currentTarget.getAttribute("href"));
}

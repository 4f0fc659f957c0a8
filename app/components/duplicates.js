// Duplicates as Streamlit starts it: the page lives on while its data changes.

import { duplicates } from "./duplicates/main.js";

// the filter bar, the buttons and the foot look as those of Browse
document.head.append(Object.assign(document.createElement("link"),
  { rel: "stylesheet", href: new URL("./browse.css", import.meta.url).href }));

export default function (component) {
  const root = component.parentElement.querySelector(".assay-duplicates"), { who, proposal } = component.data;
  root.component = component;
  if (who || !root.who) root.who = who;
  root.proposal = proposal;
  root.page ??= duplicates(root, () => root.component);
  return () => { root.page?.stop(); root.page = null; };
}

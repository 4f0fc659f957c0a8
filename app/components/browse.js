// Browse as Streamlit starts it: the page lives on while its data changes.

import { browse } from "./browse/main.js";

export default function (component) {
  const root = component.parentElement.querySelector(".assay-browse"), { who, proposal } = component.data;
  root.component = component;
  if (who || !root.who) root.who = who; // it may be said, or changed, while the page is open
  root.proposal = proposal;
  root.page ??= browse(root, () => root.component);
  return () => { root.page?.stop(); root.page = null; };
}

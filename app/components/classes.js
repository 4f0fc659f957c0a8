// Classes as Streamlit starts it: the page lives on while its data changes.

import { classes } from "./classes/main.js";

export default function (component) {
  const root = component.parentElement.querySelector(".assay-classes"), { who, proposal, open } = component.data;
  root.component = component;
  if (who || !root.who) root.who = who; // it may be said, or changed, while the page is open
  root.proposal = proposal;
  root.page ??= classes(root, () => root.component, open);
  return () => { root.page?.stop(); root.page = null; };
}

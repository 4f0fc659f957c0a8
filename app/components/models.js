// Models as Streamlit starts it: the page lives on while its data changes.

import { models } from "./models/main.js";

export default function (component) {
  const root = component.parentElement.querySelector(".assay-models");
  root.component = component;
  root.who = component.data.who;
  root.scanned = component.data.scanned;
  root.page ??= models(root, () => root.component);
  return () => { root.page?.stop(); root.page = null; };
}

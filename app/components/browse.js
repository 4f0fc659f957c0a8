// Browse as Streamlit starts it.

import { takePage } from "./browse/early.js";

export default function (component) {
  const place = component.parentElement.querySelector(".assay-place"), { who, proposal } = component.data;
  const root = place.querySelector(".assay-browse") ?? takePage(place);
  if (who || !root.who) root.who = who; // it may be said, or changed, while the page is open
  root.proposal = proposal;
  root.mount(component);
  root.start();
  return () => { root.page?.stop(); root.page = null; };
}

// Browse before Streamlit is up: the page starts by itself, and Streamlit takes it over when it has drawn its own.

import { make } from "./dom.js";
import { browse } from "./main.js";
import { Pictures } from "./pictures.js";

let waiting = null; // the page that nobody has taken over yet

export function openPage() { // what it wants to tell Streamlit waits until that listens
  const root = make("div", { class: "assay-browse" });
  const mounted = new Promise((done) => { root.mount = (component) => { root.component = component; done(); }; });
  const tell = (...said) => mounted.then(() => root.component.setTriggerValue(...said));
  root.start = () => { root.page ??= browse(root, () => ({ setTriggerValue: tell }), Pictures); };
  return root;
}

export function takePage(place) { // into a place that Streamlit has drawn; scrolled and focused as it was
  const root = waiting?.root ?? openPage(), focused = document.activeElement;
  if (!waiting) place.append(root);
  else if (place.moveBefore) place.moveBefore(root, null);
  else { place.append(root); if (root.contains(focused)) focused.focus({ preventScroll: true }); }
  waiting?.end();
  root.start();
  root.page.settle();
  return root;
}

export function openEarly(seconds) { // `seconds` after Streamlit has drawn a page without Browse it goes
  const root = openPage(), home = location.pathname, frame = make("div", { class: "assay-early" }, root);
  const chosen = JSON.parse(localStorage.getItem(`stActiveTheme-${home}-v2`) ?? '"System"');
  const dark = chosen === "Dark" || (chosen !== "Light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  root.who = new URLSearchParams(location.search).get("who") ?? "";
  document.body.append(frame);
  let left = 4 * seconds;
  const watch = setInterval(() => {
    const drawn = document.querySelector('[data-testid="stApp"][data-test-script-state="notRunning"]');
    if (location.pathname === home && (!drawn || left-- > 0)) return;
    root.page?.stop();
    waiting?.end();
  }, 250);
  const end = () => { waiting = null; clearInterval(watch); frame.remove(); document.documentElement.style.removeProperty("color-scheme"); };
  waiting = { root, end };
  root.start();
  return root;
}

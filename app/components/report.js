// The report of an experiment as a part of the page. It is read as text: only what a report of ours is made of is taken over,
// since a bench, and so its reports, may come from anybody.

const TAGS = new Set(`a b br circle code dd details div dl dt em figcaption figure h1 h2 h3 h4 header i img input label li line main nav ol p pattern
  polygon polyline pre rect s section small span summary svg table tbody td text th thead title tr ul`.split(/\s+/));
const STYLE = /^(--[a-z]+:#?[0-9a-f.]+;?)+$/i; // a number or a colour for the style sheet

export default function (component) {
  const root = component.parentElement.querySelector(".report"), { key } = component.data;
  if (root.key === key) return;
  root.key = key;
  root.watching?.disconnect();
  show(root, component.data).catch((e) => {
    root.replaceChildren(Object.assign(document.createElement("p"), { className: "about wait", textContent: `The report cannot be shown: ${e.message}. Choose it again.` }));
    root.key = null;
  }).finally(() => root.removeAttribute("aria-busy"));
}

async function show(root, { key, browse, who }) {
  const answer = await fetch(`/assay/report/${key}`);
  if (!answer.ok) throw new Error(answer.status === 404 ? "its file is gone" : `the server says ${answer.status}`);
  const read = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (root.key !== key) return; // another one was chosen meanwhile
  const body = document.createDocumentFragment();
  for (const node of [...read.body.childNodes]) body.append(node);
  body.querySelectorAll("*").forEach(keepSafe);
  for (const main of body.querySelectorAll("main")) rename(main, "article"); // the page around it has one
  if (browse) for (const marked of body.querySelectorAll("[data-where]")) link(marked, who);
  root.replaceChildren(body);
  follow(root);
}

function keepSafe(node) {
  if (!TAGS.has(node.localName)) return node.remove();
  for (const { name, value } of [...node.attributes]) {
    const wrong = name.startsWith("on") || (name === "style" && !STYLE.test(value)) || (name === "src" && !value.startsWith("data:image/"))
      || (name.endsWith("href") && !value.startsWith("#")) || ["srcset", "action", "formaction", "target"].includes(name);
    if (wrong) node.removeAttribute(name);
  }
  if (node.localName === "input" && node.type !== "radio") node.remove();
}

function rename(node, tag) {
  const other = document.createElement(tag);
  for (const { name, value } of node.attributes) other.setAttribute(name, value);
  other.classList.add("main");
  other.append(...node.childNodes);
  node.replaceWith(other);
}

// a figure leads to the samples behind it
function link(marked, who) {
  const a = document.createElement("a"), q = new URLSearchParams({ q: marked.dataset.where, ...(who ? { who } : {}) });
  a.href = `/browse?${q}`;
  a.title = `Browse: ${marked.dataset.shows}`;
  a.append(...marked.childNodes);
  marked.append(a);
}

// the contents: a click scrolls, and what is on the screen stands out
function follow(root) {
  const links = new Map([...root.querySelectorAll("nav a")].map((a) => [a.getAttribute("href").slice(1), a]));
  const part = (id) => root.querySelector(`#${CSS.escape(id)}`);
  root.querySelectorAll('a[href^="#"]').forEach((a) => a.addEventListener("click", (e) => {
    const to = part(a.getAttribute("href").slice(1));
    e.preventDefault();
    to?.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    to?.setAttribute("tabindex", "-1");
    to?.focus({ preventScroll: true });
  }));
  const seen = new Set();
  root.watching = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) seen[isIntersecting ? "add" : "delete"](target.id);
    const first = [...links.keys()].find((id) => seen.has(id));
    if (!first) return;
    for (const [id, a] of links) id === first ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current");
    const here = links.get(first), strip = here.parentElement; // on a telephone the contents are a line: what is read stays in it
    strip.scrollLeft += here.getBoundingClientRect().left - strip.getBoundingClientRect().left - 16;
  }, { rootMargin: "-80px 0px -50% 0px" });
  for (const id of links.keys()) { const at = part(id); if (at && at.localName === "section") root.watching.observe(at); }
}

// What a sample is shown as: a picture, or a text. Both are asked for by `src`, and say when they are there.
//
// Everywhere else `newSample()` or `make(SAMPLE, { src })` stands, and nothing asks which of the two it is.

import { medium } from "/assay/medium.js";

export const isText = medium === "text";
export const SAMPLE = isText ? "assay-text" : "img";
export const NOUN = { text: "text", row: "row" }[medium] ?? "picture";
export const newSample = () => document.createElement(SAMPLE);
export const sizeOf = ({ width, height }) => (isText ? `${width.toLocaleString("en")} characters` : `${width} × ${height}`); // what a bench keeps of each
export const WHOLE = 4096; // the side by which all of a text is asked for

const HOVER = 1000; // characters that are shown on hover
const LARGE = 512; // pixels: a place of so many has room to read in

class SampleText extends HTMLElement { // as an <img>: src, alt, complete, decode(), "load" and "error"
  static observedAttributes = ["src"];
  asked = 0; complete = false; naturalWidth = LARGE; naturalHeight = LARGE; words = Promise.resolve();
  get src() { const src = this.getAttribute("src"); return src ? new URL(src, location.href).href : ""; }
  set src(address) { this.setAttribute("src", address); }
  get alt() { return this.getAttribute("alt") ?? ""; }
  set alt(words) { this.setAttribute("alt", words); this.name(); }
  decode() { return this.words; }
  connectedCallback() { this.name(); }
  name() { // a long one scrolls, so the keyboard must reach it; a small one is part of a button that has a name
    if (!this.classList.contains("roomy") || !this.isConnected || this.closest("button")) return;
    this.tabIndex = 0;
    this.role = "region";
    this.ariaLabel = this.alt || "the text";
  }
  attributeChangedCallback(_, before, address) {
    if (before === address) return;
    this.complete = false;
    const mine = ++this.asked;
    if (!address) return this.replaceChildren();
    this.words = this.fetch(new URL(address, location.href), mine);
    this.words.then(() => "load", () => "error").then((event) => {
      if (mine !== this.asked) return;
      this.complete = true;
      this.dispatchEvent(new Event(event));
    });
  }
  async fetch(address, mine) {
    const side = Number(address.searchParams.get("side") ?? LARGE), page = new URL(address);
    page.pathname = address.pathname.replace("/assay/image/", "/assay/text/");
    const answer = await fetch(page);
    if (!answer.ok) throw new Error("no such text");
    const said = await answer.json();
    if (mine === this.asked) this.show(said, side, address);
  }
  show({ text, characters }, side, address) {
    const body = document.createElement("div"), count = (n) => n.toLocaleString("en");
    body.dir = "auto"; // of the text alone: what we say beneath it is ours
    body.textContent = text;
    this.classList.toggle("roomy", side >= LARGE);
    this.name();
    if (side < LARGE) this.title = text.slice(0, HOVER);
    const cut = text.length < characters && side >= LARGE;
    this.replaceChildren(body, ...(cut ? [this.more(`${count(text.length)} of ${count(characters)} characters.`, address)] : []));
    if (!cut && [...text].length < characters) body.append(" …");
  }
  more(words, address) { // what was left out is said, and had for the asking
    const line = document.createElement("small"), all = document.createElement("button");
    Object.assign(all, { type: "button", textContent: "show all of it" });
    all.onclick = (e) => { e.stopPropagation(); address.searchParams.set("side", WHOLE); this.src = address.pathname + address.search; };
    line.append(words, " ", all);
    return line;
  }
}

if (isText && !customElements.get(SAMPLE)) {
  customElements.define(SAMPLE, SampleText);
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("./sample.css", import.meta.url).href }));
}

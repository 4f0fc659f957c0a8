// The inspector: one sample large, with all that is known of it. Of a locked sample that is picture, key and metadata.

import { clip, icon, ICONS, make } from "./dom.js";
import { ask } from "./server.js";
import { closeUp, drawTools, makeViewer, openPicture, UNREADABLE, VIEWER_ACTS } from "../viewer.js";
import { SAMPLE, sizeOf } from "../sample.js";
import { drawWhy } from "../why.js";

const QUICK = 150; // ms between two samples that are leafed through

const address = (id, side = 1024) => `/assay/image/${encodeURIComponent(id)}?side=${side}`;

export class Inspector {
  constructor(actions) { // who(), open(id), like(id), close(), step(by), colourOf(name), ahead(): ids that come next
    this.actions = actions;
    this.body = make("div", { class: "body" });
    this.large = make("div", { class: "large", title: "click: in a window of its own (Z); C held: beside its nearest neighbour" });
    this.tools = make("div");
    let show = () => {};
    this.viewer = makeViewer(this.large, { changed: (view) => show(view) }); // one for all samples: zoom and light stay
    show = drawTools(this.tools, this.viewer);
    this.large.onpointerdown = (e) => { this.pressed = [e.clientX, e.clientY]; };
    this.large.onclick = (e) => { if (!this.pressed || Math.hypot(e.clientX - this.pressed[0], e.clientY - this.pressed[1]) < 5) this.zoom(); };
    this.release = () => { if (this.viewer.comparing()) this.viewer.compare(null); };
    for (const end of ["keyup", "blur"]) window.addEventListener(end, this.release);
    const button = (name, label, onclick) => make("button", { class: "icon", title: label, "aria-label": label, onclick }, icon(ICONS[name]));
    this.root = make("aside", { class: "inspector", "aria-label": "sample", hidden: true },
      make("div", { class: "top" }, button("left", "the one before", () => actions.step(-1)), button("right", "the next one", () => actions.step(1)), make("span", { class: "push" }), button("close", "close (Escape)", () => actions.close())), this.body);
    this.root.onkeydown = (e) => { if (e.key === "Escape" && !e.target.matches("input")) { e.stopPropagation(); actions.close(); } };
  }
  async show(id, again) {
    this.id = id;
    this.root.hidden = false;
    if (!again) { // the picture first: the rest is behind it
      this.said = null;
      this.picture?.removeAttribute("src"); // nobody waits for one that was passed by
      const img = (this.picture = make(SAMPLE, { src: address(id), alt: "" }));
      img.onload = () => img.classList.toggle("small", Math.max(img.naturalWidth, img.naturalHeight) <= 64);
      img.onerror = () => { if (this.picture === img) { this.viewer.show(null); this.large.replaceChildren(make("p", { text: UNREADABLE })); } };
      this.large.replaceChildren(img);
      this.viewer.show(img, closeUp(address(id)), true);
      this.body.replaceChildren(this.large, this.tools, make("p", { class: "quiet", text: "…" }));
      this.window?.display(this.shown());
    }
    const quick = performance.now() - (this.asked ?? 0) < QUICK; // who leafs through asks about the one they stop at
    this.asked = performance.now();
    this.asking?.abort();
    const { signal } = (this.asking = new AbortController());
    if (quick && !again) await new Promise((r) => setTimeout(r, QUICK));
    if (signal.aborted) return;
    try {
      const said = await ask(`/assay/sample/${encodeURIComponent(id)}?who=${encodeURIComponent(this.actions.who())}`, undefined, signal);
      if (this.id === id) this.draw(said);
    } catch (e) {
      if (this.id === id && !signal.aborted) this.body.replaceChildren(this.large, this.tools, make("p", { class: "quiet", text: `${e.message}. ${e.hint ?? ""}` }));
    }
  }
  hide() { this.id = this.said = null; this.root.hidden = true; this.body.replaceChildren(); }
  stop() { this.viewer.stop(); this.window?.close(); for (const end of ["keyup", "blur"]) window.removeEventListener(end, this.release); }
  shown() { // what the window shows of the sample
    const { said, id } = this, label = said && !said.locked ? (said.label ? `, labelled ${said.label}` : ", no label") : "";
    const near = (said?.near ?? []).map((one) => ({ address: address(one.sample), words: `${clip(one.key, 60)}${one.label ? `, labelled ${clip(one.label, 40)}` : ""}` }));
    return { address: address(id), name: said?.key ?? "sample", caption: said ? `${clip(said.key, 200)}${label}` : "…", near, ahead: (this.actions.ahead?.() ?? []).map((one) => address(one)) };
  }
  zoom() { this.window ??= openPicture({ ...this.shown(), host: this.root.parentElement ?? document.body, step: (by) => this.actions.step(by), closed: () => { this.window = null; } }); }
  key(e) { // a key of the viewer, while the inspector is open; true where it was one
    const key = e.key.toLowerCase(), found = VIEWER_ACTS.find(([, , keys]) => keys.includes(key));
    if (key === "c") { const [near] = this.shown().near; if (near && !e.repeat && !this.viewer.comparing()) this.viewer.compare(near.address, near.words); return true; }
    if (key === "z") { if (!e.repeat) this.zoom(); return true; }
    return this.viewer.pan(e) || Boolean(found && this.viewer.act(found[0]));
  }
  part(title, ...inner) { return make("section", {}, make("h3", { text: title }), ...inner); }
  pairs(rows) {
    return make("dl", {}, ...rows.filter(([, v]) => v !== null && v !== undefined && v !== "").flatMap(([k, v]) => [make("dt", { text: clip(String(k), 40), title: String(k) }), make("dd", {}, v instanceof Node ? v : make("span", { text: clip(String(v), 300), title: String(v) }))]));
  }
  draw(said) {
    this.said = said;
    this.window?.display(this.shown());
    const { actions } = this, named = (name) => make("span", { class: "class" }, make("i", { style: { "--c": actions.colourOf(name) } }), make("span", { text: name }));
    this.picture.alt = said.key;
    const name = make("h2", { text: clip(said.key, 120), title: said.key }), like = make("button", { text: "like this", title: "sort all by likeness to this picture", onclick: () => actions.like([said.sample]) });
    const copy = make("button", { text: "copy id", title: said.sample, onclick: () => navigator.clipboard?.writeText(said.sample) });
    const parts = [this.large, this.tools, name, make("div", { class: "row" }, said.locked ? null : like, said.label && actions.exemplar ? make("button", { text: "exemplar", title: `make it an exemplar of ${said.label}`, onclick: () => actions.exemplar([said.sample]) }) : null, make("button", { text: "zoom (Z)", title: "in a window of its own", onclick: () => this.zoom() }), copy)];
    const about = [["split", said.split], ["size", sizeOf(said)], ["file", said.uri]];
    if (said.locked) parts.push(make("p", { class: "lock" }, icon(ICONS.lock), make("span", { text: `A ${said.split} sample is locked: its label, scores and issues are shown nowhere, and nobody edits it here.` })));
    else {
      const row = said.row, percent = (v) => (typeof v === "number" ? v.toFixed(3) : null);
      const doubt = row.suggestion && row.suggestion !== said.label ? make("span", { class: row.flagged ? "amber" : "" }, named(row.suggestion)) : row.suggestion;
      parts.push(this.part("Label", this.pairs([["now", said.label ? named(said.label) : "no label"], ["as imported", row.given_label !== said.label ? row.given_label : null], ["model", doubt], ["score of the label", percent(row.score)], ["decision", row.decision], ["tags", said.tags.join(", ")], ["kept", said.keep ? null : "no: it was dropped"]])));
      if (said.votes.hidden) parts.push(make("p", { class: "quiet", text: `${said.votes.hidden} others have decided; what they said is shown once you have, since the majority counts here.` }));
      else if (said.votes.votes.length) parts.push(this.part("Others said", this.pairs(said.votes.votes.map((v) => [v.who, v.said]))));
      parts.push(this.why(said));
      if (said.split === "val" && said.label && row.suggestion && row.suggestion !== said.label) parts.push(this.mistake(said));
      if (said.issues.length) parts.push(this.part("Issues", make("ul", {}, ...said.issues.map((i) => make("li", {}, make("b", { text: i.kind.replaceAll("_", " ") }), make("span", { text: i.why ? ` ${clip(i.why, 400)}` : "" }), i.score === null ? null : make("span", { class: "quiet", text: ` ${i.score.toFixed(3)}` }))))));
      if (said.near.length) parts.push(this.part("Neighbours", this.near(said.near)));
    }
    parts.push(this.part("Metadata", this.pairs([...about, ...said.meta])));
    if (said.edits?.length) parts.push(this.part("History", make("ol", { class: "edits" }, ...said.edits.map((e) => make("li", { class: e.stands ? "" : "past" }, make("span", { text: `${e.field === "label" && e.verdict !== "set" ? e.verdict : e.field} ${e.value ?? ""}` }), make("small", { class: "quiet", text: [e.who, e.when, e.why].filter(Boolean).join(" · ") }))))));
    this.body.replaceChildren(...parts);
  }
  near(some) {
    return make("div", { class: "near" }, ...some.map((one) => make("button", { title: `${one.key}${one.label ? `, labelled ${one.label}` : ""}${one.locked ? ", locked" : ""}${one.doubted ? ", doubted" : ""}`, "aria-label": `open ${one.key}`, onclick: () => this.actions.open(one.sample) },
      make(SAMPLE, { src: `/assay/image/${encodeURIComponent(one.sample)}?side=128`, alt: "", loading: "lazy" }), make("small", { text: one.says ?? (one.locked ? "locked" : one.label ?? "no label") }))));
  }
  later(title, address, fill) { // what is asked for when it is opened
    const box = make("div", { class: "why" }), part = make("details", {}, make("summary", { text: title }), box);
    part.ontoggle = async () => {
      if (!part.open || box.childElementCount) return;
      box.replaceChildren(make("p", { class: "quiet", text: "…" }));
      try { box.replaceChildren(...fill(await ask(address))); } catch (e) { box.replaceChildren(make("p", { class: "quiet", text: `${e.message}. ${e.hint ?? ""}` })); }
    };
    return part;
  }
  why({ sample }) { // how its number came about
    return this.later("How is this known?", `/assay/why/${encodeURIComponent(sample)}`, drawWhy);
  }
  mistake({ sample }) { // which train labels made the model say otherwise
    return this.later("Which labels made this mistake?", `/assay/mistake/${encodeURIComponent(sample)}`, (said) => {
      if (!said.rows.length) return [make("p", { text: "Of the train labels that speak for it none is left to review." })];
      const to = `/review?${new URLSearchParams({ queue: said.queue, ...(this.actions.who() ? { who: this.actions.who() } : {}) })}`;
      const some = said.rows.map((one) => ({ ...one, says: `+${one.influence.toFixed(2)} ${one.label}${one.doubted ? ", doubted" : ""}` }));
      return [make("p", { text: "Train labels that pull the model most towards it: without the first, the label here would gain so much in log-odds." }), this.near(some), make("p", {}, make("a", { href: to, target: "_self", text: said.total === 1 ? "Review it" : `Review these ${said.total}` }))];
    });
  }
}

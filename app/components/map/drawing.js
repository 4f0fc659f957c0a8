// How the map is drawn: by UMAP or by components, what is at work on it, and the button for what is missing.

import { make } from "../browse/dom.js";
import { ask } from "../browse/server.js";

const POLL = 700, PATIENCE = 120; // ms between two looks, and looks until a job must have begun

export class Drawing {
  constructor(actions) { // method(name): show that map; drawn(): a map was drawn anew; stopped()
    this.actions = actions;
    this.method = make("select", { "aria-label": "drawn by", onchange: () => this.choose(this.method.value) }, make("option", { value: "umap", text: "UMAP" }), make("option", { value: "components", text: "components" }));
    this.box = make("div", { class: "drawing", role: "status", hidden: true });
    this.wanted = null; // the method that waits for its job
  }
  async ask(body) {
    try { this.said = await ask("/assay/map/drawing", body); this.draw(); } catch (e) { this.tell([make("span", { text: `${e.message}. ${e.hint ?? ""}` })]); }
  }
  async start() { await this.ask(); this.follow(); }
  async follow() { // while something is at work
    if (this.following) return;
    this.following = true;
    for (let waited = 0; !this.actions.stopped() && (this.said?.job?.state === "running" || (this.begun && waited < PATIENCE)); waited++) {
      const key = `${this.said?.key} ${this.said?.method} ${this.said?.components}`;
      await new Promise((r) => setTimeout(r, POLL));
      await this.ask();
      if (this.said?.job) { this.begun = false; waited = 0; }
      if (key !== `${this.said?.key} ${this.said?.method} ${this.said?.components}`) { this.begun = false; this.actions.drawn(this.wanted); this.wanted = null; }
    }
    const lost = this.begun;
    this.begun = this.following = false;
    this.draw();
    if (lost) this.tell([make("b", { text: "The map was not drawn" }), make("span", { text: "its process did not begin: jobs/map.log of the bench says why" })]);
  }
  choose(method) {
    const { said } = this, there = method === "components" ? said?.components : said?.method === "umap";
    if (there) return this.actions.method(method === "umap" ? "" : method);
    this.begin(method);
  }
  async begin(what) { // the click is answered at once; the job follows
    this.wanted = what === "components" ? what : "";
    this.begun = true;
    this.draw();
    await this.ask({ do: what });
    this.follow();
  }
  show(method) { this.method.value = method === "umap" || method === "placed" ? "umap" : "components"; }
  tell(parts) { this.box.hidden = !parts.length; this.box.replaceChildren(...parts); }
  button(text, what, main) { return make("button", { text, class: main ? "main" : "", onclick: () => (["stop", "dismiss"].includes(what) ? this.ask({ do: what }) : this.begin(what)) }); }
  draw() {
    const { said } = this, job = said?.job;
    if (job?.state === "running" || this.begun) {
      const name = job?.name === "errand-scan" ? "scanning" : job?.question ?? "the map";
      return this.tell([make("b", { text: name }), make("progress", { value: job?.share ?? 0, max: 1, "aria-label": name }), make("span", { text: job ? `${Math.round(100 * (job.share ?? 0))} % · ${job.text ?? "it begins"}` : "it begins" }), ...(job ? [this.button("Stop", "stop")] : [])]);
    }
    if (job) return this.tell([make("b", { text: job.state === "failed" ? "The map was not drawn" : "Stopped: the map is as it was" }), make("span", { text: job.error ?? "" }), this.button("Dismiss", "dismiss")]);
    if (said && !said.method && !this.missing) return this.tell([]);
    if (said && !said.method) return this.tell([make("b", { text: said.scanned ? "The map is not drawn yet" : "There is no map before a scan" }), make("span", { class: "quiet", text: said.scanned ? "Samples that are alike lie near each other on it." : "A scan looks at every sample, and then draws the map." }), this.button(said.scanned ? "Draw it" : "Scan", said.scanned ? "umap" : "scan", true)]);
    this.tell([]);
  }
}

// What is done: one act is one batch, says what it did, what it did to accuracy, and how it is undone.

import { make } from "../browse/dom.js";
import { ask, Refused } from "../browse/server.js";

export class Acts {
  constructor({ who, askName, changed, away }) {
    Object.assign(this, { who, askName, changed, away });
    this.own = []; // batches of this page, the newest last
    this.last = null; // the newest change of the list, by whoever
    this.sending = 0; // acts on their way: each waits for the one before
    this.before = Promise.resolve();
    this.says = make("p", { class: "says", role: "status" });
    this.effect = make("p", { class: "effect", role: "status" });
    this.back = make("button", { onclick: () => this.undo(), hidden: true, "aria-keyshortcuts": "Control+Z" });
    this.root = make("div", { class: "acts" }, this.back, make("div", {}, this.says, this.effect));
  }
  inTurn(work) {
    this.sending++;
    this.before = this.before.then(work).finally(() => { this.sending--; this.draw(); });
    return this.before;
  }
  act(asked, focus) { // true where it was done
    if (!this.who()) return new Promise((done) => this.askName(() => done(this.act(asked, focus))));
    return this.inTurn(() => this.send(asked, focus));
  }
  async send(asked, focus) {
    this.say("…");
    try {
      const said = await ask("/assay/classes", { ...asked, who: this.who() });
      this.away(false);
      if (said.batch) this.own.push({ batch: said.batch, words: said.words });
      this.say(said.words);
      await this.changed(focus);
      if (said.effect) this.follow(said.batch);
      return true;
    } catch (e) { this.refuse(e); return false; }
  }
  async take(batch, words, keep) {
    try {
      await ask("/assay/classes", { what: "undo", batch, who: this.who() });
      keep();
      this.say(words);
      await this.changed();
    } catch (e) { this.refuse(e); if (e instanceof Refused) this.own = this.own.filter((one) => one.batch !== batch); }
  }
  undo() { if (this.who()) this.inTurn(() => this.undoOne()); else this.askName(() => this.undo()); }
  undoOne() {
    const one = this.own.at(-1) ?? this.last;
    if (!one) return this.say("Nothing was changed that could be taken back here; History has what is older.");
    return this.take(one.batch, `Taken back: ${one.words}`, () => { this.own = this.own.filter((o) => o !== one); });
  }
  hear({ words, failed }) { // of what Ctrl+Z took back, wherever it was done
    if (!failed) this.own = [];
    this.inTurn(async () => { this.say(words); await this.changed(); });
  }
  async follow(batch) { // the accuracy comes after the act
    for (this.following = batch; this.following === batch;) {
      const said = await ask(`/assay/classes/effect?batch=${encodeURIComponent(batch)}`).catch((e) => ({ ready: true, words: e.message }));
      if (this.following !== batch) return;
      this.effect.textContent = said.words;
      this.root.dataset.effect = said.ready ? "ready" : "waits";
      if (said.ready) return this.changed();
    }
  }
  say(words) {
    this.following = null;
    this.says.textContent = words;
    this.says.classList.remove("bad");
    this.effect.textContent = "";
  }
  refuse(e) {
    if (!(e instanceof Refused)) this.away(true);
    this.say(`Not done: ${e.message}.${e.hint ? ` ${e.hint[0].toUpperCase()}${e.hint.slice(1)}.` : ""}`);
    this.says.classList.add("bad");
  }
  draw() {
    const one = this.own.at(-1) ?? this.last;
    this.back.hidden = !one;
    this.back.textContent = one ? `Undo: ${one.words}` : "";
    this.back.title = one ? one.words : "";
  }
}

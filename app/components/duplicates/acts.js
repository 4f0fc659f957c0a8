// What is done with groups: each act is one batch, says what it did, and is undone by a button or Ctrl+Z.

import { count, hex, make, samples } from "../browse/dom.js";
import { ask, patiently, Refused } from "../browse/server.js";
import { refresh } from "../frame/events.js";
import { undoLast } from "../frame/undo.js";

const groups = (n) => `${count(n)} ${n === 1 ? "group" : "groups"}`;
const kept = (p) => (p.locked ? ` ${groups(p.locked)} with test or guard copies ${p.locked === 1 ? "keeps its" : "keep their"} test or guard samples.` : "");

export class GroupActs {
  constructor(actions) { // who(), askName(then), stored(place), away(yes), query(), stopped()
    Object.assign(this, actions);
    this.says = make("div", { class: "says", role: "status" });
    this.root = make("div", { class: "acts", role: "region", "aria-label": "what was done" }, this.says);
  }
  say(words, ...buttons) { this.says.replaceChildren(...(words ? [make("span", { text: words })] : []), ...buttons); }
  button(words, onclick, main) { return make("button", { text: words, onclick, class: main ? "main" : "" }); }
  keep(group, place, m) {
    const words = m ? "kept the one that you chose" : group.locked ? "kept the test or guard samples" : "kept the best";
    return this.send("keep", { group: group.group, ...(m ? { keep: m.id } : {}) }, (said) => `${words}: dropped ${samples(said.samples)}`, place);
  }
  apart(group, place, m) {
    const ids = group.members.map((one) => one.id), rest = ids.filter((id) => id !== m?.id);
    return this.send("apart", m ? { samples: [m.id], others: rest } : { samples: ids }, () => (m ? "one is no copy of the others: remembered" : "these are no copies: remembered"), place);
  }
  async planAll() { // what keeping the best of all would do, before it is done
    if (!this.who()) return this.askName(() => this.planAll());
    this.say("counting …");
    try {
      const said = await patiently(() => ask(`/assay/duplicates/plan?${this.query()}`), this.away, this.stopped);
      const { all, agreeing } = said, contradict = all.groups - agreeing.groups;
      if (!all.dropped) return this.say("Nothing to drop: what is left are copies within test or guard.");
      const send = (one, only) => () => this.send("keep", { of: said.of, agreeing: only }, (done) => `kept the best of ${groups(done.groups ?? one.groups)}: dropped ${samples(done.samples)}`);
      this.say(`Drops ${count(all.dropped)} of ${samples(said.samples)}, and keeps ${count(all.kept)} of ${groups(all.groups)}.${kept(all)}${contradict ? ` In ${groups(contradict)} labels contradict each other: the label of the one that is kept stands.` : ""}`,
        this.button(`keep the best of ${all.groups === 1 ? "it" : `all ${count(all.groups)}`}`, send(all, false), !contradict),
        ...(contradict && agreeing.dropped ? [this.button(`only of the ${count(agreeing.groups)} whose labels agree`, send(agreeing, true), true)] : []),
        this.button("no", () => this.say("")));
      this.says.querySelector("button.main")?.focus();
    } catch (e) { this.say(`${e.message}. ${e.hint ?? ""}`); }
  }
  async send(route, asked, tell, place = 0) {
    if (this.sending) return;
    if (!this.who()) return this.askName(() => this.send(route, asked, tell, place));
    const body = { who: this.who(), batch: `edit-${hex(6)}`, ...asked };
    this.sending = true;
    this.say("storing …");
    try { // a batch that is sent twice is stored once: its name says so
      const said = await patiently(() => ask(`/assay/duplicates/${route}?${this.query()}`, body), this.away, this.stopped);
      refresh();
      await this.stored(place, said);
      this.say(said.batch ? tell(said) : "nothing to drop", ...(said.batch ? [this.button("Undo (Ctrl+Z)", () => undoLast())] : []));
    } catch (e) {
      this.say(`not stored: ${e.message}. ${e.hint ?? ""}`);
      if (e instanceof Refused) await this.stored(place);
    }
    this.sending = false;
  }
  undone({ words, redo, failed }) { // what the bar's undo did, wherever the act was made
    this.say(words, ...(failed ? [] : [this.button(redo ? "Do one more again" : "Undo one more", () => undoLast({ redo })), this.button(redo ? "Undo (Ctrl+Z)" : "Redo (Ctrl+Shift+Z)", () => undoLast({ redo: !redo }))]));
  }
}

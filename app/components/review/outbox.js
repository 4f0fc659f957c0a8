// Decisions wait here, in the browser's own storage, until the server has stored them.

import { ask, hex } from "./server.js";

const AT_ONCE = 40;

export function makeOutbox(bench, { who, answered, refused, failed, changed }) {
  const prefix = `assay:${bench}:`; // one key a decision: tabs do not overwrite each other, and what is sent twice is stored once
  let waiting = [], sending = false, stopped = false, count = 0;
  for (const key of Object.keys(localStorage).filter((k) => k.startsWith(prefix)).sort())
    waiting.push({ key, ...JSON.parse(localStorage.getItem(key)) });

  function add(body, pressed) {
    const one = { key: `${prefix}${Date.now()}-${String(count++).padStart(6, "0")}-${hex(4)}`, who: who(), body, at: pressed };
    try {
      localStorage.setItem(one.key, JSON.stringify({ who: one.who, body }));
    } catch { /* a browser without room still sends */ }
    waiting.push(one);
    send();
  }
  function forget(one) {
    localStorage.removeItem(one.key);
    waiting = waiting.filter((w) => w !== one);
  }
  async function send() { // all that waits goes at once, in order; what is made meanwhile goes next
    if (sending || stopped) return;
    sending = true;
    for (let patience = 250; waiting.length && !stopped; changed()) {
      const some = waiting.slice(0, AT_ONCE).filter((w, _, all) => w.who === all[0].who);
      try {
        const said = await ask("/assay/decisions", { who: some[0].who, sent: some.map((w) => w.body) });
        const now = performance.now();
        for (const one of some) {
          forget(one);
          if (one.at) performance.measure("assay:stored", { start: one.at, end: now });
          if (said.refused[one.body.batch]) refused(one.body.batch, said.refused[one.body.batch]);
        }
        patience = 250;
        answered(said.seq, some.at(-1).at);
      } catch (e) {
        failed(e);
        changed();
        await new Promise((r) => setTimeout(r, (patience = Math.min(2 * patience, 4000))));
      }
    }
    sending = false;
  }
  return { add, send, size: () => waiting.length, stop() { stopped = true; } };
}

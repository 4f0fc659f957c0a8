// What the server tells all windows: jobs, people, the log's position. One window of a browser holds the stream, and hands on
// what it hears: a browser opens six connections to a server, and the pictures need them.

import { ask } from "../browse/server.js";

const QUIET = 25_000, CALM = 3000, PATIENT = 6000; // ms: without a word the server is asked; between two questions; until a stream must speak
const channel = "BroadcastChannel" in window ? new BroadcastChannel("assay:events") : null;
const listeners = new Set();
let last = null, heard = 0, away = false, polling = false;

export const latest = () => last;
export function listen(work) { // work(state, away) now and whenever it changes; gives what ends it
  listeners.add(work);
  if (last) work(last, away);
  return () => listeners.delete(work);
}
export function refresh() { ask("/assay/status").then((said) => hear(said, true), () => {}); } // after an act of ours: nobody waits for the next look

function tell() { for (const work of listeners) work(last, away); }
function hear(said, fresh) {
  heard = performance.now();
  away = false;
  last = said;
  if (fresh) channel?.postMessage(said);
  tell();
}
function lose() { if (!away) { away = true; if (last) tell(); } }
if (channel) channel.onmessage = ({ data }) => {
  if (data !== "hello") hear(data, false);
  else if (holding && last) channel.postMessage(last);
};

let holding = false;
function hold() { // the stream; it is opened anew when the server is back
  holding = true;
  return new Promise((end) => {
    let source, spoke = false;
    const stop = () => { source.close(); holding = false; removeEventListener("pagehide", stop); end(); };
    const open = () => {
      source = new EventSource("/assay/events");
      source.onmessage = ({ data }) => { spoke = true; hear(JSON.parse(data), true); };
      source.onerror = () => { lose(); if (source.readyState === EventSource.CLOSED) setTimeout(() => { if (holding) open(); }, CALM); };
    };
    addEventListener("pagehide", stop);
    open();
    setTimeout(() => { if (!spoke) poll(); }, PATIENT); // a proxy that keeps back what a stream says
  });
}
async function poll() { // without a stream: the server is asked as long as nobody tells anything
  if (polling) return;
  polling = true;
  for (;;) {
    if (!document.hidden && performance.now() - heard > CALM - 200) await ask("/assay/status").then((said) => hear(said, true), lose);
    await new Promise((r) => setTimeout(r, CALM));
  }
}

export const windowName = [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
let begun = false;
export function begin() {
  if (begun) return;
  begun = true;
  const next = () => navigator.locks.request("assay:events", hold).then(() => {}, poll);
  if (channel && navigator.locks && "EventSource" in window) next(); else poll(); // locks need https, or this computer
  addEventListener("pageshow", (e) => { if (e.persisted && navigator.locks) next(); });
  channel?.postMessage("hello");
  ask("/assay/status").then((said) => hear(said, false), lose);
  setInterval(() => { if (!document.hidden && performance.now() - heard > QUIET) poll(); }, QUIET / 5);
}

// What runs: stage, share, time to go, and a way to stop it.

import { clip, make } from "../browse/dom.js";
import { ask } from "../browse/server.js";
import { refresh } from "./events.js";
import { address, follow } from "./pages.js";

const rows = new Map(); // one row a job as long as it is there: a button that is drawn anew loses its click

const percent = (job) => (job.share === null ? "" : `${Math.floor(100 * job.share)} %`);
const bar = () => make("i", { class: "share", "aria-hidden": "true" });
const fill = (one, job) => one.style.setProperty("--share", `${100 * (job.share ?? 0)}%`);

export function drawJobs(box, jobs, say) {
  const [head, panel] = box.children;
  box.hidden = !jobs.length;
  if (!jobs.length) { rows.clear(); box.open = false; return; }
  const first = jobs.find((j) => !j.failed) ?? jobs[0], more = jobs.length - 1;
  const words = first.failed ? `${clip(first.words, 24)} failed` : [clip(first.words, 24), percent(first), first.left && `${first.left} to go`].filter(Boolean).join(" · ");
  box.classList.toggle("failed", jobs.some((j) => j.failed));
  if (!head.children.length) head.append(bar(), make("span", { class: "wide" }), make("span", { class: "narrow" }));
  fill(head.children[0], first);
  head.children[1].textContent = `${words}${more ? ` · ${more} more` : ""}`;
  head.children[2].textContent = first.failed ? "failed" : percent(first) || "runs";
  const shown = jobs.map((job) => { const key = `${job.name} ${job.failed}`; if (!rows.has(key)) rows.set(key, makeRow(job, say)); return rows.get(key)(job); });
  if (!panel.children.length) panel.append(make("ul"));
  const list = panel.firstElementChild;
  if (shown.length !== list.children.length || shown.some((li, i) => list.children[i] !== li)) list.replaceChildren(...shown);
}

function makeRow({ name, words, page, failed }, say) { // gives what draws it as it is now
  const stage = make("span", { class: "stage" }), share = bar();
  const act = make("button", { text: failed ? "Dismiss" : "Stop", "aria-label": `${failed ? "dismiss" : "stop"} ${clip(words, 80)}` });
  act.onclick = async () => {
    act.disabled = true;
    act.textContent = failed ? "…" : "stopping …";
    try { await ask("/assay/stop", { job: name, dismiss: failed }); refresh(); } catch (e) { say(`${e.message}. ${e.hint ?? ""}`); act.disabled = false; act.textContent = failed ? "Dismiss" : "Stop"; }
  };
  const li = make("li", {}, make("div", {}, make("a", { href: address(page), onclick: follow, text: clip(words, 80), title: words }), stage, share), act);
  return (job) => {
    const told = failed ? `failed: ${job.stage}` : [job.stage, percent(job), job.left && `about ${job.left} to go`].filter(Boolean).join(", ") || "it begins";
    stage.textContent = clip(told, 160);
    stage.title = told;
    fill(share, job);
    return li;
  };
}

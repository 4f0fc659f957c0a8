// The filter or the selection as a table: a file that the browser keeps, and the command that writes the same.

import { make, samples } from "./dom.js";
import { Refused } from "./server.js";

const word = (w) => `'${w.replaceAll("'", "'\\''")}'`;

export function exportCommand(view, given) { // what writes the same table in a shell
  const where = view.chips.map((c) => (view.chips.length > 1 ? `(${c})` : c)).join(" and ");
  const parts = [where && `--where ${word(where)}`, view.sort && `--sort ${word(view.sort)}`, view.search && `--search ${word(view.search)}`,
    view.words && `--like-words ${word(view.words)} --text-embedder package.module:function`,
    view.like.length && `--like ${view.like.map(word).join(" ")}`];
  return `assay samples ${parts.filter(Boolean).join(" ")} --csv samples.csv -b ${/^[\w./~-]+$/.test(given) ? given : word(given)}`.replace("  ", " ");
}

export async function saveTable(chosen, name) { // chosen: as an act names samples; resolves to how many rows came
  const answer = await fetch("/assay/table", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(chosen) });
  if (answer.status === 400) throw new Refused(await answer.json());
  if (!answer.ok) throw new Error(`the server says ${answer.status}`);
  const url = URL.createObjectURL(await answer.blob());
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return Number(answer.headers.get("x-rows"));
}

export function drawExport(acts, { view, given, of, total }) { // under the acts: two buttons, and the command
  const { selection } = acts, n = selection.size;
  const save = async (chosen, name) => {
    acts.say("writing the table …");
    try { acts.say(`${name}: ${samples(await saveTable(chosen, name))} written; test and guard samples show no label, score or issue.`); } catch (e) { acts.say(`not written: ${e.message}. ${e.hint ?? ""}`); }
  };
  const command = exportCommand(view, given);
  acts.say("");
  acts.says.append(
    ...(n ? [acts.button(`download the ${samples(n)} selected`, () => save(selection.body(acts.order(), acts.of(), acts.table()), "selection.csv"), true)] : []),
    acts.button(`download the ${samples(total)} of the filter`, () => save({ of, but: [] }, "samples.csv"), !n),
    make("span", { class: "quiet", text: "the filter by command: " }), make("code", { text: command }), acts.button("copy", () => navigator.clipboard?.writeText(command)));
  acts.says.querySelector("button").focus();
}

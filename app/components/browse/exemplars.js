// Pictures that show what belongs in a class are chosen here, too; Classes lists them.

import { ask } from "./server.js";

export async function makeExemplars(ids, { acts, who, askName }) {
  if (!ids.length) return acts.say("None of test and guard is an exemplar: choose others.");
  if (!who()) return askName(() => makeExemplars(ids, { acts, who, askName }));
  try {
    const said = await ask("/assay/classes", { what: "exemplar", samples: ids.slice(0, 6), who: who() });
    const undo = () => ask("/assay/classes", { what: "undo", batch: said.batch, who: who() }).then(() => acts.say("undone"), (e) => acts.say(`not undone: ${e.message}`));
    acts.say(`${said.words}.`, ...(said.batch ? [acts.button("Undo", undo)] : []));
  } catch (e) { acts.say(`not done: ${e.message}. ${e.hint ?? ""}`); }
}

// Pictures that show what belongs in a class are chosen here, too; Classes lists them.

import { setWho, undoLast } from "../frame/undo.js";
import { ask } from "./server.js";

export async function makeExemplars(ids, { acts, who, askName }) {
  if (!ids.length) return acts.say("None of test and guard is an exemplar: choose others.");
  if (!who()) return askName(() => makeExemplars(ids, { acts, who, askName }));
  setWho(who()); // whose act Ctrl+Z takes back
  try {
    const said = await ask("/assay/classes", { what: "exemplar", samples: ids.slice(0, 6), who: who() });
    acts.say(`${said.words}.`, ...(said.batch ? [acts.button("Undo (Ctrl+Z)", () => undoLast())] : []));
  } catch (e) { acts.say(`not done: ${e.message}. ${e.hint ?? ""}`); }
}

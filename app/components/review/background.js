// What lies behind a picture: how its score came about, and what others said of it. Each is fetched, and drawn where it still fits.

import { why } from "../why.js";
import { drawVotes } from "./evidence.js";

export function makeBackground($, { item, who, tell }) { // item(): what is shown; who(): who decides; tell(error)
  let told = false;
  async function explain() { // how the number came about, with this very sample
    const mine = item(), box = $("told");
    $("do-why").setAttribute("aria-expanded", String(told));
    box.hidden = !told || !mine;
    if (box.hidden) return;
    try { const fill = await why(box, mine.sample); if (item() === mine) fill(); } catch (e) { tell(e); }
  }
  async function votes(asked) { // of what is decided unasked, and else where somebody asks
    const mine = item(), box = $("votes");
    box.hidden = true;
    if (!mine || !(asked || mine.batch)) return;
    try { const fill = await drawVotes(box, mine, who(), asked); if (item() === mine) fill(); } catch (e) { tell(e); }
  }
  return {
    votes,
    toggle() { told = !told; explain(); },
    show() { if (told) explain(); votes(false); }, // for another picture
  };
}

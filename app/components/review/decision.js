// What a decision says: to the log, and to who made it.

export function makeDecision(item, what, label, seconds, added) { // what: suggested, given, unsure, drop or label
  const { sample, given_label, suggested_label, score, rank, random } = item;
  const reason = [item.reason, item.saw && "saw the votes of others first"].filter(Boolean).join("; ");
  const decision = { sample, given_label, suggested_label, score, rank, random, reason, seconds };
  if (what === "given") return [{ ...decision, verdict: "confirm" }, given_label];
  if (what === "unsure") return [{ ...decision, verdict: "unsure" }, "not sure"];
  if (what === "drop") return [{ ...decision, keep: false }, "dropped"];
  const chosen = what === "suggested" ? suggested_label : label;
  return [{ ...decision, label: chosen, ...(added && { new_class: true }) }, chosen];
}

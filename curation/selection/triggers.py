"""Keep triggers: saved questions asked of every new sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation import text
from assay.curation.errors import UnknownName, UserError
from assay.curation.selection import similarity
from assay.curation.selection.trigger_questions import ASK, Question
from assay.curation.slicing import gap_text, slices
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.text import format_count
from assay.curation.versioning.pointers import find_position
from assay.curation.versioning.rules import make_rule_edit

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "trigger:"  # of the rule that holds the question, and of the tag on what it caught
# of the rule that says up to where in the log it ran: the question itself may be long, and is
# written once
RAN = "ran:trigger:"
ASKED = ("train", "val", "pool")
WORDS = dict(
    similar="looks like {n}",
    confidence="confidence below {below}",
    disagreement="{runs} disagree",
    query="{query}",
)


def add_trigger(bench: Bench, name: str, kind: str, who: str, **asked: Any) -> dict:
    """Save a question that is asked from the next import on.

    kind similar: samples, perhaps gap; confidence: below; disagreement: runs, two names as
    `assay compare` takes them; query: query. Seeds are kept by id, so that a gap stays what it
    was when the trigger was set.
    """
    text.check_text(PREFIX + name, "the name of a trigger")
    if name in active_triggers(bench):
        raise UserError(
            f"expected a new name for the trigger, found {name!r}, which is taken",
            f"assay trigger remove {name} -b {bench.given}",
        )
    if kind == "similar":
        asked["samples"] = similarity.resolve_seeds(bench, asked["samples"], bench.state())
    elif kind == "confidence" and not 0 < asked["below"] <= 1:
        raise UserError(
            f"expected a confidence above 0 and at most 1, found {asked['below']}",
            "for example --confidence-below 0.5",
        )
    elif kind == "query":
        # one that cannot be asked is refused now, not at the next import
        slices.run_slice_query(bench, asked["query"])
    question = make_rule_edit(dict(name=PREFIX + name, kind=kind) | asked)
    ran = make_rule_edit(dict(name=RAN + name, since=find_position(bench, "HEAD")))
    append_edits(bench, [question, ran], who, f"trigger {name}")
    return active_triggers(bench)[name] | estimate_base_rate(bench, name)


def estimate_base_rate(bench: Bench, name: str) -> dict:
    """Measure what share of the samples already there a trigger would catch.

    Returns dict older, base (the share; None where runs would have to be asked, or before a scan).
    """
    trigger, state = active_triggers(bench)[name], searchable_state(bench)
    if trigger["kind"] == "disagreement" or not len(state):
        return dict(older=len(state), base=None)
    try:
        asked = Question(bench, trigger, state, np.zeros(len(state), bool), None)
        caught = ASK[trigger["kind"]](asked).caught
    except UserError:  # no scan yet: the first import after it will tell
        return dict(older=len(state), base=None)
    return dict(older=len(state), base=float(caught.mean()))


def searchable_state(bench: Bench) -> pd.DataFrame:
    """Load the state of the samples that a trigger may ask about."""
    state = bench.state()
    return state[state.keep & state["split"].isin(ASKED)]


def remove_trigger(bench: Bench, name: str, who: str) -> None:
    """Remove a trigger; what it caught keeps its tag."""
    require_trigger(bench, name)
    rules = [make_rule_edit(dict(name=PREFIX + name)), make_rule_edit(dict(name=RAN + name))]
    append_edits(bench, rules, who, f"trigger {name} removed")


def append_edits(bench: Bench, edits: list[tuple], who: str, why: str) -> str:
    """Append (sample, field, value, why or "") as one batch.

    Returns the batch's name.
    """
    import pandas as pd

    batch = new_batch("trigger")
    cells = [(sample, field, json.dumps(v), own or why) for sample, field, v, own in edits]
    rows = pd.DataFrame(cells, columns=["sample", "field", "value", "why"])
    with bench.transaction() as con:
        bench.append(con, rows, batch, who)
    return batch


def active_triggers(bench: Bench) -> dict[str, dict]:
    """Load the triggers that are set, by name.

    Each a dict: kind, what it asks, since (the position in the log up to which it ran), caught
    (ids that have its tag now), said (the question in words).
    """
    rules, tags = bench.rules(), bench.state().tags
    out = {}
    for key, value in sorted(rules.items()):
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX)
            since = rules.get(RAN + name, dict(since=0))["since"]
            caught = list(tags.index[[key in t for t in tags]])
            asked = {k: v for k, v in value.items() if k != "name"}
            out[name] = asked | dict(since=since, caught=caught, said=describe_question(value))
    return out


def describe_question(rule: dict) -> str:
    """Say what a trigger asks, in words."""
    n = format_count(len(rule.get("samples", ())), "sample")
    runs = " and ".join(rule.get("runs", ()))
    words = WORDS[rule["kind"]].format_map(rule | dict(n=n, runs=runs))
    gap = rule.get("gap")
    return f"{words} of the gap {gap_text.current_name(gap)}" if gap else words


def require_trigger(bench: Bench, name: str) -> dict:
    """Load one trigger; UserError where there is none."""
    there = active_triggers(bench)
    if name not in there:
        raise UnknownName(
            f"expected a trigger, found {name!r}, which is none",
            f"there are: {', '.join(sorted(there)) or 'none'}",
            name,
            there,
        )
    return there[name]


def run_triggers(
    bench: Bench, who: str, predict: Callable | None = None, only: str | None = None
) -> list[dict]:
    """Ask every trigger of the samples that came new.

    Of those that came since it last ran; only the one called `only`, where it is given. Kept
    samples of train, val and pool. What a trigger catches gets its tag, in one batch. predict(run,
    ids) says what runs predict: see model_disagreement. Returns dicts name, new, caught (ids),
    unjudged (samples that a run has not seen: they are asked about again), older, base (of so many
    that were there before, the share that it would have caught: its control), batch, error.
    """
    triggers = active_triggers(bench).items()
    return [run_trigger(bench, n, t, who, predict) for n, t in triggers if only in (None, n)]


def run_trigger(bench: Bench, name: str, trigger: dict, who: str, predict: Callable | None) -> dict:
    """Ask one trigger: see run_triggers."""
    out = dict(name=name, new=0, caught=[], unjudged=0, older=0, base=None, batch=None, error=None)
    upto = find_position(bench, "HEAD")
    state = searchable_state(bench)
    new = state.index.isin(find_new_samples(bench, trigger["since"]))
    if not new.any():
        return out
    out["new"] = int(new.sum())
    try:
        answer = ASK[trigger["kind"]](Question(bench, trigger, state, new, predict))
    except UserError as e:
        # a run that is gone must not stop a scan: the others are asked, and this one next time
        return out | dict(error=f"{e.problem}; {e.hint}")
    tag = PREFIX + name
    query = "select distinct sample from edits where field = 'tag' and value ->> 'name' = ?"
    once = {sample for (sample,) in bench.rows(query, [tag])}
    caught = [sample for sample in state.index[answer.caught & new] if sample not in once]
    edits = []
    for sample in caught:
        why = f"caught by the trigger {name}: {answer.reasons.get(sample, trigger['said'])}"
        edits.append((sample, "tag", dict(name=tag, on=True), why))
    unjudged, older = int((new & ~answer.judged).sum()), ~new & answer.judged
    if not unjudged:
        edits.append(make_rule_edit(dict(name=RAN + name, since=upto)))
    out |= dict(caught=caught, unjudged=unjudged, older=int(older.sum()))
    if older.any() and trigger["kind"] != "disagreement":
        out["base"] = float(answer.caught[older].mean())
    if edits:
        out["batch"] = append_edits(bench, edits, who, f"trigger {name} ran")
    return out


def find_new_samples(bench: Bench, since: int) -> set[str]:
    """Find samples whose first edit came after the position `since`."""
    query = "select sample from edits where sample <> '' group by sample having min(seq) > ?"
    return {sample for (sample,) in bench.rows(query, [since])}

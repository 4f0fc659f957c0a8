"""What a trigger is: a saved question that is asked of every sample which comes new, and what it caught."""

import json

import numpy as np

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.features.knn import K
from assay.curation.label_quality import live
from assay.curation.predictions import model_disagreement
from assay.curation.selection import similarity
from assay.curation.slicing import slices
from assay.curation.storage.arrays import load
from assay.curation.storage.schema import new_batch
from assay.curation.versioning.versions import position

PREFIX = "trigger:"  # of the rule that holds the question, and of the tag on what it caught
RAN = "ran:trigger:"  # of the rule that says up to where in the log it ran: the question itself may be long, and is written once
ASKED = ("train", "val", "pool")
SAID = dict(
    similar="looks like {n} samples",
    confidence="confidence below {below}",
    disagreement="{runs} disagree",
    query="{query}",
)


def add(bench, name, kind, who, **asked):
    """Save a question (kind similar: samples, perhaps gap; confidence: below; disagreement: runs, two names as `assay compare` takes them; query:
    query) that is asked from the next import on. Seeds are kept by id, so that a gap stays what it was when the trigger was set."""
    text.check(PREFIX + name, "the name of a trigger")
    if name in standing(bench):
        raise UserError(
            f"expected a new name for the trigger, found {name!r}, which is taken",
            f"assay trigger remove {name} -b {bench.given}",
        )
    if kind == "similar":
        asked["samples"] = similarity.seeds_of(bench, asked["samples"], bench.state())
    elif kind == "confidence" and not 0 < asked["below"] <= 1:
        raise UserError(
            f"expected a confidence above 0 and at most 1, found {asked['below']}",
            "for example --confidence-below 0.5",
        )
    elif kind == "query":
        slices.picked(
            bench, asked["query"]
        )  # one that cannot be asked is refused now, not at the next import
    write(
        bench,
        [rule(PREFIX + name, kind=kind, **asked), rule(RAN + name, since=position(bench, "HEAD"))],
        who,
        f"trigger {name}",
    )
    return standing(bench)[name] | control(bench, name)


def control(bench, name):
    """What a trigger would catch of what is there already: dict older, base (a share; None where runs would have to be asked, or before a scan)."""
    trigger, state = standing(bench)[name], asked_of(bench)
    if trigger["kind"] == "disagreement" or not len(state):
        return dict(older=len(state), base=None)
    try:
        hit = ASK[trigger["kind"]](bench, trigger, state, np.zeros(len(state), bool), None)[0]
    except UserError:  # no scan yet: the first import after it will tell
        return dict(older=len(state), base=None)
    return dict(older=len(state), base=float(hit.mean()))


def asked_of(bench):
    """The state of the samples that a trigger may ask about."""
    state = bench.state()
    return state[state.keep & state["split"].isin(ASKED)]


def remove(bench, name, who):
    """Ask it no more; what it caught keeps its tag."""
    known(bench, name)
    write(bench, [rule(PREFIX + name), rule(RAN + name)], who, f"trigger {name} removed")


def rule(name, **value):
    return ("", "rule", dict(name=name, **value), "")


def write(bench, edits, who, why):
    """Append (sample, field, value, why or "") as one batch; returns its name."""
    import pandas as pd

    batch = new_batch("trigger")
    rows = pd.DataFrame(
        [(s, f, json.dumps(v), w or why) for s, f, v, w in edits],
        columns=["sample", "field", "value", "why"],
    )
    with bench.transaction() as con:
        bench.append(con, rows, batch, who)
    return batch


def standing(bench):
    """{name: dict(kind, what it asks, since: the position in the log up to which it ran, caught: ids that have its tag now, said: in words)}."""
    rules, tags = bench.rules(), bench.state().tags
    out = {}
    for key, value in sorted(rules.items()):
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX)
            words = value | dict(
                n=len(value.get("samples", ())), runs=" and ".join(value.get("runs", ()))
            )
            said = SAID[value["kind"]].format(**words) + (
                f" of the gap {value['gap']}" if value.get("gap") else ""
            )
            since = rules.get(RAN + name, dict(since=0))["since"]
            caught = list(tags.index[[key in t for t in tags]])
            out[name] = {k: v for k, v in value.items() if k != "name"} | dict(
                since=since, caught=caught, said=said
            )
    return out


def known(bench, name):
    there = standing(bench)
    if name not in there:
        raise UserError(
            f"expected a trigger, found {name!r}, which is none",
            f"there are: {', '.join(sorted(there)) or 'none'}",
        )
    return there[name]


def run(bench, who, told=None, only=None):
    """Ask every trigger (or the one called `only`) of the kept samples of train, val and pool that came since it last ran; what it catches gets its tag,
    in one batch. `told(keys, ids)` says what runs predict: see shadow.compared. Returns a list of dict(name, new, caught (ids), unjudged (samples
    that a run has not seen: they are asked about again), older, base (of so many that were there before, the share that it would have
    caught: its control), batch, error)."""
    return [
        run_one(bench, name, t, who, told)
        for name, t in standing(bench).items()
        if only in (None, name)
    ]


def run_one(bench, name, trigger, who, told):
    out = dict(name=name, new=0, caught=[], unjudged=0, older=0, base=None, batch=None, error=None)
    upto = position(bench, "HEAD")
    state = asked_of(bench)
    came = arrived(bench, trigger["since"])
    new = state.index.isin(came)
    if not new.any():
        return out
    try:
        hit, seen, about = ASK[trigger["kind"]](bench, trigger, state, new, told)
    except UserError as e:  # a run that is gone must not stop a scan: the others are asked, and this one again next time
        return out | dict(error=f"{e.problem}; {e.hint}", new=int(new.sum()))
    tag = PREFIX + name
    once = {
        s
        for (s,) in bench.rows(
            "select distinct sample from edits where field = 'tag' and value ->> 'name' = ?", [tag]
        )
    }
    caught = [s for s in state.index[hit & new] if s not in once]
    unjudged, older = int((new & ~seen).sum()), ~new & seen
    edits = [
        (
            s,
            "tag",
            dict(name=tag, on=True),
            f"caught by the trigger {name}: {about.get(s, trigger['said'])}",
        )
        for s in caught
    ]
    if not unjudged:
        edits.append(rule(RAN + name, since=upto))
    out |= dict(new=int(new.sum()), caught=caught, unjudged=unjudged, older=int(older.sum()))
    out["base"] = (
        float(hit[older].mean()) if older.any() and trigger["kind"] != "disagreement" else None
    )
    return out | dict(batch=write(bench, edits, who, f"trigger {name} ran") if edits else None)


def arrived(bench, since):
    """Samples whose first edit came after the position `since`."""
    return {
        s
        for (s,) in bench.rows(
            "select sample from edits where sample <> '' group by sample having min(seq) > ?",
            [since],
        )
    }


# ---- the questions: (bench, trigger, state, new (n,) bool, told) -> (caught (n,) bool, judged (n,) bool, {sample: reason})


def ask_similar(bench, trigger, state, new, told):
    """As much like the seeds, judged by what was there before, as half of the seeds are like the others (see mining.bar)."""
    whole = bench.state()
    graph, at = neighbor_graph.nodes(bench, whole)
    V = neighbor_graph.vectors(bench, graph).astype("f4")
    seeds = V[at[whole.index.get_indexer([s for s in trigger["samples"] if s in whole.index])]]
    rows = at[whole.index.get_indexer(state.index)]
    older = V[np.setdiff1d(rows, rows[new])]
    if not len(seeds) or not len(older):
        raise UserError(
            "expected older samples to compare with and the samples of the trigger, found none",
            "set the trigger anew",
        )
    score, least = similarity.likeness(older, seeds, V[rows]), similarity.bar(older, seeds, K)
    about = {
        s: f"{x:.2f} like its samples, {least:.2f} is enough"
        for s, x in zip(state.index[new], score[new])
    }
    return score >= least, np.ones(len(state), bool), about


def ask_confidence(bench, trigger, state, new, told):
    live.brought(bench)  # of the labels and samples as they are now
    kept = load(bench.arrays / "opinion.npz")
    sure = dict(zip(kept["ids"].astype(str), kept["pred_probs"].max(1)))
    top = np.array([sure[s] for s in state.index])
    return (
        top < trigger["below"],
        np.ones(len(state), bool),
        {s: f"no class has over {p:.0%}" for s, p in zip(state.index[new], top[new])},
    )


def ask_disagreement(bench, trigger, state, new, told):
    ids = state.index[new]
    first, second = (told(name, ids) for name in trigger["runs"])
    if any(np.isnan(probs).all() for _, probs in (*first, *second)):
        return np.zeros(len(state), bool), ~new, {}
    found, about = model_disagreement.compared(first, second)
    hit, seen = np.zeros(len(state), bool), ~new
    rows = np.flatnonzero(new)
    hit[rows[found.row]] = True
    seen[rows] = about["seen"]
    words = zip(found.row, found.current, found.p_current, found.candidate, found.p_candidate)
    return hit, seen, {ids[i]: f"{a} {p:.0%} or {b} {q:.0%}" for i, a, p, b, q in words}


def ask_query(bench, trigger, state, new, told):
    return state.index.isin(slices.picked(bench, trigger["query"])), np.ones(len(state), bool), {}


ASK = dict(
    similar=ask_similar, confidence=ask_confidence, disagreement=ask_disagreement, query=ask_query
)

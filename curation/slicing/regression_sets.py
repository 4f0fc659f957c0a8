"""Freeze regression sets: samples kept out of all that trains or guides.

A set has a name and the accuracy that is required on it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from assay.curation import text
from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.slicing import slices
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.versioning.rules import make_rule_edit

if TYPE_CHECKING:
    import pandas as pd

# of the rule and of the tag by which the log knows a set: a rule stays small, and each tag is one
# sample's
PREFIX = "guard:"
TEST_HINT = (
    "leave them out; in a query: and id not in "
    "(select sample from edits where field = 'split' and value ->> '$' = 'test')"
)


def find_set_samples(
    bench: Bench, sets: dict[str, dict], state: pd.DataFrame
) -> tuple[dict[str, pd.Index], dict[str, int]]:
    """Find the samples that each set asks for.

    Kept, labelled ones: {name: ids, sorted}. Others can be judged by nobody. What a query finds
    that nearly equals a test sample is left out, unless it is frozen already: nobody named it.
    Returns also {name: how many were left out}. UserError for a set of none, or with test samples.
    """
    there = frozen_sets(bench, state)
    usable = state.index[state.keep & state.label.notna()]
    out, left = {}, dict.fromkeys(sets, 0)
    asked = {name: own["asked"] for name, own in sets.items()}
    for name, ids in slices.resolve_slices(bench, asked).items():
        out[name] = usable[usable.isin(ids)].sort_values()
        if not len(out[name]):
            raise UserError(
                f"expected kept, labelled samples in the set {name!r}, found none among {len(ids):,}",
                "label them, or mend the set",
            )
        test = out[name][state.split[out[name]] == "test"]
        if len(test):
            raise UserError(
                f"expected no test samples in the set {name!r}, found {len(test):,}, "
                f"first {test[0]} ({state.key[test[0]]})",
                TEST_HINT,
            )
        if isinstance(asked[name], str):
            held = out[name].isin(there[name]["samples"] if name in there else [])
            fine = held | out[name].isin(without_test_copies(bench, state, out[name][~held]))
            out[name], left[name] = out[name][fine], int((~fine).sum())
            if not len(out[name]):
                raise UserError(
                    f"expected samples unlike any test sample in the set {name!r}, "
                    f"found none among {len(ids):,}",
                    "ask for others",
                )
    return out, left


def without_test_copies(bench: Bench, state: pd.DataFrame, samples: pd.Index) -> pd.Index:
    """Leave out the samples that equal or nearly equal a test sample.

    What the test split holds is judged by experiments alone.
    """
    # again and again: one test sample may be like several, of which find_copies names one
    while True:
        copies = find_copies(bench, state, samples)
        like = {mine for other, mine in copies.items() if state.split[other] == "test"}
        if not like:
            return samples
        samples = samples[~samples.isin(list(like))]


def frozen_sets(bench: Bench, state: pd.DataFrame) -> dict[str, dict]:
    """Load the sets that are frozen now: {name: dict(score, n, near, samples)}.

    samples: ids that are kept and labelled, sorted.
    """
    guarded = state[(state.split == "guard") & state.keep & state.label.notna()].sort_index()
    rules = {name: rule for name, rule in bench.rules().items() if name.startswith(PREFIX)}
    tagged = {name: [name in tags for tags in guarded.tags] for name in rules}
    return {
        name.removeprefix(PREFIX): rule | dict(samples=guarded.index[tagged[name]])
        for name, rule in rules.items()
    }


def find_copies(bench: Bench, state: pd.DataFrame, samples: pd.Index) -> dict[str, str]:
    """Find other samples that nearly equal one of `samples`.

    Kept ones that equal or nearly equal it: {copy: that one}. Of all splits: the same image, a near
    pair of the last scan's graph, or its group of near duplicates.
    """
    graph, at = neighbor_graph.load_nodes(bench, state)
    own = {int(at[i]): state.index[i] for i in state.index.get_indexer(samples)}
    groups = {int(graph.groups[node]): sample for node, sample in own.items()}
    near = {}
    for i, j in graph.pairs.tolist():
        for a, b in ((i, j), (j, i)):
            if b in own:
                near.setdefault(a, own[b])
    mine, out = set(samples), {}
    for sample, node, keep in zip(state.index, at.tolist(), state.keep):
        like = own.get(node) or near.get(node) or groups.get(int(graph.groups[node]))
        if keep and like and sample not in mine:
            out[sample] = like
    return out


def freeze_sets(bench: Bench, sets: dict[str, dict], who: str) -> dict:
    """Freeze regression sets (see read_regression_sets) as one batch.

    Their samples, and what is kept of train, val and pool and nearly equals one, go to the split
    `guard`; each set's samples get its tag, and a rule keeps its score. To freeze the same again
    changes nothing; a set may grow and its score may change, but it loses no sample.

    Returns dict batch (None: nothing changed), moved ({split: samples that left it}), sets (dicts
    name, n, new, near (samples like its own), score, like_test (left out by find_set_samples)).
    UserError, and nothing changed, where a sample is of the test split, or nearly equals one of
    it and is named.
    """
    text.check_text(who, "who freezes it")
    state = bench.state()
    there, (asked, left) = frozen_sets(bench, state), find_set_samples(bench, sets, state)
    edits, out, moved = [], [], {}
    for name, samples in asked.items():
        old = there.get(name, dict(score=None, n=0, samples=samples[:0]))
        refuse_lost_samples(name, samples, old["samples"])
        new, copies = samples.difference(old["samples"]), find_copies(bench, state, samples)
        refuse_test_copies(name, state, copies)
        why = f"regression set {name}"
        whys = dict.fromkeys(new, why)
        for sample, like in copies.items():
            # what is in guard already is said again for a new sample: to undo the batch that
            # brought it then leaves it there
            if like in new or state.split[sample] != "guard":
                whys[sample] = f"nearly equals {like} of the {why}"
        moved |= {s: state.split[s] for s in whys if state.split[s] != "guard"}
        edits += [(s, "split", "guard", reason) for s, reason in whys.items()]
        edits += [(s, "tag", dict(name=PREFIX + name, on=True), why) for s in new]
        score, n, near = sets[name]["score"], len(samples), len(copies)
        if whys or (score, n) != (old["score"], old["n"]):
            rule = dict(name=PREFIX + name, score=score, n=n, near=near)
            edits.append(make_rule_edit(rule, why))
        about = dict(name=name, n=n, new=len(new), near=near, score=score)
        out.append(about | dict(like_test=left[name]))
    batch = new_batch("guard") if edits else None
    if batch:
        append_edits(bench, edits, batch, who)
    splits = list(moved.values())
    left_by = {split: splits.count(split) for split in ("train", "val", "pool") if split in splits}
    return dict(batch=batch, moved=left_by, sets=out)


def append_edits(bench: Bench, edits: list[tuple], batch: str, who: str) -> None:
    """Append (sample, field, value, why) as one batch."""
    import pandas as pd

    rows = [(sample, field, json.dumps(value), why) for sample, field, value, why in edits]
    frame = pd.DataFrame(rows, columns=["sample", "field", "value", "why"])
    frame = frame.drop_duplicates(["sample", "field", "value"])  # a sample may be of two sets
    with bench.transaction() as con:
        bench.append(con, frame, batch, who)


def refuse_lost_samples(name: str, samples: pd.Index, old: pd.Index) -> None:
    """Refuse a set that lost samples: a frozen one may only grow."""
    lost = old.difference(samples)
    if len(lost):
        raise UserError(
            f"expected the set {name!r} to hold all that is frozen, "
            f"found {len(lost):,} of its {text.format_count(len(old), 'sample')} gone, first {lost[0]}",
            "a frozen set may grow, and loses nothing: ask for these samples too "
            "(assay undo BATCH takes back a freeze that was a mistake)",
        )


def refuse_test_copies(name: str, state: pd.DataFrame, like: dict[str, str]) -> None:
    """Refuse a set with near duplicates of test samples; like: as find_copies."""
    test = {s: other for s, other in like.items() if state.split[s] == "test"}
    if test:
        sample, other = next(iter(test.items()))
        raise UserError(
            f"expected no near duplicates of test samples in the set {name!r}, found {len(test):,}: "
            f"{other} ({state.key[other]}) is like the test sample {sample}",
            "leave them out of the set: what the test split holds is judged by experiments alone",
        )


def require_frozen_sets(bench: Bench, sets: dict[str, dict], given: str) -> dict[str, pd.Index]:
    """Check that sets are frozen exactly as `sets` asks.

    Returns {name: ids of its samples}. given: what the file is called. UserError where one is not.
    """
    state = bench.state()
    there, (asked, _) = frozen_sets(bench, state), find_set_samples(bench, sets, state)
    for name, samples in asked.items():
        command = f"assay guard {given} --who NAME -b {bench.given}"
        hint = f"{command} freezes it; then train a version that never saw it"
        if name not in there:
            raise UserError(f"expected a frozen regression set, found {name!r} not frozen", hint)
        refuse_lost_samples(name, samples, there[name]["samples"])
        new = samples.difference(there[name]["samples"])
        if len(new):
            raise UserError(
                f"expected the set {name!r} as it is frozen, "
                f"found {text.format_count(len(new), 'more sample')} in it, first {new[0]}",
                hint,
            )
        score, n = there[name]["score"], there[name]["n"]
        if len(samples) != n:
            raise UserError(
                f"expected all {text.format_count(n, 'sample')} of the set {name!r}, "
                f"found {len(samples):,}: the others left with their source",
                hint,
            )
        if score != sets[name]["score"]:
            raise UserError(
                f"expected the score that the set {name!r} is frozen with, {score}, "
                f"found {sets[name]['score']}",
                hint,
            )
    return asked

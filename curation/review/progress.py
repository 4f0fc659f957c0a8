"""Count what was reviewed, and estimate what is still wrong."""

import json

import numpy as np

from assay.curation.statistics import errors_left, sampling
from assay.curation.statistics.sampling import places
from assay.curation.storage.arrays import find, load
from assay.curation.versioning import votes

GIVEN_THEN = f"""
with said as (
    select sample, seq, value ->> '$' as label, origin, origin like 'import-%' as source from edits
    where field = 'label' and sample in (select sample from edits where field = 'label' and {votes.PERSON})),
twice as (select sample from said where source group by 1 having count(*) > 1),
stands as (select sample, arg_max(origin, seq) as origin from said semi join twice using (sample) group by 1),
decided as (select sample, min(seq) as seq from said semi join stands using (sample, origin) where not source group by 1)
select sample, arg_max(label, s.seq) from said s join decided d using (sample) where source and s.seq < d.seq group by 1"""


def found_wrong(bench, reviewed):
    """Of samples that people reviewed, a state: in which they found the label wrong or dropped the sample, a Series of bool. What counts is the
    label that was given when they decided: a source that has changed its labels since says nothing about what was found."""
    given = reviewed.given_label.copy()
    then = dict(bench.rows(GIVEN_THEN))
    given.update(given.index.to_series().map(then).dropna())
    return ((reviewed.label != given) | ~reviewed.keep).astype(bool)


def progress(bench, state=None):
    """What the reviews say so far, as a dict: reviewed, wrong (label changed or sample dropped by a person), unsure; and from the random
    stratum alone looks (sure ones), hits, unsure_looks, share of all labels that came wrong and errors_left, each (estimate, low, high), None before 30
    looks; share_between and errors_between: the estimates with all unsure looks right and all wrong, None where none was unsure. The stratum is the
    longest fully reviewed beginning of the bench's random order, so that a row somebody skipped cannot bias it. The intervals hold at every look of a
    session together."""
    state = bench.state() if state is None else state
    reviewed = state[
        state.reviewed & state.split.isin(("train", "val", "guard")) & state.given_label.notna()
    ]
    guarded = (
        reviewed.split == "guard"
    )  # what was frozen as a regression set since was reviewed all the same
    wrong = found_wrong(bench, reviewed)
    first, population = sampling.stratum(state), len(places(state))
    sure = first[(state.verdict.loc[first] != "unsure").to_numpy()]
    looks, hits = len(sure), int(wrong.loc[sure].sum())
    came, found = (
        errors_left.count_wrong(hits, looks, population, len(first) - looks),
        int(wrong.sum()),
    )
    share = came and came.scaled(1 / population)
    left = came and came.scaled(
        1, -int(wrong[~guarded].sum())
    )  # what people found anywhere is no longer left
    return dict(
        reviewed=len(reviewed),
        wrong=found,
        unsure=int((reviewed.verdict == "unsure").sum()),
        population=population + int(guarded.sum()),
        looks=looks,
        hits=hits,
        unsure_looks=len(first) - looks,
        share=share and (share.estimate, share.low, share.high),
        share_between=share and share.between,
        errors_left=left and (left.estimate, left.low, left.high),
        errors_between=left and left.between,
    )


def by_class(bench, state):
    """What the random stratum says of each class, as dicts: class (the given label), looks (sure ones), hits (wrong), flagged (looks whose given label
    the model doubts now, out of sample), flagged_hits (of these wrong: its precision), clean (right), clean_flagged; [] where nothing is
    scanned. Rates take 30 looks; rare classes are doubted more often than others, and this is where it shows."""
    kept = load(bench.arrays / "opinion.npz", ["ids", "pred_probs", "classes", "few"])
    first = sampling.stratum(state)
    sure = first[(state.verdict.loc[first] != "unsure").to_numpy()]
    if kept is None or not len(sure):
        return []
    classes = np.array(json.loads(str(kept["classes"])), object)
    at = find_sorted(kept["ids"], np.asarray(sure, "S32"))
    given = state.given_label.loc[sure].to_numpy(object)
    said = classes[np.where(kept["few"], 0, kept["pred_probs"][at]).argmax(1)]
    judged = (at >= 0) & ~np.isin(
        given.astype(str), classes[kept["few"]].astype(str)
    )  # a class too small to judge is doubted nowhere
    wrong = found_wrong(bench, state.loc[sure]).to_numpy()
    doubted = judged & (said != given)
    out = []
    for name in sorted(set(given)):
        here = given == name
        counts = dict(
            looks=here,
            hits=here & wrong,
            flagged=here & doubted,
            flagged_hits=here & doubted & wrong,
        )
        counts |= dict(clean=here & ~wrong, clean_flagged=here & ~wrong & doubted)
        out.append({"class": name} | {k: int(v.sum()) for k, v in counts.items()})
    return out


def find_sorted(known, ids):
    """Where each of `ids` (n,) is among `known`, in no order: -1 where it is not."""
    order = np.argsort(known, kind="stable")
    at = find(known[order], ids)
    return np.where(at < 0, -1, order[at])

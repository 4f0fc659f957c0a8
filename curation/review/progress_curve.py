"""Trace errors left and model accuracy as the review went on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.predictions.runs import tabulate_versions
from assay.curation.review.progress import find_wrong
from assay.curation.statistics import errors_left
from assay.curation.statistics.sampling import random_order_rows, random_stratum
from assay.curation.storage.interface import Bench
from assay.curation.versioning.class_names import offer_names
from assay.curation.versioning.live_edits import ALIVE
from assay.curation.versioning.votes import PERSON

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 30  # random reviews that an estimate takes
FIRST_LOOK = f"""select sample, min(seq) from edits
where field in ('label', 'keep') and sample <> '' and {PERSON} group by sample"""
# samples that people decided about, by the decisions that stand at a position of the log
STANDING = f"""with {ALIVE.format(only=f"and {PERSON} and field in ('label', 'keep') and sample <> ''")}
select count(distinct sample) from alive"""


class Point(NamedTuple):
    """An estimate with its interval, after so many reviews."""

    reviewed: int
    estimate: float
    low: float
    high: float
    name: str = ""  # of the version, where it is one's


def trace_errors_left(
    bench: Bench, state: pd.DataFrame, most: int = 12, population: int | None = None
) -> list[Point]:
    """Estimate the errors left after each of several numbers of reviews.

    There are at most `most` of them. It goes by what is known now of the labels that were reviewed
    until then, as summarize_reviews does it for all of them; the intervals hold at all looks
    together. [] under 30 random reviews. population: as in summarize_reviews.
    """
    first = random_stratum(state)
    if len(first) < FEWEST:
        return []
    reviewed = state[
        state.reviewed & state["split"].isin(("train", "val")) & state.given_label.notna()
    ]
    when = dict(bench.rows(FIRST_LOOK))
    seq = reviewed.index.map(lambda s: when.get(s, 0)).to_numpy("i8")
    wrong = find_wrong(bench, reviewed)
    # the stratum has a sample only once all that were drawn before it are decided
    done = np.maximum.accumulate(np.fromiter((when.get(s, 0) for s in first), "i8", len(first)))
    sure = (state.verdict.loc[first] != "unsure").to_numpy()
    hits = wrong.loc[first].to_numpy() & sure
    order = np.sort(seq)
    population = len(random_order_rows(state)) if population is None else population
    out: list[Point] = []
    for n in np.unique(np.linspace(1, len(order), most).astype(int)):
        at = order[n - 1]
        k = int(np.searchsorted(done, at, "right"))
        looks = int(sure[:k].sum())
        came = errors_left.estimate_wrong(int(hits[:k].sum()), looks, population, k - looks)
        if came is not None:
            left = came.scale(1, -int(wrong[seq <= at].sum()))
            out.append(Point(int((seq <= at).sum()), left.estimate, left.low, left.high))
    return out


def trace_accuracy(bench: Bench, judged: pd.DataFrame | None = None) -> list[Point]:
    """Give each version's validation accuracy by the reviews that it holds, newest last.

    Returns Points, of the architecture that most versions were trained with. What was undone before
    a version is no review of it. judged: runs.tabulate_versions.
    """
    judged = tabulate_versions(bench) if judged is None else judged
    if not len(judged):
        return []
    upto = dict(bench.rows("select name, upto from commits"))
    known = judged[judged.version.isin(upto)]
    if not len(known):
        return []
    one = known[known.arch == known.arch.value_counts().index[0]]
    with bench.connect() as con:
        offer_names(con, max(upto.values()))
        held = {
            at: con.execute(STANDING, dict(upto=upto[at])).fetchone()[0] for at in set(one.version)
        }
    return [
        Point(held[r.version], r.accuracy, r.low, r.high, f"{r.version} {r.arch}")
        for r in one.itertuples()
    ]

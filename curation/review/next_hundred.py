"""Expect how many of the next labels in the queue are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.label_quality.score_files import LabelScores
from assay.curation.label_quality.scoring import class_indices
from assay.curation.review.progress import find_wrong
from assay.curation.splits import LOCKED
from assay.curation.statistics.errors_left import FEWEST
from assay.curation.statistics.sampling import random_stratum
from assay.curation.statistics.wrong_rate import fit_wrong_rate
from assay.curation.storage.interface import Bench
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd

MANY = 100  # labels that are looked ahead


class NextHundred(NamedTuple):
    """How many of the next labels of the queue are wrong, as is to be expected."""

    labels: int  # 100, or what is left
    wrong: float
    low: int  # so few and so many may be found, 95 %
    high: int

    def describe(self) -> str:
        return f"{self.wrong:.0f} [{self.low}, {self.high}] of the next {self.labels}"


def expect_next(
    bench: Bench,
    state: pd.DataFrame,
    found: pd.DataFrame,
    classes: Sequence[str],
    probs: np.ndarray,
    few: np.ndarray,
) -> NextHundred | None:
    """Expect how many of the next 100 labels are wrong.

    None where nobody can say. From what people said of the labels that they looked at, by how these score now: see
    wrong_rate. found: the scores of a state's labels, as score_labels; classes (k,), probs (m, k) of the state's rows
    without test and guard, out of sample, few (k,): what they were made of. Nothing is said before 30 looks at random.
    Labels that somebody was unsure of count as right at the lower end, and as wrong at the upper one.
    """
    head = found.score[~found.reviewed.to_numpy(bool)].nsmallest(MANY).to_numpy("f8")
    first = random_stratum(state)
    if len(first) < FEWEST or not len(head):
        return None
    unlocked = ~state["split"].isin(LOCKED).to_numpy()
    assert len(probs) == unlocked.sum(), "a row of scores for each sample that may be looked at"
    looked = unlocked & (state.reviewed & state.given_label.notna()).to_numpy(bool)
    looked &= (state["split"] != "pool").to_numpy()
    seen, at = state[looked], (np.cumsum(unlocked) - 1)[looked]
    given = class_indices(seen.given_label, list(classes))
    judged = (given >= 0) & ~np.asarray(few)[given]
    score = probs[at[judged], given[judged]]
    wrong = find_wrong(bench, seen).to_numpy()[judged]
    unsure = (seen.verdict == "unsure").to_numpy()[judged]
    if unsure.all():
        return None
    expected, low, high = fit_wrong_rate(score[~unsure], wrong[~unsure]).count_wrong(head)
    if unsure.any():
        low = fit_wrong_rate(score, wrong & ~unsure).count_wrong(head)[1]
        high = fit_wrong_rate(score, wrong | unsure).count_wrong(head)[2]
    return NextHundred(len(head), expected, low, high)


def expect_next_written(bench: Bench, state: pd.DataFrame) -> NextHundred | None:
    """Do so by the scores on disk; None where there are none."""
    kept = LabelScores.load(bench)
    ids = np.asarray(state.index[~state["split"].isin(LOCKED)], "S32")
    if kept is None or not np.array_equal(kept.ids, ids):
        return None
    former = names_at(bench).former_names(set(state.label))
    classes = [former.get(name, name) for name in kept.classes]
    return expect_next(
        bench, state, kept.scores.to_frame(state), classes, kept.pred_probs, kept.few
    )

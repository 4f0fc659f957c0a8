"""Expect how many of the next labels in the queue are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.label_quality.linear_algebra import is_labelled
from assay.curation.label_quality.live import ScoredState
from assay.curation.label_quality.score_files import LabelScores, read_member_cuts
from assay.curation.label_quality.scoring import read_targets
from assay.curation.review.progress import find_wrong
from assay.curation.splits import LOCKED
from assay.curation.statistics.errors_left import FEWEST
from assay.curation.statistics.sampling import random_stratum
from assay.curation.statistics.wrong_rate import WrongRate, fit_wrong_rate
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.tasks.member_noise import MemberNoise
from assay.curation.tasks.multilabel import join_trust
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


class Rates(NamedTuple):
    """How often labels are wrong at their score, as people's looks say."""

    sure: WrongRate
    low: WrongRate  # what somebody was unsure of counts as right
    high: WrongRate  # and as wrong


def fit_rates(bench: Bench, scored: ScoredState) -> Rates | None:
    """Fit how often labels are wrong to what people looked at.

    None before 30 looks at random, and where nobody was sure of any. By how these labels score now: see wrong_rate.
    """
    state = scored.state
    if len(random_stratum(state)) < FEWEST:
        return None
    unlocked = ~state["split"].isin(LOCKED).to_numpy()
    assert len(scored.probs) == unlocked.sum(), "a row of scores for each sample to look at"
    looked = unlocked & (state.reviewed & state.given_label.notna()).to_numpy(bool)
    looked &= (state["split"] != "pool").to_numpy()
    seen, at = state[looked], (np.cumsum(unlocked) - 1)[looked]
    judged, score = score_given(bench, scored, seen.given_label, at)
    wrong = find_wrong(bench, seen).to_numpy()[judged]
    unsure = (seen.verdict == "unsure").to_numpy()[judged]
    if unsure.all():
        return None
    sure = fit_wrong_rate(score[~unsure], wrong[~unsure])
    if not unsure.any():
        return Rates(sure, sure, sure)
    low, high = (fit_wrong_rate(score, w) for w in (wrong & ~unsure, wrong | unsure))
    return Rates(sure, low, high)


def score_given(
    bench: Bench, scored: ScoredState, labels: pd.Series, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score labels (n,) that samples were given: (which can be (n,) bool, scores of those).

    at (n,): their rows of the probabilities.
    """
    given = read_targets(task_of(bench), labels, list(scored.classes))
    if given.ndim == 1:
        judged = (given >= 0) & ~np.asarray(scored.few)[given]
        return judged, scored.probs[at[judged], given[judged]]
    judged = is_labelled(given)
    y = given[judged]
    noise = MemberNoise.from_array(read_member_cuts(bench, len(scored.classes)))
    return judged, join_trust(noise.trust(y, scored.probs[at[judged]]))


def find_head(found: pd.DataFrame) -> pd.Series:
    """Find the scores of the next 100 labels of the queue, by sample."""
    return found.score[~found.reviewed.to_numpy(bool)].nsmallest(MANY)


def expect_next(scored: ScoredState, rates: Rates | None) -> NextHundred | None:
    """Expect how many of the next 100 labels are wrong.

    None where nobody can say. Labels that somebody was unsure of count as right at the lower end, and as wrong at the
    upper one.
    """
    head = find_head(scored.found).to_numpy("f8")
    if rates is None or not len(head):
        return None
    expected, low, high = rates.sure.count_wrong(head)
    if rates.low is not rates.sure:
        low, high = rates.low.count_wrong(head)[1], rates.high.count_wrong(head)[2]
    return NextHundred(len(head), expected, low, high)


def read_written(bench: Bench, state: pd.DataFrame) -> ScoredState | None:
    """Read the scores on disk; None where there are none of this state."""
    kept = LabelScores.load(bench)
    ids = np.asarray(state.index[~state["split"].isin(LOCKED)], "S32")
    if kept is None or not np.array_equal(kept.ids, ids):
        return None
    former = names_at(bench).former_of(state.label)
    classes = [former.get(name, name) for name in kept.classes]
    found = kept.scores.to_frame(state)
    return ScoredState(kept.upto, state, found, classes, kept.pred_probs, kept.few)

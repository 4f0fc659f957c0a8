"""Expect what reviewing the next labels gains, and say when to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality.expected_gain import Corrections, Validation, expect_gain
from assay.curation.label_quality.linear_algebra import one_hot
from assay.curation.label_quality.live import LiveProbe, ScoredState
from assay.curation.label_quality.scoring import class_indices, find_targets, without_locked
from assay.curation.review.next_hundred import Rates, find_head
from assay.curation.statistics.wording import format_points
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.versioning.rules import append_rule

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 30  # val labels, below which no gain is measured
NUMBERS = 5_000_000  # probabilities of val labels that are asked, where classes are many
MOST = 5_000  # val labels that are asked: a session asks after every decision
RULE = "stop"  # the name of the rule that says below which gain to stop


class NextGain(NamedTuple):
    """What the next labels of the queue gain, as is to be expected."""

    labels: int  # 100, or what is left
    n: int  # val labels that it is judged by
    gain: float  # in the mean probability that the probe gives to them
    low: float  # at least and at most; meant for 95 % of sessions, at all their looks together
    high: float

    def describe(self) -> str:
        low, high = (format_points(x, digits=2) for x in (self.low, self.high))
        gain = format_points(self.gain, digits=2)
        judged = format_count(self.n, "val label")
        return f"{gain} points [{low}, {high}] more probability for the right class, on {judged}"


@dataclass(frozen=True)
class Outlook:
    """What the next labels gain, or why nobody can say, and whether to stop."""

    gain: NextGain | None
    why_not: str  # "" where there is a gain
    below: float | None  # the gain below which people want to stop

    @property
    def stop(self) -> bool | None:
        """Say whether to stop; None where no limit is set, or no gain known."""
        if self.gain is None or self.below is None:
            return None
        return self.gain.high < self.below

    def describe_stop(self) -> str:
        """Say whether to stop, in words; "" where no limit is set."""
        if self.below is None:
            return ""
        limit = f"your {100 * self.below:g}"
        if self.gain is None:
            return (
                f"whether the next 100 gain less than {limit} points is not known: {self.why_not}"
            )
        most = format_points(self.gain.high, digits=2)
        if self.stop:
            return f"{most} points at most, below {limit}: you may stop"
        return f"up to {most} points, not below {limit}: go on"

    def to_json(self) -> dict:
        """Give it as `status --json` does, with its sentences."""
        return dict(
            gain=self.gain and self.gain._asdict(),
            gain_words=self.gain and self.gain.describe(),
            why_not=self.why_not,
            stop_below=self.below,
            stop=self.stop,
            stop_words=self.describe_stop(),
        )


def foresee_gain(
    bench: Bench,
    scored: ScoredState,
    rates: Rates | None,
    live: LiveProbe | None,
    drawn: pd.Index | None = None,
) -> Outlook:
    """Foresee what the next 100 labels of the queue gain.

    scored: a state's scores; rates: see fit_rates; live: the probe that made the scores. A gain is of the probe's
    probability for the val labels, as in expected_gain. drawn: those that stand for all, where not all are scored.
    """
    below = read_limit(bench)
    head = find_head(scored.found)
    if not len(head):
        return Outlook(None, "nothing is left in the queue", below)
    if task_of(bench).several:
        return Outlook(None, "it is foreseen for one label a sample, and here are several", below)
    if rates is None:
        why = "it takes 30 random reviews; before them P(wrong) were a model's guess alone"
        return Outlook(None, why, below)
    part = without_locked(scored.state)
    targets = find_targets(part, list(scored.classes))[1]
    if live is None or not np.array_equal(live.probe.y, targets):
        return Outlook(None, "the labels changed since the scores were written", below)
    found = scored.found[(part["split"].loc[scored.found.index] == "val").to_numpy()]
    found = found if drawn is None else found[drawn.get_indexer(found.index) >= 0]
    if len(found) < FEWEST:
        only = format_count(len(found), "val label is", "val labels are")
        return Outlook(None, f"it takes {FEWEST} val labels, and {only} judged", below)
    most = min(MOST, max(FEWEST, NUMBERS // len(scored.classes)))
    every = found.iloc[:: -(-len(found) // most)]
    fixes = find_corrections(scored, part, head, rates)
    val = find_validation(part, every, fixes, scored, rates)
    expected = expect_gain(live.probe, live.X, fixes, val)
    return Outlook(NextGain(len(head), len(every), *expected), "", below)


def find_corrections(
    scored: ScoredState, part: pd.DataFrame, head: pd.Series, rates: Rates
) -> Corrections:
    """Say what is suggested in place of each of the next labels.

    part: the state without test and guard; head: as find_head.
    """
    rows = part.index.get_indexer(head.index)
    given = class_indices(part.label.iloc[rows], list(scored.classes))
    probs = np.where(scored.few, 0, scored.probs[rows])
    probs[np.arange(len(rows)), given] = -1
    score = head.to_numpy("f8")
    fits = rates[:1] if rates.low is rates.sure else rates
    drawn = np.hstack([rate.draw_wrong(score)[1] for rate in fits])
    return Corrections(rows, given, probs.argmax(1), rates.sure.predict(score), drawn)


def find_validation(
    part: pd.DataFrame, found: pd.DataFrame, fixes: Corrections, scored: ScoredState, rates: Rates
) -> Validation:
    """Say by which val labels a gain is judged, and how many are wrong.

    found: their scores. What somebody was unsure of may be wrong.
    """
    rows, k = part.index.get_indexer(found.index), len(scored.classes)
    labels = one_hot(class_indices(found.label, list(scored.classes)), k)
    _, here, there = np.intersect1d(rows, fixes.rows, return_indices=True)
    chance = fixes.chances[there, None]
    suggested = one_hot(fixes.suggested[there], k)
    labels[here] = chance * suggested + (1 - chance) * labels[here]
    unseen = ~found.reviewed.to_numpy(bool)
    unsure = int((part.verdict.iloc[rows] == "unsure").sum())
    wrong = float(rates.high.predict(found.score.to_numpy("f8")[unseen]).sum())
    return Validation(rows, labels, wrong + unsure)


# ---- the gain below which people want to stop


def read_limit(bench: Bench) -> float | None:
    """Read the gain below which people want to stop; None where none is set."""
    return bench.rules().get(RULE, {}).get("below")


def set_limit(bench: Bench, below: float | None, who: str) -> dict:
    """Set the gain below which people want to stop; None: none.

    below: as a fraction, 0.002 is 0.2 points. Returns {batch (None where it was so), below}.
    """
    if below is not None and not 0 < below <= 1:
        raise UserError(
            f"expected a gain above 0 and at most 100 points, found {100 * below:g}",
            "for example: assay status --stop-below 0.2",
        )
    if below == read_limit(bench):
        return dict(batch=None, below=below)
    return dict(batch=append_rule(bench, dict(name=RULE, below=below), who), below=below)

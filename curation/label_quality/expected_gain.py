"""Expect what correcting some labels does to a probe's answers on validation.

Relabelling adds A^-1 x (y_new - y_old)' to the ridge weights, so the scores of every val sample after it are known
without refitting. Each label is corrected to its suggestion with its P(wrong): in expectation a soft label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.curation.label_quality.linear_algebra import one_hot
from assay.curation.label_quality.neighbor_votes import weigh_votes
from assay.curation.label_quality.probe import Probe
from assay.curation.statistics.sequential import sequence_radius
from assay.curation.storage.shards import Rows


class Corrections(NamedTuple):
    """Labels that are to be corrected, each as likely as it is wrong."""

    rows: np.ndarray  # (h,) of X
    given: np.ndarray  # (h,) class indices
    suggested: np.ndarray  # (h,) class indices
    chances: np.ndarray  # (h,) P(wrong)
    drawn: np.ndarray  # (h, draws) bool: wrong in each of some draws


class Validation(NamedTuple):
    """The val labels that a gain is judged by."""

    rows: np.ndarray  # (m,) of X
    labels: np.ndarray  # (m, k) one class each; shares where one is among those to be corrected
    wrong: float  # of the labels wrong, in expectation: nobody knows which


class GainRange(NamedTuple):
    """What corrections gain: in the mean probability of the val labels."""

    gain: float
    low: float
    high: float


def expect_gain(
    probe: Probe, X: np.ndarray | Rows, fixes: Corrections, val: Validation
) -> GainRange:
    """Expect the gain in mean probability that the probe gives to the val labels.

    X (n, d): the probe's rows. The interval is meant for all looks of a session together, and for the samples
    that val is drawn from, whichever labels are wrong in it: see bound_gain.
    """
    Z = probe.standardize(np.asarray(X[fixes.rows]))
    fitted = (probe.y[fixes.rows] >= 0).astype(float)  # val labels teach the probe nothing
    V = np.asarray(X[val.rows])
    moves = probe.project(V, probe.inverse @ Z.T) * fitted  # (m, h): of a score, by each label
    if probe.vote:
        moves += probe.vote * weigh_votes(*probe.voters(val.rows), probe.find_voters(fixes.rows))
    change = one_hot(fixes.suggested, probe.k) - one_hot(fixes.given, probe.k)
    before = probe.score_rows(X, val.rows)
    step = moves @ (fixes.chances[:, None] * change)
    per_fix = (label_effects(probe, before + step / 2, moves, val.labels) * change).sum(1)
    moved = probe.probabilities(before + step) - probe.probabilities(before)
    return bound_gain(moved, val, per_fix @ fixes.drawn)


def label_effects(
    probe: Probe, scores: np.ndarray, moves: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Compute what raising a target does to the mean probability: (h, k).

    To first order, at scores (m, k) of val samples. moves (m, h), labels (m, k): as in expect_gain.
    """
    probs = probe.probabilities(scores)
    right = (labels * probs).sum(1, keepdims=True)
    return moves.T @ (probs * (labels - right) * probe.slopes(scores)) / len(probs)


def bound_gain(moved: np.ndarray, val: Validation, drawn: np.ndarray) -> GainRange:
    """Bound the mean gain, were the wrong val labels where they matter most.

    moved (m, k): how far each class's probability moves. drawn (draws,): gains as far as P(wrong) is unknown. The
    ends lie further out by the radius of a sequence, see sequence_radius, and hold what 95 % of the draws say: where
    hardly any label is wrong most draws gain nothing, which is no normal law.
    """
    m = len(moved)
    gains = (val.labels * moved).sum(1)
    radius = sequence_radius(float(gains.var() / m + drawn.var()))
    shares = np.clip(val.wrong - np.arange(m), 0, 1)  # so many of them, the strongest first
    others = np.where(val.labels > 0.5, np.nan, moved)
    up = np.sort(np.nanmax(others, axis=1) - gains)[::-1].clip(0)
    down = np.sort(np.nanmin(others, axis=1) - gains).clip(None, 0)
    mean, (least, most) = float(gains.mean()), np.quantile(drawn, [0.025, 0.975])
    low = min(mean - radius, float(least)) + float(shares @ down) / m
    high = max(mean + radius, float(most)) + float(shares @ up) / m
    return GainRange(mean, low, high)

"""Calibration turns scores into probabilities by one curve for all classes.

The curve is monotone and piecewise linear, and a softmax makes probabilities of its values. A straight line is too sure
of high scores: they saturate, and the labels are noisy. A slope for each class would learn how noisy a class is, and
find fewer errors. Ridge scores of rare classes are drawn towards 0: they are stretched first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from assay.curation.statistics.logistic_lines import LOOSE, fit_lines

KNOTS = 12
# scores are stretched by (share of the class)^-RARE, with whichever of these predicts better; an offset in place of it
# made wrong labels of rare classes look right
RARE = 0.15, 0.3
STEEP = 0.05, 50.0  # bounds of the curve's slopes: above 0, so that no order is turned around
USUAL = 5.0  # slope to which few samples lean
STIFF = 0.03  # how strongly: the penalty of a slope's square, and of a bend's, in the log-loss of one sample
MOST = 20_000  # rows that are asked
PROBABILITIES = 2_000_000  # of rows by classes, that are asked
HIGHEST, OTHERS = 64, 256  # scores of a row that are read, where classes are many


class Curve(NamedTuple):
    """From a score to a logit: linear between its knots, and beyond them."""

    knots: np.ndarray  # (m,) equally spaced
    heights: np.ndarray  # (m,) logits there

    def places(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find each score's segment, and how far along it lies.

        From 0 to 1, or beyond at the ends.
        """
        along = (scores - self.knots[0]) / (self.knots[1] - self.knots[0])
        segment = np.clip(along, 0, len(self.knots) - 2).astype("i4")
        return segment, along - segment

    def logits(self, scores: np.ndarray) -> np.ndarray:
        segment, along = self.places(scores)
        return self.heights[segment] + along * np.diff(self.heights)[segment]

    def slopes(self, scores: np.ndarray) -> np.ndarray:
        """Compute the curve's slope at each score: logits by score."""
        return (np.diff(self.heights) / np.diff(self.knots))[self.places(scores)[0]]


def straight(slope: float = USUAL) -> Curve:
    """Make a curve that is a line through 0."""
    return Curve(np.array([0.0, 1.0]), np.array([0.0, slope]))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits (n, k) into probabilities: rows sum to 1."""
    out = np.exp(logits - logits.max(1, keepdims=True))
    return out / out.sum(1, keepdims=True)


def fit_calibration(scores: np.ndarray, y: np.ndarray) -> tuple[Curve, np.ndarray]:
    """Choose the curve and each class's stretch by log-loss.

    Returns both; the stretch (k,) multiplies scores before the curve. scores (n, k): of a model that has not seen the
    label. y (n,): class indices.
    """
    n, k = scores.shape
    rows = slice(None, None, max(1, -(-n // min(MOST, max(2000, PROBABILITIES // k)))))
    sizes = np.bincount(y, minlength=k)
    return choose_stretch(sizes, lambda stretch: fit_curve(scores[rows] * stretch, y[rows]))


def choose_stretch(
    sizes: np.ndarray, fit: Callable[[np.ndarray], tuple[Curve, float]]
) -> tuple[Curve, np.ndarray]:
    """Choose the stretch (k,) whose curve has the least loss, for classes of so many labels (k,)."""
    share = np.maximum(sizes, 1) / sizes.sum() * len(sizes)
    stretches = [share**-rare for rare in RARE]
    found = [fit(stretch) for stretch in stretches]
    best = min((0, 1), key=lambda i: found[i][1])
    return found[best][0], stretches[best]


def fit_sampled_calibration(
    scores: np.ndarray, y: np.ndarray, sizes: np.ndarray
) -> tuple[Curve, np.ndarray]:
    """Choose them where classes are many: see fit_calibration.

    scores (n, k), y (n,): of some of the rows; sizes (k,): labels of each class in all. Of each row the highest scores
    are read, that of its label, and some of the others, which stand for all of them.
    """
    n, k = scores.shape
    own, rng = np.arange(n), np.random.default_rng(0)
    top = scores.copy()
    top[own, y] = np.inf
    first = np.argpartition(top, k - HIGHEST, axis=1)[:, k - HIGHEST :]
    np.put_along_axis(top, first, np.nan, 1)
    others = rng.integers(0, k, (n, OTHERS))
    drawn = ~np.isnan(np.take_along_axis(top, others, 1))
    stand_for = (k - HIGHEST) / np.maximum(drawn.sum(1, keepdims=True), 1)
    logs = np.where(drawn, np.log(stand_for), -np.inf)
    at = np.hstack([first, others])
    weights = np.hstack([np.zeros(first.shape), logs])
    table, place = np.take_along_axis(scores, at, 1), (first == y[:, None]).argmax(1)
    return choose_stretch(sizes, lambda stretch: fit_curve(table * stretch[at], place, weights))


def fit_curve(
    scores: np.ndarray, y: np.ndarray, weights: np.ndarray | float = 0.0
) -> tuple[Curve, float]:
    """Choose a curve for scores (n, k) of classes y (n,); give its loss.

    weights (n, k): the logs of how many scores each stands for.
    """
    from scipy.optimize import minimize

    low, high = np.quantile(scores, 0.01), np.quantile(scores.max(1), 0.99)
    knots = np.linspace(low, max(high, low + 1e-3), KNOTS)
    width, n, at = knots[1] - knots[0], len(y), np.arange(len(y))
    segment, along = Curve(knots, np.zeros(KNOTS)).places(scores)

    def loss(slopes: np.ndarray) -> tuple[float, np.ndarray]:
        steps = slopes * width
        logits = np.r_[0, np.cumsum(steps)][segment] + along * steps[segment] + weights
        logits -= logits.max(1, keepdims=True)
        miss = np.exp(logits)
        total = miss.sum(1)
        out = (np.log(total) - logits[at, y]).mean()
        miss /= total[:, None]
        miss[at, y] -= 1
        miss /= n
        # a score pulls at its own segment by how far along it lies, and at all below it wholly
        own = np.bincount(segment.ravel(), (miss * along).ravel(), KNOTS - 1)
        whole = np.bincount(segment.ravel(), miss.ravel(), KNOTS - 1)[::-1].cumsum()[::-1]
        bend, lean = np.diff(slopes), slopes - USUAL
        pull = (own + np.r_[whole[1:], 0]) * width + 2 * STIFF / n * lean
        pull[:-1] -= 2 * STIFF / n * bend
        pull[1:] += 2 * STIFF / n * bend
        return out + STIFF / n * (bend @ bend + lean @ lean), pull

    found = minimize(
        loss,
        np.full(KNOTS - 1, USUAL),
        jac=True,
        bounds=[STEEP] * (KNOTS - 1),
        method="L-BFGS-B",
        options=dict(maxiter=200),
    )
    return Curve(knots, np.r_[0, np.cumsum(found.x * width)]), found.fun


# ---- several classes a sample: each has its own sigmoid

STEEPEST = 50.0  # of a sigmoid's slopes; at least STEEP[0]
LEAN = 1.0, 1.0  # how strongly bias and slope of a class lean to those of all classes together


def fit_sigmoids(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Choose each class's logits at scores 0 and 1 by log-loss: (2, k).

    scores (n, k): of a model that has not seen the label. y (n, k): members, 0 or 1. As Platt (1999) each class has a
    slope and a bias; they lean to those of all classes together, for a rare class knows little of its own.
    """
    rows = slice(None, None, max(1, -(-len(y) // MOST)))
    scores, y = scores[rows], np.asarray(y[rows], "f8")
    together = fit_lines(scores.reshape(-1, 1), y.reshape(-1, 1), np.array([[0.0], [USUAL]]), LOOSE)
    bias, slope = fit_lines(scores, y, np.repeat(together, y.shape[1], 1), LEAN)
    return np.array([bias, bias + np.clip(slope, STEEP[0], STEEPEST)])

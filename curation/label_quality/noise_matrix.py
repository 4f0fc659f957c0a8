"""Estimate which labels are wrong by a noise matrix.

The classes given are the clean ones times a matrix, and the clean ones are a model's probabilities, sharpened. This
finds what no confusion of the model explains: less than there is, most of it where the model is sure.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.curation.storage.top_probs import TopProbs

POWERS = (1, 1.25, 1.6, 2, 2.5, 3.2)  # of the probabilities, that are tried
LIKELY = 16  # classes of a row that can be the true one
ASKED = 5000  # rows that the matrix is fitted on
BLOCK = 500_000  # rows at a time
ROUNDS = 15
NOTHING = 1e-6  # of a row's probabilities, for what the model never says
STRENGTH = 30  # labels of each class that all classes' noise is worth


def find_noise(y: np.ndarray, probs: np.ndarray | TopProbs) -> np.ndarray:
    """Give each label's chance (m,) to be wrong by a noise matrix.

    That is given the clean class by probs (m, k), sharpened as makes the labels likeliest.
    """
    some = slice(None, None, max(1, -(-len(y) // ASKED)))
    _, logs, cells = _lay_out(y[some], probs[some])
    mixed = Confusions.of_model(probs[some])

    def fit(power: float) -> NoiseMatrix:
        return _fit_matrix(cells, _sharpen(logs, power), mixed)

    power = _find_peak(POWERS, [fit(power).likelihood for power in POWERS])
    matrix, out = fit(power), np.empty(len(y))
    for start in range(0, len(y), BLOCK):
        rows = slice(start, start + BLOCK)
        own, of, at = _lay_out(y[rows], probs[rows])
        share = _sharpen(of, power) * matrix.share_of(at)
        out[rows] = 1 - np.where(own, share, 0).sum(1) / share.sum(1)
    return out


def _lay_out(
    y: np.ndarray, probs: np.ndarray | TopProbs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give of each row's likeliest classes (m, j): whether it is the label, its log, class * k + label."""
    at, p = _likely_classes(y, probs)
    cells = at.astype("i8") * probs.shape[1] + y[:, None]
    return at == y[:, None], np.log(np.maximum(p, 1e-9)), cells


def _likely_classes(y: np.ndarray, probs: np.ndarray | TopProbs) -> tuple[np.ndarray, np.ndarray]:
    """Find the likeliest classes (m, j) of each row, the label's among them, and their probabilities."""
    m, k = probs.shape
    top = isinstance(probs, TopProbs)
    if k <= LIKELY:  # all of them
        return (probs.at, probs.p) if top else (np.broadcast_to(np.arange(k), (m, k)), probs)
    p = probs.p if top else probs
    at = np.argpartition(-p, LIKELY - 1, axis=1)[:, :LIKELY]
    at = np.take_along_axis(probs.at, at, 1) if top else at
    p = probs[np.arange(m)[:, None], at]
    least, missing = p.argmin(1), np.flatnonzero((at != y[:, None]).all(1))
    at[missing, least[missing]] = y[missing]
    p[missing, least[missing]] = probs[missing, y[missing]]
    return at, p


class Confusions(NamedTuple):
    """What a model takes each class for: shares of each row of (k, k), 0 on the diagonal."""

    cells: np.ndarray  # row * k + column, sorted, of what is not next to nothing
    counts: np.ndarray
    totals: np.ndarray  # (k,)

    @classmethod
    def of_model(cls, probs: np.ndarray | TopProbs) -> Confusions:
        m, k = probs.shape
        at = probs.at if isinstance(probs, TopProbs) else np.broadcast_to(np.arange(k), (m, k))
        p = probs.p if isinstance(probs, TopProbs) else probs
        said = probs.argmax(1)
        other = at != said[:, None]
        cells, place = np.unique((said[:, None] * k + at)[other], return_inverse=True)
        counts = np.bincount(place, p[other], len(cells))
        totals = np.bincount(cells // k, counts, k) + NOTHING * (k - 1)
        return cls(cells, counts, totals)

    def share_of(self, cells: np.ndarray) -> np.ndarray:
        """Look up the shares at cells, of any shape."""
        row, column = np.divmod(cells, len(self.totals))
        found = NOTHING * (row != column) + look_up(self.cells, self.counts, cells)
        return found / self.totals[row]


def look_up(cells: np.ndarray, counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Look up the counts of sorted cells at wanted ones; 0 where there is none."""
    if not len(cells):
        return np.zeros(wanted.shape)
    place = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
    return np.where(cells[place] == wanted, counts[place], 0)


def _sharpen(logs: np.ndarray, power: float) -> np.ndarray:
    """Raise probabilities (m, j) to a power, rows sum to 1."""
    q = np.exp(power * (logs - logs.max(1, keepdims=True)))
    return q / q.sum(1, keepdims=True)


def _find_peak(x: tuple[float, ...], heights: list[float]) -> float:
    """Find where heights (m,) over x (m,) are highest, by a parabola over log x."""
    best = int(np.argmax(heights))
    if best in (0, len(x) - 1):
        return x[best]
    near = slice(best - 1, best + 2)
    bend, slope, _ = np.polyfit(np.log(x[near]), heights[near], 2)
    return float(np.exp(-slope / (2 * bend)))


class NoiseMatrix(NamedTuple):
    """Shares of given classes for each true class: rows of (k, k)."""

    cells: np.ndarray  # true * k + given, sorted, of the pairs that were seen
    pairs: np.ndarray  # how often
    totals: np.ndarray  # (k,) how often each true class was
    noise: float
    mixed: Confusions
    likelihood: float  # mean log likelihood of the labels

    def share_of(self, cells: np.ndarray) -> np.ndarray:
        """Look up the shares at cells, of any shape."""
        row, column = np.divmod(cells, len(self.totals))
        prior = _lean(row == column, self.noise, self.mixed.share_of(cells))
        return (look_up(self.cells, self.pairs, cells) + prior) / (self.totals[row] + STRENGTH)


def _lean(given: np.ndarray, noise: float, leaks: np.ndarray) -> np.ndarray:
    """Give what a class starts from: the noise of all, mixed up as the model mixes up."""
    return STRENGTH * ((1 - noise) * given + noise * leaks)


def _fit_matrix(cells: np.ndarray, clean: np.ndarray, mixed: Confusions) -> NoiseMatrix:
    """Fit the noise matrix of true and given class, by expectation maximisation.

    cells (m, j): true class * k + given class. clean (m, j): chances of these to be the true one.
    """
    k, leaks = len(mixed.totals), mixed.share_of(cells)
    seen, place = np.unique(cells, return_inverse=True)
    row, column = np.divmod(seen, k)
    at, given, place = cells // k, cells // k == cells % k, place.reshape(cells.shape)
    pairs, totals, noise = np.zeros(len(seen)), np.zeros(k), 0.05
    for _ in range(ROUNDS):
        prior = _lean(given, noise, leaks)
        joint = clean * (pairs[place] + prior) / (totals[at] + STRENGTH)
        evidence = joint.sum(1, keepdims=True)
        pairs = np.bincount(place.ravel(), (joint / evidence).ravel(), len(seen))
        totals = np.bincount(row, pairs, k)
        noise = min(0.9, 1 - pairs[row == column].sum() / len(cells))
    return NoiseMatrix(seen, pairs, totals, noise, mixed, float(np.log(evidence).mean()))

"""Estimate which labels are wrong by a noise matrix.

The classes given are the clean ones times a matrix, and the clean ones are a model's probabilities, sharpened. This
finds what no confusion of the model explains: less than there is, most of it where the model is sure.
"""

from __future__ import annotations

import numpy as np

POWERS = (1, 1.25, 1.6, 2, 2.5, 3.2)  # of the probabilities, that are tried
LIKELY = 16  # classes of a row that can be the true one
ASKED = 5000  # rows that the matrix is fitted on
ROUNDS = 15
STRENGTH = 30  # labels of each class that all classes' noise is worth


def find_noise(y: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Give each label's chance (m,) to be wrong by a noise matrix.

    That is given the clean class by probs, sharpened as makes the labels likeliest.
    """
    asked = slice(None, None, max(1, -(-len(y) // ASKED)))
    at = _likely_classes(y, probs)
    logs = np.log(np.maximum(np.take_along_axis(probs, at, 1), 1e-9))
    mixed = _confusions(probs[asked])

    def fit(power: float) -> tuple[float, np.ndarray]:
        return _fit_matrix(y[asked], at[asked], _sharpen(logs[asked], power), mixed)

    power = _find_peak(POWERS, [fit(power)[0] for power in POWERS])
    share = _sharpen(logs, power) * fit(power)[1][at, y[:, None]]
    return 1 - np.where(at == y[:, None], share, 0).sum(1) / share.sum(1)


def _likely_classes(y: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Find the likeliest classes (m, j) of each row, the label's among them."""
    m, k = probs.shape
    if k <= LIKELY:
        return np.broadcast_to(np.arange(k), (m, k))
    at = np.argpartition(-probs, LIKELY - 1, axis=1)[:, :LIKELY]
    least = np.take_along_axis(probs, at, 1).argmin(1)
    missing = np.flatnonzero((at != y[:, None]).all(1))
    at[missing, least[missing]] = y[missing]
    return at


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


def _confusions(probs: np.ndarray) -> np.ndarray:
    """Give what the model takes each class for: (k, k), rows sum to 1."""
    k = probs.shape[1]
    mixed = np.full((k, k), 1e-6)
    np.add.at(mixed, probs.argmax(1), probs)
    np.fill_diagonal(mixed, 0)
    return mixed / mixed.sum(1, keepdims=True)


def _fit_matrix(
    y: np.ndarray, at: np.ndarray, clean: np.ndarray, mixed: np.ndarray
) -> tuple[float, np.ndarray]:
    """Fit the noise matrix (k, k) of true and given class, by expectation maximisation.

    clean (m, j): chances of the classes `at` to be the true one. A class starts from the noise of all classes, which
    mixes up what the model mixes up (k, k). Returns also the mean log likelihood of the labels.
    """
    k, given = len(mixed), at == y[:, None]
    cell, leaks = at * k + y[:, None], mixed[at, y[:, None]]
    pairs, total, noise = np.zeros(k * k), np.zeros(k), 0.05
    for _ in range(ROUNDS):
        prior = STRENGTH * ((1 - noise) * given + noise * leaks)
        joint = clean * (pairs[cell] + prior) / (total[at] + STRENGTH)
        evidence = joint.sum(1, keepdims=True)
        pairs = np.bincount(cell.ravel(), (joint / evidence).ravel(), k * k)
        total = pairs.reshape(k, k).sum(1)
        noise = min(0.9, 1 - pairs[:: k + 1].sum() / len(y))
    matrix = pairs.reshape(k, k) + STRENGTH * ((1 - noise) * np.eye(k) + noise * mixed)
    return float(np.log(evidence).mean()), matrix / matrix.sum(1, keepdims=True)

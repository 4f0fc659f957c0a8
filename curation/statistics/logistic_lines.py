"""Logistic lines: a bias and a slope for each of many columns, fitted at once."""

from __future__ import annotations

import numpy as np

LOOSE = 1e-3, 1e-3  # a lean that only keeps a fit from running away


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Turn logits (n, k) into probabilities, each by itself."""
    from scipy.special import expit

    return expit(logits)


def fit_lines(
    scores: np.ndarray, y: np.ndarray, start: np.ndarray, lean: tuple[float, float]
) -> np.ndarray:
    """Fit a bias and a slope a column (2, k) by Newton's method, all columns at once.

    scores, y (n, k): y from 0 to 1. start (2, k): what they lean to. lean: how strongly bias and slope do.
    """
    a, b = start.astype("f8")
    for _ in range(50):
        p = sigmoid(a + b * scores)
        miss, w = p - y, np.maximum(p * (1 - p), 1e-9)
        da, db = (
            miss.sum(0) + lean[0] * (a - start[0]),
            (miss * scores).sum(0) + lean[1] * (b - start[1]),
        )
        aa, ab, bb = w.sum(0) + lean[0], (w * scores).sum(0), (w * scores**2).sum(0) + lean[1]
        det = aa * bb - ab**2
        step = np.array([(bb * da - ab * db) / det, (aa * db - ab * da) / det])
        step = np.clip(step, -5, 5)  # the first steps may be wild where a class is rare
        a, b = a - step[0], b - step[1]
        if np.abs(step).max() < 1e-6:
            break
    return np.array([a, b])


def fit_biases(offsets: np.ndarray, y: np.ndarray, lean: float) -> np.ndarray:
    """Fit what is added to each column's logits (k,), leaning to 0 with the weight of `lean` samples.

    offsets, y (n, k): the logits, and targets from 0 to 1.
    """
    added = np.zeros(offsets.shape[1])
    for _ in range(20):
        p = sigmoid(offsets + added)
        pull = (p - y).sum(0) + lean * added
        step = np.clip(pull / ((p * (1 - p)).sum(0) + lean), -5, 5)
        added -= step
        if np.abs(step).max(initial=0) < 1e-4:
            break
    return added

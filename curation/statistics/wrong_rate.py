"""Predict from people's looks how many other labels are wrong.

P(wrong) is a logistic function of the log-odds of a label's score, with a weak normal prior on its slope. What is
unknown of the two weights (Laplace's approximation) and the chance of each label make the interval: one for labels
that are still to be seen. It holds wherever the looks were chosen by score, as a queue chooses them, or at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRECISION = np.array([1e-3, 1e-2])  # of the prior: of the offset, of the slope
DRAWS = 1000


@dataclass(frozen=True)
class WrongRate:
    """P(wrong) = 1 / (1 + exp(-(a + b logit(score))))."""

    weights: np.ndarray  # (2,) a and b
    covariance: np.ndarray  # (2, 2) of what is unknown of them

    def count_wrong(self, scores: np.ndarray, level: float = 0.95) -> tuple[float, int, int]:
        """Expect how many labels of scores (m,) are wrong.

        Returns (mean, low, high): an interval for the number itself.
        """
        rng = np.random.default_rng(0)  # the same scores, the same answer
        spread = np.linalg.cholesky(self.covariance + 1e-12 * np.eye(2))
        drawn = self.weights + rng.normal(size=(DRAWS, 2)) @ spread.T
        chances = sigmoid(design(scores) @ drawn.T)
        counts = (rng.random(chances.shape) < chances).sum(0)
        tail = (1 - level) / 2
        low, high = np.quantile(counts, [tail, 1 - tail], method="nearest")
        return float(chances.mean(1).sum()), int(low), int(high)


def fit_wrong_rate(scores: np.ndarray, wrong: np.ndarray) -> WrongRate:
    """Fit the rate to looks.

    scores (n,) of the labels as given; wrong (n,): whether each was. By Newton's method; the loss is convex.
    """
    A, b = design(scores), np.zeros(2)
    wrong = np.asarray(wrong, float)
    for _ in range(100):
        p = sigmoid(A @ b)
        curvature = (A * (p * (1 - p))[:, None]).T @ A + np.diag(PRECISION)
        step = np.linalg.solve(curvature, A.T @ (wrong - p) - PRECISION * b)
        b = b + step * min(1.0, 4 / np.abs(step).max())  # a long step overshoots
        if np.abs(step).max() < 1e-8:
            break
    return WrongRate(b, np.linalg.inv(curvature))


def design(scores: np.ndarray) -> np.ndarray:
    """Make the columns of the regression: (n, 2)."""
    p = np.clip(np.asarray(scores, "f8"), 1e-6, 1 - 1e-6)
    return np.stack([np.ones(len(p)), np.log(p / (1 - p))], axis=1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function."""
    return 0.5 * (1 + np.tanh(0.5 * x))

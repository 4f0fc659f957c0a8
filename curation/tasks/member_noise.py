"""Which memberships of label sets are wrong: a model of classes added by mistake, and missed.

A membership is given as a model's probability says, but for some that were added and some that were missed. Those
leave more surprises in the tails than there should be, which tells the two rates. (Copas 1988: contaminated binary
data.) Rates lean to one sample in ten with each kind, as few samples tell little. Measured: docs/lab-notebook.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.curation.statistics.logistic_lines import fit_biases, fit_lines, sigmoid

USUAL = 0.1  # errors of each kind a sample, to which the two rates lean
LEAN = 200.0  # errors that this is worth: of all classes together
LEAN_CLASS = 2.0  # errors that the rates of all classes are worth, for one class
LEAN_BIAS = 20.0  # samples that the bias of all classes is worth, for one class
LEAN_LINE = 20.0  # how strongly the line of all classes leans to the probabilities as they are
MOST = 0.45  # of memberships that may be wrong
ROUNDS = 15
ASKED = 1_000_000  # memberships, of which the rates are learnt


@dataclass(frozen=True)
class MemberNoise:
    """How probabilities of the given members become those of the true ones, and how often people err."""

    bias: np.ndarray  # (k,) added to logits, after
    slope: np.ndarray  # (k,) equal: what multiplies them
    added: np.ndarray  # (k,) chance that a class is given where it is not
    missed: np.ndarray  # (k,) chance that one is not given where it is

    @classmethod
    def from_array(cls, columns: np.ndarray) -> MemberNoise:
        """Read what to_array wrote: (k, 4)."""
        return cls(*columns[:, :4].T)

    def to_array(self) -> np.ndarray:
        return np.column_stack([self.bias, self.slope, self.added, self.missed])

    def trust(self, y: np.ndarray, probs: np.ndarray) -> np.ndarray:
        """Give each membership's chance to be right: (m, k); y (m, k) 0 or 1, probs (m, k) out of sample."""
        true = sigmoid(self.bias + self.slope * find_logits(probs))
        right_one, wrong_one = (1 - self.missed) * true, self.added * (1 - true)
        right_none, wrong_none = (1 - self.added) * (1 - true), self.missed * true
        right = np.where(y == 1, right_one, right_none)
        return right / np.maximum(right + np.where(y == 1, wrong_one, wrong_none), 1e-12)


def find_logits(probs: np.ndarray) -> np.ndarray:
    """Give the logits of probabilities, -14 to 14."""
    p = np.clip(probs, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def fit_member_noise(y: np.ndarray, probs: np.ndarray) -> MemberNoise:
    """Learn how often each class was added or missed by mistake.

    y (m, k): members as given, 0 or 1; probs (m, k): each by itself, out of sample. By expectation and maximisation.
    """
    m, k = y.shape
    rows = slice(None, None, max(1, -(-m * k // ASKED)))
    given, logits = np.asarray(y[rows], "f8"), find_logits(probs[rows])
    many = max(given.sum(1).mean(), 0.1) if len(given) else 1.0  # classes a sample
    usual = USUAL / max(k - many, 1.0), min(USUAL / many, MOST)
    added, missed = np.full(k, min(usual[0], MOST)), np.full(k, usual[1])
    truth, noise = given, MemberNoise(np.zeros(k), np.ones(k), added, missed)
    for _ in range(ROUNDS if m else 0):
        bias, slope = fit_truth(logits, truth)
        noise = MemberNoise(bias, np.full(k, slope), added, missed)
        wrong = 1 - noise.trust(given, probs[rows])
        truth = np.where(given == 1, 1 - wrong, wrong)
        added = learn_rates((wrong * given).sum(0), (1 - truth).sum(0), usual[0])
        missed = learn_rates((wrong * (1 - given)).sum(0), truth.sum(0), usual[1])
    return noise


def fit_truth(logits: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit a bias for each class (k,) and a slope for all, from logits (m, k) to chances of the truth (m, k)."""
    start = np.array([[0.0], [1.0]])
    (bias,), (slope,) = fit_lines(
        logits.reshape(-1, 1), truth.reshape(-1, 1), start, (LEAN_LINE, LEAN_LINE)
    )
    slope = float(np.clip(slope, 0.05, 10))
    return bias + fit_biases(bias + slope * logits, truth, LEAN_BIAS), slope


def learn_rates(wrong: np.ndarray, asked: np.ndarray, usual: float) -> np.ndarray:
    """Give each class's rate of errors (k,): they lean to that of all, and this to the usual one.

    wrong (k,): errors expected, among asked (k,) memberships.
    """
    rate = usual * (wrong.sum() + LEAN) / (usual * asked.sum() + LEAN)
    return np.minimum(rate * (wrong + LEAN_CLASS) / (rate * asked + LEAN_CLASS), MOST)

"""Score probabilities: log-loss, Brier score, calibration error."""

from __future__ import annotations

import numpy as np

from assay.curation.statistics import contrasts
from assay.pipelines.evaluation.test_set import interval_to_dict

LEAST = 1e-15  # a probability of 0 is taken as this, as scikit-learn once did
BINS = 15
PART = 65_536  # rows at a time


def score_samples(probs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Score each sample (S, m): log_loss in nats, brier from 0 to 2.

    probs (S, m, k); labels (m,) codes below k. [Brier 1950]
    """
    S, m, _ = probs.shape
    loss, brier = np.empty((S, m)), np.empty((S, m))
    for start in range(0, m, PART):
        rows = np.arange(start, min(m, start + PART))
        for s in range(S):
            part = probs[s, rows]
            own = part[np.arange(len(rows)), labels[rows]]
            loss[s, rows] = -np.log(own.clip(LEAST, 1))
            brier[s, rows] = (part**2).sum(1) - 2 * own + 1
    return dict(log_loss=loss, brier=brier)


def calibration_error(probs: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error of the likeliest class, in BINS of equal width.

    probs (S, m, k), labels (m,); the mean over trainings. [Guo et al. 2017]
    """
    errors = []
    for part in probs:
        top, right = part.max(1), part.argmax(1) == labels
        place = np.minimum((top * BINS).astype(int), BINS - 1)
        sums = np.bincount(place, top, BINS) - np.bincount(place, right, BINS)
        errors.append(abs(sums).sum() / len(labels))
    return float(np.mean(errors))


def compare_scores(probs: dict[str, np.ndarray], labels: np.ndarray, pair: tuple[str, str]) -> dict:
    """Compare two models' scores, or describe those of one: {measure: numbers}.

    difference: the second's minus the first's, negative where the second is better.
    """
    scores = {name: score_samples(p, labels) for name, p in probs.items()}
    out: dict[str, dict] = {}
    for measure in ("log_loss", "brier"):
        out[measure] = {name: float(s[measure].mean()) for name, s in scores.items()}
    out["calibration"] = {name: calibration_error(p, labels) for name, p in probs.items()}
    if all(name in scores for name in pair):
        for measure in ("log_loss", "brier"):
            cells = [scores[pair[1]][measure], scores[pair[0]][measure]]
            out[measure]["difference"] = interval_to_dict(contrast_scores(cells))
    return out


def contrast_scores(cells: list[np.ndarray]) -> contrasts.Estimate:
    """Estimate a difference of mean scores, which have no bounds of 0 and 1."""
    from dataclasses import replace

    return replace(contrasts.contrast(cells, contrasts.PAIR), span=(-np.inf, np.inf))

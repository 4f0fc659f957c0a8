"""Correct accuracies for wrong test labels, by an audit of some.

The difference estimator of survey sampling. [Särndal et al. 1992, 6.3; prediction-powered
inference, Angelopoulos et al. 2023, is the same idea]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from assay.curation.statistics.contrasts import as_matrix, contrast
from assay.curation.statistics.estimates import Estimate


def pseudo_values(given: ArrayLike, audited: ArrayLike, n: int) -> np.ndarray:
    """Pseudo-values (S, m) whose column mean is accuracy on clean labels.

    What is right by the given labels, plus m / n times what the audit changed. Their variance over
    columns is that of the estimator, too large by (mean change)^2 (1/n - 1/m).

    given    # (S, m) what is right by the given labels
    audited  # (S, m) what is right by the audited ones; equals `given` outside the audit
    n        # samples that were audited, drawn at random
    """
    given, audited = as_matrix(given), as_matrix(audited)
    return given + given.shape[1] / n * (audited - given)


def pseudo_values_by_class(
    given: ArrayLike, audited: ArrayLike, labels: ArrayLike, clean: ArrayLike, n: int
) -> np.ndarray:
    """Pseudo-values (S, m) as `pseudo_values`, for balanced accuracy.

    labels (m,) as given, clean (m,) as audited. A class's accuracy is a ratio of two difference
    estimates, hits and size; its linearised terms are the pseudo-values. [Särndal et al. 1992, 5.6]
    """
    given, audited = as_matrix(given), as_matrix(audited)
    labels, clean = np.asarray(labels), np.asarray(clean)
    out, names, m = np.zeros(given.shape), np.unique(np.r_[labels, clean]), len(labels)
    for name in names:
        was, now = labels == name, clean == name
        size = was + m / n * (1.0 * now - was)
        hits = was * given + m / n * (now * audited - was * given)
        # an audit may find none of a rare class: its terms are then wide, as they should be
        total = max(size.sum(), 1)
        share = (hits.sum(1, keepdims=True) / total).clip(0, 1)
        terms = m / total * (hits - share * size)
        out += share + terms - terms.mean(1, keepdims=True)
    return out / len(names)


def audited_accuracy(
    Y: ArrayLike, n: int, level: float = 0.95, others: Sequence[ArrayLike] = ()
) -> Estimate:
    """Estimate the accuracy of one cell from pseudo-values.

    Y (S, m), n of them audited. Inside 0 to 1. Its interval is that of `contrast`: Wilson's would be too short near
    1, where most of the variance is the audit's.
    """
    weights = [1, *(0 for _ in others)]
    e = contrast([Y, *others], weights, level, n / np.shape(Y)[-1])
    accuracy = min(1.0, max(0.0, e.estimate))
    return replace(e, estimate=accuracy, seeds=e.seeds[:1], seed_spread=e.seed_spread[:1])

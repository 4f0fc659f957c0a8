"""An accuracy's interval where samples come in groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.curation.statistics.estimates import wilson_interval


def grouped_accuracy(
    hit: np.ndarray, groups: Sequence, level: float = 0.95
) -> tuple[float, float, float]:
    """Estimate an accuracy: (estimate, low, high).

    hit (n,) bool; groups (n,): samples of one group, such as a patient's, are no independent answers. Wilson's
    interval with n_eff = p (1 - p) / V, at most n, V the variance of the ratio of group totals, at most n.
    [Cochran, Sampling Techniques, 3rd ed., eq. 6.13; Korn and Graubard 1998]
    """
    hit, at = np.asarray(hit, "f8"), np.unique(groups, return_inverse=True)[1]
    n, p = len(hit), float(hit.mean())
    size = np.bincount(at)
    m = len(size)
    if m == n:
        n_eff: float = n
    elif m == 1 or not 0 < p < 1:
        n_eff = m
    else:
        variance = m / (m - 1) * ((np.bincount(at, hit) - p * size) ** 2).sum() / n**2
        n_eff = min(n, p * (1 - p) / variance) if variance else n
    return p, *wilson_interval(p * n_eff, n_eff, level)

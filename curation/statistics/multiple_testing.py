"""Correct p-values and intervals for many tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from assay.curation.statistics.estimates import Estimate

FDR_LEVEL = 0.05  # false discoveries among all that is tested


def adjust_fdr(p_values: ArrayLike) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p-values (m,), in the order given.

    What has at most q there has at most a share of q false discoveries in it. [1995]
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p_values, float)
    return false_discovery_control(p) if len(p) else p


def adjust_holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's adjusted p-values (m,), in the order given. [Holm 1979]"""
    p = np.asarray(p_values, float)
    order = p.argsort(kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    return adjusted


def holm_intervals(estimates: Sequence[Estimate], level: float = 0.95) -> list[Estimate]:
    """The same differences, each at the level at which Holm tests it.

    One excludes zero exactly where adjust_holm(p) <= 1 - level.
    """
    alphas = holm_alphas([e.p for e in estimates], 1 - level)
    return [e.at(1 - alpha) for e, alpha in zip(estimates, alphas)]


def holm_alphas(p_values: Sequence[float], alpha: float = 0.05) -> list[float]:
    """The alpha at which Holm tests each p-value, in the order given.

    One is rejected where its p-value is no larger.
    """
    left, out = len(p_values), [alpha] * len(p_values)
    for i in np.argsort(p_values, kind="stable"):
        out[i] = alpha / left
        # from the first that fails on, all are judged as strictly as that one
        left -= p_values[i] <= out[i]
    return out

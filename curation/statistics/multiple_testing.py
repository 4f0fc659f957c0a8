"""Corrections for many tests: Holm, and Benjamini and Hochberg."""

import numpy as np

LEVEL = 0.05  # false discoveries among all that is tested


def discoveries(p, level=LEVEL):
    """Which of the p-values (m,) are found with at most `level` false ones among them. [Benjamini and Hochberg 1995]"""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    below = np.flatnonzero(p[order] <= level * np.arange(1, len(p) + 1) / max(len(p), 1))
    out = np.zeros(len(p), bool)
    out[order[: below[-1] + 1 if len(below) else 0]] = True
    return out


def holm(p_values):
    """Holm's adjusted p-values, in the order given. [Holm 1979]"""
    p = np.asarray(p_values, float)
    order = p.argsort(kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1.0)
    return adjusted


def holm_intervals(estimates, level=0.95):
    """The same differences, each at the level at which Holm tests it: one excludes zero exactly where holm(p) <= 1 - level."""
    return [
        e.at(1 - alpha)
        for e, alpha in zip(estimates, holm_alphas([e.p for e in estimates], 1 - level))
    ]


def holm_alphas(p_values, alpha=0.05):
    """The alpha at which Holm tests each, in the order given: one is rejected where its p-value is no larger."""
    left, out = len(p_values), [alpha] * len(p_values)
    for i in np.argsort(p_values, kind="stable"):
        out[i] = alpha / left
        left -= (
            p_values[i] <= out[i]
        )  # from the first that fails on, all are judged as strictly as that one
    return out

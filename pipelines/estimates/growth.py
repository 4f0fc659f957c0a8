"""How a cost grows with the number of samples: a curve through what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST = 1e-3  # of a cost; a smaller one is as good as none


@dataclass(frozen=True)
class Curve:
    """A cost by the number of samples n: fixed + each * n ** power."""

    fixed: float
    each: float
    power: float
    exponent: float | None  # fitted to all sizes, log-log; None: one size was measured
    low: float | None  # the least and the greatest exponent from one size to the next;
    high: float | None  # None: fewer than three sizes were measured

    def at(self, n: float) -> float:
        """The cost of n samples."""
        return self.fixed + self.each * n**self.power


def fit_curve(sizes: Sequence[float], costs: Sequence[float], sure: float = 0.0) -> Curve:
    """Fit a curve to the costs (m,) of m sizes.

    The exponent is the slope of log cost by log size (least squares). Above 1 the curve is that power of n, where the
    largest cost is at least `sure`: what is smaller grows by chance. Else it is a line with a fixed part: beyond the
    sizes that were measured no pass over all samples grows more slowly than they do. One size: in proportion to n.
    """
    n, cost = np.asarray(sizes, float), np.maximum(np.asarray(costs, float), LEAST)
    order = np.argsort(n)
    n, cost = n[order], cost[order]
    if len(np.unique(n)) < 2:
        return Curve(0.0, float(np.mean(cost / n)), 1.0, None, None, None)
    x, y = np.log(n), np.log(cost)
    exponent, offset = np.polyfit(x, y, 1)
    further = np.diff(x) > 0  # of one size measured twice nothing tells growth
    steps = np.diff(y)[further] / np.diff(x)[further]
    span = (float(min(steps)), float(max(steps))) if len(steps) > 1 else (None, None)
    if exponent > 1 and cost[-1] >= sure:
        return Curve(0.0, float(np.exp(offset)), float(exponent), float(exponent), *span)
    return Curve(*fit_line(n, cost), 1.0, float(exponent), *span)


def fit_line(n: np.ndarray, cost: np.ndarray) -> tuple[float, float]:
    """Fit a line, (fixed, each), neither of them below 0, to the costs (m,) of sizes n (m,)."""
    # errors count by their share: 10 % of a small cost as much as 10 % of a large one
    each, fixed = np.polyfit(n, cost, 1, w=1 / cost)
    if each < 0:  # it costs the same, but for noise
        return float(np.mean(cost)), 0.0
    return (float(fixed), float(each)) if fixed >= 0 else (0.0, float(np.mean(cost / n)))

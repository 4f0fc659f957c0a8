"""Estimate accuracies and contrasts from answers to one test set.

For data versions x architectures x seeds that are all judged on it. Seeds are a sample of all seeds
and test samples of all samples, so both widen an interval (crossed variance components, seeds
unmatched). A cell is one (S, m) array: row s holds what the model of seed s got right (1) or wrong
(0) on the m test samples. Coverage is measured in tests/benchmarks/coverage.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from assay.curation.statistics.estimates import Estimate

PAIR, DATA_EFFECT, INTERACTION = (1, -1), (-0.5, -0.5, 0.5, 0.5), (1, -1, -1, 1)


class CellMoments(NamedTuple):
    """What a cell tells of its accuracy."""

    accuracy: float
    v_items: float  # V_I, without a floor
    ms_s: float  # MS_s, between seeds
    ms_e: float  # MS_e, the two-way residual


def cell_accuracy(
    Y: ArrayLike,
    level: float = 0.95,
    others: Sequence[ArrayLike] = (),
    group_size: float | None = None,
) -> Estimate:
    """Estimate the accuracy of one cell.

    With Wilson's interval at its effective n.

    Y           # (S, m); columns may be means of `group_size` samples
    others      # cells that should vary as much from seed to seed (the same architecture on other
                # data), to lend phi: two seeds that agree by luck hide their spread, and where that
                # is large they cover 92 to 94 % alone
    """
    return balanced_accuracy(Y, np.zeros(np.shape(Y)[-1]), level, others, group_size)


def balanced_accuracy(
    Y: ArrayLike,
    labels: ArrayLike,
    level: float = 0.95,
    others: Sequence[ArrayLike] = (),
    group_size: float | None = None,
) -> Estimate:
    """Estimate the balanced accuracy of one cell.

    The mean over the K classes of the accuracy within the class. Y (S, m), labels (m,); the rest as in
    `cell_accuracy`. Classes are strata of n_k samples. At 0 or 1 n_eff is K^2 / sum 1 / n_k: m for equal classes,
    about K^2 n_k if one is tiny.
    """
    cells, labels = [as_matrix(Z) for Z in (Y, *others)], np.asarray(labels)
    assert {Z.shape[1] for Z in cells} == {len(labels)}, "all on the same test samples"
    S, m = np.array([len(Z) for Z in cells]), len(labels)
    n = np.unique(labels, return_counts=True)[1]
    # one value a cell
    accuracies, v_items, ms_s, ms_e = np.array([class_moments(Z, labels) for Z in cells]).T
    v_seeds, df = seed_variance(np.eye(len(cells))[0], S, m, ms_s, ms_e)
    p, cap = float(accuracies[0]), float(len(n) ** 2 / (1 / n).sum())
    if cap * p * (1 - p) >= 5:  # with fewer errors, seeds that repeat them add no evidence
        cap *= int(S[0]) * (group_size or 1)
    v_items *= (m - 1) / m  # one seed is then Wilson's interval at m, not at m - 1
    return Estimate(
        estimate=p,
        v_items=float(v_items[0]),
        v_seeds=v_seeds,
        df=df,
        n=m,
        seeds=S[:1].tolist(),
        seed_spread=seed_spreads(S, m, ms_s, ms_e)[:1],
        seeds_known=bool(S.max() > 1),
        cap=cap,
        level=level,
    )


def class_moments(Y: np.ndarray, labels: np.ndarray) -> CellMoments:
    """The moments of a cell's balanced accuracy.

    With one class, of its accuracy. V_I has no floor: Wilson brings his own.
    """
    names, n = np.unique(labels, return_counts=True)
    K, m, seeds, v_items, ms_e = len(n), len(labels), np.zeros(len(Y)), 0.0, 0.0
    for name, n_k in zip(names, n):
        part = Y[:, labels == name]
        seeds += part.mean(1)
        part = part if n_k > 1 else Y  # a class of one sample has no variance of its own
        v_items += sample_variance(part.mean(0)) / n_k / K**2
        ms_e += m * mean_squares(part)[1] / n_k / K**2
    return CellMoments(seeds.mean() / K, v_items, m * sample_variance(seeds / K), ms_e)


def contrast(
    cells: Sequence[ArrayLike],
    weights: ArrayLike,
    level: float = 0.95,
    group_size: float | None = None,
) -> Estimate:
    """Estimate a weighted sum of accuracies.

    Where test samples come in correlated groups, columns are means over groups of `group_size`; an
    audit's pseudo-values weigh like groups of n / m. A cell of one seed borrows the seed spread of
    the others, where there are any.

    cells    # (S_c, m) each, over the same m test samples; S_c may differ
    weights  # one a cell: PAIR, DATA_EFFECT, INTERACTION or any other
    """
    cells, w = [as_matrix(Y) for Y in cells], np.asarray(weights, float)
    assert len(w) == len(cells) and len({Y.shape[1] for Y in cells}) == 1, (
        "one weight a cell, all on the same test samples"
    )
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    L = sum(w_c * Y.mean(0) for w_c, Y in zip(w, cells))  # L_i
    # few samples differ: the plain variance would be too sure
    floor = (w**2 / np.minimum(S, 2)).sum()
    if m > 1:
        v_items = (((L - L.mean()) ** 2).sum() + floor / (group_size or 1) ** 2) / (m * (m - 1))
    else:
        v_items = floor  # one sample or group says next to nothing
    ms_s, ms_e = np.array([mean_squares(Y) for Y in cells]).T
    v_seeds, df = seed_variance(w, S, m, ms_s, ms_e)
    return Estimate(
        estimate=float(L.mean()),
        v_items=float(v_items),
        v_seeds=v_seeds,
        df=df,
        n=m,
        seeds=S.tolist(),
        seed_spread=seed_spreads(S, m, ms_s, ms_e),
        seeds_known=bool(S.max() > 1),
        span=(float(w[w < 0].sum()), float(w[w > 0].sum())),
        level=level,
    )


def seed_variance(
    w: np.ndarray, S: np.ndarray, m: int, ms_s: np.ndarray, ms_e: np.ndarray
) -> tuple[float, float | None]:
    """V_a and its degrees of freedom; arrays hold one value a cell.

    Satterthwaite's, on the seed part alone.
    """
    free = S - 1
    if not free.any():
        return 0.0, None
    # a cell of one seed cannot know its own
    ms_e = np.where(free > 0, ms_e, (free * ms_e).sum() / free.sum())
    total = (free * ms_e).sum()
    # phi MS_e,c = share_c sum (S-1) MS_s: no 0/0 where MS_e is 0
    share = ms_e / total if total else 1 / free.sum()
    a = w**2 / (S * m)
    # u_c; the second term comes through phi
    u = (a * free / S + free * (a / S * share).sum()) * ms_s
    v_seeds = u.sum() - (a * ms_e).sum()
    if v_seeds <= 0:
        return 0.0, None
    return float(v_seeds), float(u.sum() ** 2 / (u[free > 0] ** 2 / free[free > 0]).sum())


def seed_spreads(S: np.ndarray, m: int, ms_s: np.ndarray, ms_e: np.ndarray) -> list[float | None]:
    """sigma_s of each cell: sigma_s^2 = (MS_s - MS_e) / m."""
    return [math.sqrt(max(0.0, s - e) / m) if k > 1 else None for k, s, e in zip(S, ms_s, ms_e)]


def mean_squares(Y: np.ndarray) -> tuple[float, float]:
    """The mean squares (MS_s, MS_e) of one cell (S, m).

    Between seeds, and the two-way residual. Zeros where there is one seed.
    """
    S, m = Y.shape
    if S == 1:
        return 0.0, 0.0
    rows, columns, mean = Y.mean(1), Y.mean(0), Y.mean()
    # sum (Y - row - column + mean)^2
    residual = (Y**2).sum() - m * (rows**2).sum() - S * (columns**2).sum() + S * m * mean**2
    found = m * rows.var(ddof=1), residual / ((S - 1) * max(m - 1, 1))
    return tuple(float(ms) if ms > 1e-12 else 0.0 for ms in found)  # rounding dust is not spread


def sample_variance(x: np.ndarray) -> float:
    """The unbiased variance; 0 of one value."""
    return x.var(ddof=1) if len(x) > 1 else 0.0


def as_matrix(Y: ArrayLike) -> np.ndarray:
    """Y as (S, m) floats; one row is one seed."""
    Y = np.atleast_2d(np.asarray(Y, float))
    assert Y.ndim == 2 and Y.size and np.isfinite(Y).all(), "expected (seeds, samples) without gaps"
    return Y

"""Estimate which effects an experiment can show.

And the samples, seeds or audited labels that an effect needs.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from assay.curation.statistics.contrasts import (
    PAIR,
    as_matrix,
    contrast,
    mean_squares,
    sample_variance,
)
from assay.curation.statistics.estimates import normal_quantile

SEEDS = range(2, 1001)  # a cell, that are tried


def contrast_power(
    cells: Sequence[ArrayLike],
    weights: ArrayLike,
    delta: float,
    level: float = 0.95,
    group_size: float | None = None,
) -> float:
    """Chance that samples and seeds like these show a true effect.

    Of `delta`, at `level`; cells as in `contrast`. One effect among k that are tested together
    (Holm) has at least the power at 1 - (1 - level) / k.
    """
    return contrast(cells, weights, level, group_size).power(delta)


def needed_sizes(
    cells: Sequence[ArrayLike],
    delta: float,
    weights: ArrayLike = PAIR,
    power: float = 0.8,
    level: float = 0.95,
) -> dict[str, int | None]:
    """Find the sizes that would show a true effect `delta`.

    {"m": test samples with these seeds, "seeds": seeds a cell with this test set}. m None: no test
    set is large enough, add seeds. seeds None: 1,000 are too few, add samples. Both None: add both;
    or there is one seed a cell, or one sample, and nothing is known. [noncentral t: Johnson and
    Welch 1940]
    """
    cells, w = [as_matrix(Y) for Y in cells], np.asarray(weights, float)
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    if m == 1 or not (S > 1).any():
        return {"m": None, "seeds": None}
    sigma2_s, sigma2_e, omega2 = variance_components(cells, w)

    def count_samples(S: np.ndarray) -> float:
        allowed = allowed_item_variance(S, w, sigma2_s, delta, power, level)
        if allowed <= 0:
            return math.inf
        return math.ceil((omega2 + sigma2_e * (w**2 / S).sum()) / allowed + 1.5 / delta)

    now = count_samples(S)
    enough = (s for s in SEEDS if count_samples(np.full(len(S), s)) <= m)
    return {"m": None if math.isinf(now) else now, "seeds": next(enough, None)}


def needed_audits(
    cells: Sequence[ArrayLike],
    given: Sequence[ArrayLike],
    n: int,
    delta: float,
    weights: ArrayLike = PAIR,
    power: float = 0.8,
    level: float = 0.95,
) -> dict[str, int | None]:
    """Find the audits that would show a true effect `delta`.

    As `needed_sizes`, where n of the m test labels are audited, drawn at random: {"audited": how
    many of the m would do, "m": test samples, all audited, where these m would not, "seeds": seeds
    a cell with this audit}.

    With c_i the weighted sum by clean labels and d_i what an audit changes of it, V_I = var(c) / m
    + mean(d^2) (1 / n - 1 / m) + floor / n^2: an audit shrinks all but the first term. [the
    variance of audit_correction.pseudo_values, in its two phases: Särndal et al. 1992, 9.3]

    cells  # pseudo-values, see audit_correction.pseudo_values
    given  # 0/1 by the labels as given
    """
    cells, given = [as_matrix(Y) for Y in cells], [as_matrix(Y) for Y in given]
    w = np.asarray(weights, float)
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    if not (S > 1).any():
        return {"audited": None, "m": None, "seeds": None}
    sigma2_s, sigma2_e, omega2 = variance_components(cells, w)
    L, G = (sum(w_c * Y.mean(0) for w_c, Y in zip(w, part)) for part in (cells, given))
    changed = n / m**2 * ((L - G) ** 2).sum()  # mean d^2 of the audited: L - G is m / n d there
    clean = max(0.0, sample_variance(L) - changed * (m / n - 1))
    floor = (w**2 / np.minimum(S, 2)).sum()
    allowed = allowed_item_variance(S, w, sigma2_s, delta, power, level)

    def is_enough(audited: int) -> bool:
        return clean / m + changed * (1 / audited - 1 / m) + floor / audited**2 <= allowed

    def are_enough(seeds: int) -> bool:
        items = (omega2 + sigma2_e * (w**2).sum() / seeds) / m + floor / n**2
        return items <= allowed_item_variance(
            np.full(len(S), seeds), w, sigma2_s, delta, power, level
        )

    audited = n + 1 + bisect_left(range(n + 1, m + 1), True, key=is_enough)
    samples = math.ceil(clean / allowed + 1.5 / delta) if audited > m and allowed > 0 else None
    seeds = next(filter(are_enough, SEEDS), None)
    return {"audited": audited if audited <= m else None, "m": samples, "seeds": seeds}


class VarianceComponents(NamedTuple):
    """Where the variance of a contrast comes from."""

    sigma2_s: float  # from seeds
    sigma2_e: float  # from seeds and samples together
    omega2: float  # from samples alone


def variance_components(cells: list[np.ndarray], w: np.ndarray) -> VarianceComponents:
    """The variance components of a contrast, pooled over cells."""
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    ms_s, ms_e = (S - 1) @ np.array([mean_squares(Y) for Y in cells]) / (S - 1).sum()
    L = sum(w_c * Y.mean(0) for w_c, Y in zip(w, cells))
    omega2 = max(0.0, sample_variance(L) - (w**2 / S).sum() * ms_e)
    return VarianceComponents(max(0.0, ms_s - ms_e) / m, ms_e, omega2)


def allowed_item_variance(
    S: np.ndarray, w: np.ndarray, sigma2_s: float, delta: float, power: float, level: float
) -> float:
    """The most V_I, from test samples, that still shows `delta` with `power`.

    With S seeds a cell; 0 or less: the seeds alone hide it.
    """
    from scipy.special import stdtrit

    assert delta > 0
    a, free, z = w**2 / S, (S - 1).mean(), normal_quantile(power)
    # Satterthwaite's, as it comes out with equal spreads
    df = max(1.0, free * (a.sum() ** 2 / (a**2).sum() * free + 2) / (free + 2))
    t = stdtrit(df, 0.5 + level / 2)
    # the noncentral t's, where t + z is too little for few seeds
    seeds = t * (1 - 1 / (4 * df)) + z * math.sqrt(1 + t * t / (2 * df))
    left = delta**2 - seeds**2 * sigma2_s * a.sum()
    # 1.2: a pilot does not know its variance
    return left / (1.2 * (normal_quantile(0.5 + level / 2) + z) ** 2)

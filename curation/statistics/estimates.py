"""Estimate an accuracy or a difference, with its interval.

How one comes about is in contrasts.py. Everything is a fraction: 0.013 is 1.3 points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Estimate:
    """An accuracy, or a difference of accuracies, at a level.

    With what its interval is made of, so that `at` can give any other level.
    """

    estimate: float
    v_items: float  # V_I: variance from the test samples
    v_seeds: float  # V_a: variance from the seeds
    df: float | None  # of V_a; None where V_a is 0
    n: int  # m, test samples (or groups of them)
    seeds: list[int]  # S_c, one a cell
    seed_spread: list[float | None]  # sigma_s of each cell, in accuracy; None for one seed
    # False: one seed everywhere, so the interval speaks of these trained models only, not of the
    # recipe
    seeds_known: bool
    # an accuracy: the most independent answers that n_eff may stand for; a difference: None
    cap: float | None = None
    span: tuple[float, float] = (0.0, 1.0)  # the values that are possible at all
    level: float = 0.95
    # (the least, the most) that labels nobody is sure of allow: the interval spans both
    ends: tuple[Estimate, Estimate] | tuple[()] = ()

    def half_width(self, alpha: float) -> float:
        """Half the interval's width at level 1 - alpha.

        On the plain scale: sqrt(z^2 V_I + t_df^2 V_a).
        """
        from scipy.special import ndtri, stdtrit

        t = stdtrit(self.df, alpha / 2) if self.v_seeds else 0.0
        return math.hypot(ndtri(alpha / 2) * math.sqrt(self.v_items), t * math.sqrt(self.v_seeds))

    def limits(self) -> tuple[float, float]:
        """The interval: (low, high).

        An accuracy gets Wilson's with n_eff = p (1 - p) / (half / z)^2, which stays inside 0 to 1.
        """
        if self.ends:
            return tuple(e.limits()[i] for i, e in enumerate(self.ends))
        if self.cap is None:
            half = self.half_width(1 - self.level)
            return max(self.span[0], self.estimate - half), min(self.span[1], self.estimate + half)
        n_eff = self.n_eff(self.level)
        return wilson_interval(self.estimate * n_eff, n_eff, self.level)

    def n_eff(self, level: float) -> float:
        """How many independent answers an accuracy is worth.

        p (1 - p) / (half / z)^2, at most `cap`.
        """
        p, half, z = self.estimate, self.half_width(1 - level), normal_quantile(0.5 + level / 2)
        return min(self.cap, p * (1 - p) * (z / half) ** 2) if half and 0 < p < 1 else self.cap

    @property
    def low(self) -> float:
        return self.limits()[0]

    @property
    def high(self) -> float:
        return self.limits()[1]

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        if self.cap is None and not self.ends:
            return self.half_width(1 - self.level)
        return (self.high - self.low) / 2

    @property
    def p(self) -> float | None:
        """The p-value of a difference; an accuracy has none.

        The alpha at which its interval touches zero.
        """
        if self.cap is not None:
            return None
        if self.ends:  # the end that is nearer to zero decides
            least, most = self.ends
            return least.p if least.estimate > 0 else most.p if most.estimate < 0 else 1.0
        low, high = -300.0, 0.0  # log10 alpha; the width falls as alpha grows
        for _ in range(60):
            middle = (low + high) / 2
            wide = self.half_width(10**middle) > abs(self.estimate)
            low, high = (middle, high) if wide else (low, middle)
        return 10**high

    def at(self, level: float) -> Estimate:
        """The same estimate with an interval of another level."""
        return replace(self, level=level, ends=tuple(e.at(level) for e in self.ends))

    def lower(self, confidence: float = 0.95) -> float:
        """Give the truth's one-sided lower bound with `confidence`.

        A difference's is the low end of its 2 confidence - 1 interval; an accuracy's is Clopper and
        Pearson's at n_eff, for one-sided Wilson is too sure near 0 and 1. [Korn and Graubard 1998]
        """
        return self.bounds(confidence)[0]

    def upper(self, confidence: float = 0.95) -> float:
        """Give the truth's one-sided upper bound with `confidence`."""
        return self.bounds(confidence)[1]

    def bounds(self, confidence: float) -> tuple[float, float]:
        """Both one-sided bounds, (lower, upper)."""
        from scipy.special import betaincinv

        assert 0.5 < confidence < 1
        if self.ends:
            return tuple(e.bounds(confidence)[i] for i, e in enumerate(self.ends))
        if self.cap is None:
            return self.at(2 * confidence - 1).limits()
        n = self.n_eff(2 * confidence - 1)
        right = self.estimate * n
        low, high = 0.0, 1.0
        if self.estimate > 0:
            low = float(betaincinv(right, n - right + 1, 1 - confidence))
        if self.estimate < 1:
            high = float(betaincinv(right + 1, n - right, confidence))
        return low, high

    def power(self, delta: float) -> float:
        """Chance that samples and seeds like these show a true difference.

        Of `delta`, at this level: Phi((delta - half) / sqrt(V_I + V_a)).
        """
        from scipy.special import ndtr

        return float(ndtr((abs(delta) - self.half) / math.sqrt(self.v_items + self.v_seeds)))

    def smallest_effect(self, power: float = 0.8) -> float:
        """The true difference that these samples and seeds would show.

        With `power`, at this level.
        """
        return self.half + normal_quantile(power) * math.sqrt(self.v_items + self.v_seeds)


def judge_effect(estimate: Estimate, margin: float | None = None) -> str:
    """Say in words what a difference shows.

    `margin` is the effect too small to matter (None: never say so, as with unaudited labels).
    Helps or hurts: its own interval, Holm's if it comes from `holm_intervals`, excludes zero. Too
    small to matter: its 90 % interval lies inside +-margin (TOST). One seed everywhere says nothing
    about a recipe, and under six samples not even a sign test reaches 5 %.
    """
    if not estimate.seeds_known or estimate.n < 6:
        return "no evidence either way"
    close = estimate.at(0.90)
    small = margin is not None and -margin < close.low and close.high < margin
    effect = "helps" if estimate.low > 0 else "hurts" if estimate.high < 0 else ""
    if effect:
        return f"{effect} (too small to matter)" if small else effect
    return "too small to matter" if small else "no evidence either way"


def wilson_interval(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval for k out of n, (low, high).

    Both may be fractions of a sample. [Wilson 1927]
    """
    if n <= 0:
        return 0.0, 1.0
    p, z2 = k / n, normal_quantile(0.5 + level / 2) ** 2
    middle, half = p + z2 / (2 * n), math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n)))
    return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def normal_quantile(probability: float) -> float:
    """The quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(probability))

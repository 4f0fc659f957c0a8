"""Estimate how many labels are still wrong."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FEWEST = 30  # looks, below which nothing is said


class ErrorsLeft(NamedTuple):
    """Errors among the samples that nobody looked at, with the interval."""

    estimate: float
    low: int
    high: int


def estimate_errors_left(
    hits: int, looks: int, population: int, level: float = 0.95
) -> ErrorsLeft | None:
    """Estimate the errors among the samples that nobody looked at.

    `looks` were drawn uniformly out of `population`, and `hits` of them were wrong; None under 30
    looks. The interval is exact: all numbers of errors under which so few and so many hits are each
    likelier than alpha / 2, by the hypergeometric distribution.
    """
    assert 0 <= hits <= looks <= population
    if looks < FEWEST:
        return None
    alpha, rest = (1 - level) / 2, population - looks

    def has_many(left: int) -> bool:
        return 1 - hypergeometric_cdf(hits - 1, looks, hits + left, population) > alpha

    def has_too_many(left: int) -> bool:
        return hypergeometric_cdf(hits, looks, hits + left, population) <= alpha

    few = bisect_left(range(rest), True, key=has_many)
    many = bisect_left(range(rest + 1), True, key=has_too_many) - 1
    return ErrorsLeft(rest * hits / looks, few, many)


@dataclass(frozen=True)
class WrongCount:
    """How many of a population are wrong, by looks at random.

    Between all unsure looks counted as right, and all as wrong.
    """

    estimate: float  # as often wrong as the sure looks: in between
    low: float
    high: float
    least: float  # the estimate with all unsure ones right
    most: float  # and with all of them wrong

    def scale(self, factor: float, shift: float = 0.0) -> WrongCount:
        """The same numbers times `factor`, plus `shift`; none falls below 0."""
        numbers = (self.estimate, self.low, self.high, self.least, self.most)
        return WrongCount(*(max(0.0, x * factor + shift) for x in numbers))

    @property
    def between(self) -> tuple[float, float] | None:
        """(least, most) where a look was unsure, else None."""
        return None if self.least == self.most else (self.least, self.most)


def estimate_wrong(
    hits: int,
    looks: int,
    population: int,
    unsure: int = 0,
    interval: Callable[[int, int, int, float], tuple[float, float]] | None = None,
    level: float = 0.95,
) -> WrongCount | None:
    """Estimate how many of a population are wrong, by looks at random.

    `looks` + `unsure` were drawn uniformly, `hits` of the looks wrong; None under 30 drawn.
    `interval(hits, drawn, population, level)` gives (low, high) in numbers of the population:
    bound_wrong_once for one look at the data (an audit), and by default bound_wrong_anytime, which
    holds at all looks together (a review, whose numbers move with every decision).
    """
    drawn = looks + unsure
    assert 0 <= hits <= looks and 0 <= unsure and drawn <= population
    if drawn < FEWEST:
        return None
    interval = interval or bound_wrong_anytime
    low = interval(hits, drawn, population, level)[0]
    high = interval(hits + unsure, drawn, population, level)[1]
    least, most = (population * k / drawn for k in (hits, hits + unsure))
    estimate = population * hits / looks if looks else (least + most) / 2
    return WrongCount(estimate, low, high, least, most)


def bound_wrong_anytime(
    hits: int, looks: int, population: int, level: float = 0.95
) -> tuple[int, int]:
    """Bound how many of a population are wrong, at all looks together.

    (low, high), by `looks` drawn without replacement. A confidence sequence by betting: all numbers
    w under which the looks are at least alpha times as likely as under the mixture of all numbers
    (beta binomial, Jeffreys' weights), whose ratio is a martingale. [Waudby-Smith and Ramdas 2020,
    "Confidence sequences for sampling without replacement"]
    """
    from scipy.special import betaln, gammaln

    def log_likelihood(w: int) -> float:
        """Log likelihood of the looks if w of the population are wrong.

        Of the looks in their order, without the term `whole`.
        """
        right = population - w
        return (gammaln(w + 1) - gammaln(w - hits + 1)) + (
            gammaln(right + 1) - gammaln(right - looks + hits + 1)
        )

    whole = gammaln(population + 1) - gammaln(population - looks + 1)
    mixture = betaln(hits + 0.5, looks - hits + 0.5) - betaln(0.5, 0.5)
    least = mixture + math.log(1 - level) + whole
    most = population - looks + hits  # as many may be wrong
    best = min(max(hits, (population + 1) * hits // max(looks, 1)), most)
    below, above = range(hits, best), range(best, most + 1)
    low = hits + bisect_left(below, True, key=lambda w: log_likelihood(w) >= least)
    high = best + bisect_left(above, True, key=lambda w: log_likelihood(w) < least) - 1
    return low, high


def bound_wrong_once(hits: int, looks: int, population: int, level: float = 0.95) -> tuple:
    """Bound how many are wrong at one look that was settled beforehand.

    (low, high), shorter than bound_wrong_anytime, by the hypergeometric distribution.
    """
    left = estimate_errors_left(hits, looks, population, level)
    return hits + left.low, hits + left.high


def hypergeometric_cdf(k: int, looks: int, wrong: int, population: int) -> float:
    """Chance of at most k wrong ones among the looks.

    `looks` are drawn out of `population`, of which `wrong` are wrong. (scipy.stats has it, and
    takes a second to import; every status would wait for that.)
    """
    from scipy.special import gammaln

    def log_choose(n: int, k: np.ndarray) -> np.ndarray:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    j = np.arange(max(0, looks - (population - wrong)), min(k, wrong) + 1)
    ways = log_choose(wrong, j) + log_choose(population - wrong, looks - j)
    return min(1.0, float(np.exp(ways - log_choose(population, looks)).sum()))

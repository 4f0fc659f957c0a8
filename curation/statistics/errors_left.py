"""Estimate how many labels are still wrong."""

import math
from dataclasses import dataclass

import numpy as np


def errors_left(hits, looks, population, level=0.95):
    """Errors among the population - looks samples nobody looked at: (estimate, low, high), or None under 30 looks.

    `looks` were drawn uniformly out of `population`, and `hits` of them were wrong. The interval is exact: all numbers of errors
    under which so few and so many hits are each likelier than alpha / 2, by the hypergeometric distribution."""
    assert 0 <= hits <= looks <= population
    if looks < 30:
        return None
    alpha, rest = (1 - level) / 2, population - looks
    few = first(rest, lambda left: 1 - at_most(hits - 1, looks, hits + left, population) > alpha)
    many = first(rest + 1, lambda left: at_most(hits, looks, hits + left, population) <= alpha) - 1
    return rest * hits / looks, few, many


@dataclass(frozen=True)
class Wrong:
    """How many of a population are wrong, by looks at random: between all unsure looks counted as right, and all as wrong."""

    estimate: float  # as often wrong as the sure looks: in between
    low: float
    high: float
    least: float  # the estimate with all unsure ones right
    most: float  # and with all of them wrong

    def scaled(self, factor, shift=0.0):
        """The same numbers times `factor`, plus `shift`; none falls below 0."""
        return Wrong(
            *(
                max(0.0, x * factor + shift)
                for x in (self.estimate, self.low, self.high, self.least, self.most)
            )
        )

    @property
    def between(self):
        """(least, most) where a look was unsure, else None."""
        return None if self.least == self.most else (self.least, self.most)


def count_wrong(hits, looks, population, unsure=0, interval=None, level=0.95):
    """The Wrong of a `population` out of which `looks` + `unsure` were drawn uniformly, `hits` of the looks wrong; None under 30 drawn.

    `interval(hits, drawn, population, level)` gives (low, high) in numbers of the population: wrong_exactly for one look at the data (an audit), and by
    default wrong_so_far, which holds at all looks together (a review, whose numbers move with every decision)."""
    drawn = looks + unsure
    assert 0 <= hits <= looks and 0 <= unsure and drawn <= population
    if drawn < 30:
        return None
    interval = interval or wrong_so_far
    low, high = (
        interval(hits, drawn, population, level)[0],
        interval(hits + unsure, drawn, population, level)[1],
    )
    least, most = (population * k / drawn for k in (hits, hits + unsure))
    return Wrong(population * hits / looks if looks else (least + most) / 2, low, high, least, most)


def wrong_so_far(hits, looks, population, level=0.95):
    """How many of a population are wrong, (low, high), by `looks` drawn without replacement: at all looks together.

    A confidence sequence by betting: all numbers w under which the looks are at least alpha times as likely as under the mixture of all numbers (beta
    binomial, Jeffreys' weights), whose ratio is a martingale. [Waudby-Smith and Ramdas 2020, "Confidence sequences for sampling without replacement"]"""
    from scipy.special import betaln, gammaln

    def likely(
        w,
    ):  # the log-likelihood of these looks in their order, were w of the population wrong
        return (gammaln(w + 1) - gammaln(w - hits + 1)) + (
            gammaln(population - w + 1) - gammaln(population - w - looks + hits + 1)
        )

    whole = gammaln(population + 1) - gammaln(population - looks + 1)
    least = betaln(hits + 0.5, looks - hits + 0.5) - betaln(0.5, 0.5) + math.log(1 - level) + whole
    best = min(max(hits, (population + 1) * hits // max(looks, 1)), population - looks + hits)
    low = hits + first(best - hits, lambda more: likely(hits + more) >= least)
    high = (
        best
        + first(population - looks + hits - best + 1, lambda more: likely(best + more) < least)
        - 1
    )
    return low, high


def wrong_exactly(hits, looks, population, level=0.95):
    """As wrong_so_far, at one look that was settled beforehand: shorter, by the hypergeometric distribution."""
    _, few, many = errors_left(hits, looks, population, level)
    return hits + few, hits + many


def at_most(k, looks, wrong, population):
    """Chance of at most k wrong ones among `looks` drawn out of `population`, `wrong` of them: the hypergeometric distribution. (scipy.stats has it,
    and takes a second to import; every status would wait for that.)"""
    from scipy.special import gammaln

    def choose(n, k):
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    j = np.arange(max(0, looks - (population - wrong)), min(k, wrong) + 1)
    return min(
        1.0,
        float(
            np.exp(
                choose(wrong, j) + choose(population - wrong, looks - j) - choose(population, looks)
            ).sum()
        ),
    )


def first(high, holds):
    """The smallest whole number from which on `holds` is true, by bisection; `high` if there is none below it."""
    low = 0
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low

"""Exact bounds of a share, and alpha spent over looks."""

import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from assay.curation.statistics.binomial_bounds import (
    chance_at_most,
    most_allowed,
    spend_alpha,
    upper_share,
)


@pytest.mark.parametrize("k, n", [(0, 30), (2, 30), (7, 12), (30, 30)])
def test_the_bound_is_that_of_clopper_and_pearson(k, n):
    assert upper_share(k, n) == pytest.approx(proportion_confint(k, n, alpha=0.1, method="beta")[1])


def test_a_share_at_the_limit_passes_one_time_in_twenty_at_most():
    for n in (15, 30, 60):
        allowed = most_allowed(n, 0.2)
        assert binom.cdf(allowed, n, 0.2) <= 0.05 < binom.cdf(allowed + 1, n, 0.2)
        assert chance_at_most(allowed, n, 0.2) == pytest.approx(binom.cdf(allowed, n, 0.2))
    assert most_allowed(10, 0.2) is None  # even 0 wrong of 10 happens at 20 % wrong
    assert chance_at_most(None, 10, 0.2) == 0


def test_all_looks_together_spend_alpha():
    assert sum(map(spend_alpha, range(1, 100_000))) == pytest.approx(0.05, abs=1e-5)

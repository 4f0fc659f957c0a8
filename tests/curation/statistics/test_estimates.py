"""Verdicts and intervals of a share against scipy and simulations in which the truth is known."""

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.curation.statistics.estimates import Estimate, judge_effect, wilson_interval
from tests.curation.statistics.simulations import difference


def test_wilson_is_scipys_and_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for n in (1, 2, 7, 100, 5000):
        for k, level in product({0, 1, n // 3, n - 1, n}, (0.9, 0.95, 0.999)):
            low, high = scipy_stats.binomtest(k, n).proportion_ci(level, method="wilson")
            assert wilson_interval(k, n, level) == pytest.approx((low, high), abs=1e-12)
            assert (low, high) == pytest.approx(
                proportion_confint(k, n, 1 - level, "wilson"), abs=1e-9
            )
    assert (
        wilson_interval(0, 0) == (0.0, 1.0) == pytest.approx(wilson_interval(1e-9, 2e-9), abs=1e-4)
    )
    assert wilson_interval(7, 10)[0] < wilson_interval(7.35, 10.5)[0] < wilson_interval(7.7, 11)[0]


@pytest.mark.parametrize(
    "estimate, sd, margin, word",
    [
        (0.05, 0.01, 0.02, "helps"),
        (-0.05, 0.01, 0.02, "hurts"),
        (0.01, 0.004, 0.02, "helps (too small to matter)"),
        (-0.01, 0.004, 0.02, "hurts (too small to matter)"),
        (0.002, 0.004, 0.02, "too small to matter"),
        (0.002, 0.02, 0.02, "no evidence either way"),
        (
            0.0182,
            0.0105,
            0.036,
            "too small to matter",
        ),  # the 90 % interval reaches 0.0355, the 95 % one 0.0388
        (0.002, 0.004, None, "no evidence either way"),  # test labels unaudited
        (0.01, 0.004, None, "helps"),
    ],
)
def test_the_words_of_a_verdict(estimate, sd, margin, word):
    assert judge_effect(difference(estimate, sd), margin) == word
    assert (
        judge_effect(difference(estimate, sd, seeds=(1, 1)), margin) == "no evidence either way"
    )  # checkpoints, not recipes


def test_too_small_to_matter_is_the_90_percent_interval_and_no_narrower():
    """Half width 1 at z = 1.645: within a margin of 1.001, not of 0.999; the 80 % interval (0.78) would be within 0.9."""
    e = Estimate(
        0.0,
        (0.01 / scipy_stats.norm.isf(0.05)) ** 2,
        0.0,
        None,
        1000,
        [3, 3],
        [0.0, 0.0],
        True,
        span=(-1, 1),
    )
    assert judge_effect(e, 0.01001) == "too small to matter"
    assert judge_effect(e, 0.00999) == judge_effect(e, 0.009) == "no evidence either way"


def test_an_effect_as_large_as_the_margin_is_rarely_called_too_small():
    """At a true effect equal to the margin the two one-sided tests are wrong in at most 5 % of experiments; at the 80 % interval in 10 %."""
    rng, said = np.random.default_rng(11), 0
    for _ in range(1500):
        e = Estimate(
            0.02 + 0.005 * rng.normal(),
            0.005**2,
            0.0,
            None,
            1000,
            [3, 3],
            [0.0, 0.0],
            True,
            span=(-1, 1),
        )
        said += "too small" in judge_effect(e, 0.02)
    assert 0.03 * 1500 < said < 0.07 * 1500


def test_what_nobody_is_sure_of_widens_an_interval_to_both_ends():
    from dataclasses import replace

    least, most = (
        Estimate(x, 1e-4, 0.0, None, 1000, [3, 3], [0.0, 0.0], True, span=(-1, 1))
        for x in (0.01, 0.05)
    )
    e = replace(least, estimate=0.03, ends=(least, most))
    assert (
        (e.low, e.high) == (least.low, most.high)
        and e.low < 0
        and e.p == least.p
        and judge_effect(e) == "no evidence either way"
    )
    assert (
        e.lower() == least.lower()
        and e.upper() == most.upper()
        and (e.at(0.9).low, e.at(0.9).high) == (least.at(0.9).low, most.at(0.9).high)
    )
    assert replace(least, ends=(replace(least, estimate=-0.01), most)).p == 1.0
    assert e.half == pytest.approx((most.high - least.low) / 2)


def test_importing_it_imports_no_scipy():
    code = "import sys, assay.curation.statistics.estimates; assert not any(m.startswith('scipy') for m in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

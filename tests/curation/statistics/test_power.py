"""Power: planned experiments see what they were planned for."""

from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.curation.statistics import power
from assay.curation.statistics.contrasts import (
    PAIR,
    contrast,
)
from tests.benchmarks.coverage import offset, simulate
from tests.curation.statistics.simulations import A, B, draw


def found(rng, delta, S, m, spread, count):
    """Share of simulated experiments with a true difference `delta` around 0.9 that say helps."""
    offsets = [offset(0.9 + delta / 2, spread), offset(0.9 - delta / 2, spread)]
    return np.mean(
        [
            contrast(simulate(rng, offsets, [S, S], m, [spread] * 2, 0.6), PAIR).low > 0
            for _ in range(count)
        ]
    )


def test_planned_experiments_have_the_power_they_were_planned_for():
    rng, offsets = np.random.default_rng(12), [offset(0.9, 0.1)] * 2
    pilots = [simulate(rng, offsets, [3, 3], 1000, [0.1] * 2, 0.6) for _ in range(20)]
    delta = np.median([contrast(cells, PAIR).smallest_effect() for cells in pilots])
    assert 0.7 < found(rng, delta, 3, 1000, 0.1, 200) < 0.93
    m, seeds = (
        int(np.median([power.needed_sizes(cells, 0.03)[k] or np.inf for cells in pilots]))
        for k in ("m", "seeds")
    )
    error = 2.5 * np.sqrt(0.8 * 0.2 / 200)
    assert (
        found(rng, 0.03, 3, m, 0.1, 200) > 0.8 - error
        and found(rng, 0.03, seeds, 1000, 0.1, 200) > 0.8 - error
    )
    assert (
        0.1 < found(rng, 0.03, 3, m // 4, 0.1, 200) < 0.6
    )  # and a quarter of the samples would not do


@pytest.mark.slow
def test_three_seeds_are_named_only_where_three_seeds_do():
    # where only seeds vary, t + z would name 3 and give 65 %; their spread is known from 4 degrees of freedom, and less
    rng, held = np.random.default_rng(26), {}
    a = np.repeat([[0.8], [0.9], [1.0]], 40, 1)  # sigma_s 0.1, known without error
    for delta in (0.22, 0.35):
        seeds = power.needed_sizes([a, a], delta)["seeds"]
        shifts = np.repeat(
            rng.normal(0, 0.1, (600, 2, seeds, 1)) + np.array([[[delta]], [[0]]]), 40, 3
        )
        held[seeds] = np.mean([contrast([x, y], PAIR).p <= 0.05 for x, y in shifts])
    assert len(held) == 2 and min(held.values()) > 0.8 - 2.5 * np.sqrt(0.16 / 600), held


def test_more_power_needs_a_larger_effect():
    cells = draw(np.random.default_rng(13), [0.9, 0.9], [3, 3], 500)
    e = contrast(cells, PAIR)
    assert e.smallest_effect(0.5) == pytest.approx(e.half)  # at the half width it is a coin flip
    assert e.half < e.smallest_effect() < e.smallest_effect(0.95)


def test_what_is_needed_samples_or_seeds():
    from statsmodels.stats.power import TTestIndPower

    # seeds spread by 10 points: no test set shows 1 point with 3 seeds; MS_s is what we plant, MS_e nothing, omega^2 nothing
    a = np.repeat([[0.7], [0.8], [0.9]], 400, 1)
    assert power.needed_sizes([a, a], 0.01)["m"] is None
    # two cells of S seeds, the t-test: statsmodels plans it with 2 (S - 1) degrees of freedom, where Satterthwaite's has somewhat fewer
    for delta in (0.05, 0.1, 0.2, 0.3):
        named = power.needed_sizes([a, a], delta)["seeds"]
        assert 0 <= named - TTestIndPower().solve_power(delta / 0.1, power=0.8, alpha=0.05) < 2
    noisy = draw(np.random.default_rng(14), [0.9, 0.9], [5, 5], 100, spread=0.1, correlation=0.5)
    assert (
        power.needed_sizes(noisy, 0.01)["seeds"] is None
        and power.needed_sizes(noisy, 0.01)["m"] > power.needed_sizes(noisy, 0.02)["m"] > 100
    )
    assert power.needed_sizes([A[:1], B[:1]], 0.05) == {"m": None, "seeds": None}
    for level, wanted in product(
        (0.9, 0.9999), (0.5, 0.99)
    ):  # one seed beside two, and levels that Holm asks for among many
        found = power.needed_sizes([a[:1], a[:2]], 0.1, power=wanted, level=level)
        assert found["m"] is None and found["seeds"] > 2


def test_needed_is_the_formula():
    a, b = draw(np.random.default_rng(15), [0.9, 0.9], [5, 5], 1000, spread=0.3)
    e = contrast([a, b], PAIR)
    residual = [Y - Y.mean(1, keepdims=True) - Y.mean(0) + Y.mean() for Y in (a, b)]
    ms_e = np.mean([(r**2).sum() / (4 * 999) for r in residual])
    ms_s = np.mean([1000 * Y.mean(1).var(ddof=1) for Y in (a, b)])
    omega2 = (a.mean(0) - b.mean(0)).var(ddof=1) - 2 * ms_e / 5
    df = 4 * (2 * 4 + 2) / (4 + 2)
    shown = [
        scipy_stats.nct.sf(scipy_stats.t.isf(0.025, df), df, shift) for shift in (3.2, 3.4)
    ]  # t + z says 3.2
    r = 0.03**2 - np.interp(0.8, shown, (3.2, 3.4)) ** 2 * 2 * (ms_s - ms_e) / 1000 / 5
    assert r > 0 and e.n == 1000
    assert power.needed_sizes([a, b], 0.03)["m"] == pytest.approx(
        1.2 * 7.849 * (omega2 + 2 * ms_e / 5) / r + 1.5 / 0.03, rel=0.01
    )


def test_power_is_one_idea():
    cells = draw(np.random.default_rng(24), [0.9, 0.9], [3, 3], 500)
    e = contrast(cells, PAIR)
    assert (
        power.contrast_power(cells, PAIR, e.smallest_effect(0.7))
        == e.power(-e.smallest_effect(0.7))
        == pytest.approx(0.7)
    )
    assert e.power(e.half) == pytest.approx(0.5) and e.at(0.99).power(0.03) < e.power(
        0.03
    ) < e.power(0.04)
    assert power.needed_sizes(cells, 0.1, level=0.99)["m"] > power.needed_sizes(cells, 0.1)["m"]

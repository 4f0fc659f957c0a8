"""Holm and false discoveries against the definition and closed testing."""

from itertools import combinations

import numpy as np
import pytest

from assay.curation.statistics.contrasts import (
    PAIR,
    contrast,
)
from assay.curation.statistics.estimates import judge_effect
from assay.curation.statistics.multiple_testing import adjust_fdr, adjust_holm, holm_intervals
from tests.benchmarks.coverage import offset, simulate
from tests.curation.statistics.simulations import difference


def test_false_discoveries_are_those_of_the_step_up_rule():
    """The largest i with p_(i) <= level i / m, and all that are no larger, are found; ties are found together."""
    assert adjust_fdr([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert adjust_fdr([]).size == 0 and adjust_fdr([0.7]).tolist() == [0.7]
    rng = np.random.default_rng(7)
    for m in (1, 2, 7, 60, 500):
        p = rng.choice(rng.random(m) ** 4, m)
        fits = [i for i, x in enumerate(np.sort(p), 1) if x <= 0.05 * i / m]
        found = p <= np.sort(p)[fits[-1] - 1] if fits else np.zeros(m, bool)
        assert (adjust_fdr(p) <= 0.05).tolist() == found.tolist()


@pytest.mark.slow
def test_holm_by_hand_and_by_closed_testing():
    from statsmodels.stats.multitest import multipletests

    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_holm([]).size == 0 and adjust_holm([0.7, 0.9]).tolist() == [1, 1]
    rng = np.random.default_rng(6)
    for k in (1, 2, 3, 6):
        p = rng.random(k) ** 3
        closed = [  # an effect counts when Bonferroni rejects every set of effects that it is in
            max(
                min(1, len(s) * p[list(s)].min())
                for size in range(1, k + 1)
                for s in combinations(range(k), size)
                if i in s
            )
            for i in range(k)
        ]
        assert adjust_holm(p) == pytest.approx(closed) and adjust_holm(p) == pytest.approx(
            multipletests(p, method="holm")[1]
        )


def test_holm_intervals_exclude_zero_exactly_where_holm_rejects():
    rng, rejected = np.random.default_rng(7), []
    for _ in range(60):
        family = [difference(z, 1 / 3) for z in rng.normal(rng.uniform(0, 1.5), 0.4, 5)]
        found = [e.low > 0 or e.high < 0 for e in holm_intervals(family)]
        assert found == (adjust_holm([e.p for e in family]) <= 0.05).tolist()
        rejected.append(sum(found))
    assert len(set(rejected)) == 6 and holm_intervals([]) == []
    strict = holm_intervals([difference(0.1, 0.1), difference(0.5, 0.1)])
    assert [e.level for e in strict] == pytest.approx([0.95, 0.975])


def test_a_verdict_listens_to_holm():
    family = [difference(0.021, 0.01)] * 5  # p = 0.036 each: alone it helps, among five it does not
    assert judge_effect(family[0], 0.001) == "helps"
    assert {judge_effect(e, 0.001) for e in holm_intervals(family)} == {"no evidence either way"}


@pytest.mark.slow
def test_few_false_verdicts_in_a_table_without_effects():
    rng, offsets, false = np.random.default_rng(10), [offset(0.9, 0.6)] * 4, 0
    for _ in range(400):
        first, *others = simulate(rng, offsets, [3] * 4, 300, [0.6] * 4, 0.6)
        words = [
            judge_effect(e) for e in holm_intervals([contrast([Y, first], PAIR) for Y in others])
        ]
        false += any(word != "no evidence either way" for word in words)
    assert 0 < false <= 400 * 0.05 + 2.5 * np.sqrt(400 * 0.05 * 0.95)

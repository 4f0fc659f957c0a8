"""Requirements of a gate against counting every case."""

from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.curation.statistics import requirements
from tests.benchmarks.coverage import offset, simulate


@pytest.mark.slow
def test_the_chance_to_catch_a_fall_counts_every_case():
    for n, required, true in product((1, 5, 12, 29, 200), (0.5, 0.9, 0.97), (0.1, 0.6, 0.85)):
        caught = [
            requirements.judge_requirement(np.arange(n)[None] < k, required)["verdict"] == "below"
            for k in range(n + 1)
        ]
        chance = scipy_stats.binom.pmf(range(n + 1), n, true)[caught].sum()
        assert requirements.chance_to_detect(n, required, true) == pytest.approx(chance, abs=1e-12)
        assert requirements.chance_to_detect(n, required, required) <= 0.05
        to = requirements.detectable_accuracy(n, required)
        assert (
            to is None
            if not any(caught)
            else requirements.chance_to_detect(n, required, to) == pytest.approx(0.8)
        )
    assert (
        requirements.detectable_accuracy(1, 0.9) is None
        and requirements.chance_to_detect(1, 0.9, 0.0) == 0
    )  # one sample proves no fall
    assert (
        requirements.detectable_accuracy(5, 0.9)
        < requirements.detectable_accuracy(30, 0.9)
        < requirements.detectable_accuracy(500, 0.9)
        < 0.9
    )


@pytest.mark.slow
@pytest.mark.parametrize("S, n", [(2, 8), (3, 30), (5, 200)])
def test_a_gate_seldom_fails_what_is_as_required_and_catches_a_fall(S, n):
    rng, count, verdicts = np.random.default_rng([23, S]), 400, {0.9: [], 0.6: []}
    for true, found in verdicts.items():
        found += [
            requirements.judge_requirement(
                simulate(rng, [offset(true, 0.3)], [S], n, [0.3], 0.6)[0], 0.9
            )["verdict"]
            for _ in range(count)
        ]
    assert verdicts[0.9].count("below") <= count * 0.05 + 2.5 * np.sqrt(count * 0.05 * 0.95)
    caught = verdicts[0.6].count("below") / count
    short = 0.25 if S == 2 else 0  # two seeds hardly know their spread
    assert caught > requirements.chance_to_detect(n, 0.9, 0.6) - short - 2.5 * np.sqrt(0.25 / count)
    assert requirements.judge_requirement(np.ones((S, 200)), 0.9)["verdict"] == "at least"

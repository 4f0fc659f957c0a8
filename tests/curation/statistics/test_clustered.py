"""An accuracy over groups of samples, beside statsmodels and a simulation."""

import numpy as np
import pytest

from assay.curation.statistics.clustered import grouped_accuracy

proportion = pytest.importorskip("statsmodels.stats.proportion")


def test_samples_of_their_own_have_wilsons_interval():
    hit = np.arange(200) % 5 > 0
    p, low, high = grouped_accuracy(hit, range(200))
    assert p == 0.8
    assert (low, high) == pytest.approx(proportion.proportion_confint(160, 200, method="wilson"))


def test_each_answer_four_times_is_worth_a_quarter():
    hit = np.repeat(np.random.default_rng(0).random(100) < 0.8, 4)
    p, low, high = grouped_accuracy(hit, np.repeat(np.arange(100), 4))
    alone = proportion.proportion_confint(hit.mean() * 99, 99, method="wilson")
    assert (low, high) == pytest.approx(alone, abs=2e-3) and p == hit.mean()
    assert grouped_accuracy(np.ones(40, bool), np.repeat(np.arange(4), 10))[1] < 0.55


def test_the_interval_covers_where_patients_differ():
    """True accuracy 0.8; patients' own rates vary. A plain interval would cover too seldom."""
    rng, covered, plain = np.random.default_rng(1), 0, 0
    groups = np.repeat(np.arange(60), 10)
    for _ in range(400):
        hit = rng.random(600) < np.repeat(rng.beta(1.6, 0.4, 60), 10)
        _, low, high = grouped_accuracy(hit, groups)
        covered += low <= 0.8 <= high
        a, b = proportion.proportion_confint(hit.sum(), 600, method="wilson")
        plain += a <= 0.8 <= b
    assert covered / 400 > 0.92 and plain / 400 < 0.8

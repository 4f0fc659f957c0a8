"""The live gain: a confidence sequence worked by hand, and in sessions without any effect."""

import numpy as np
import pytest

from assay.curation.statistics.sequential import live_gain, sampled_gain


def walks(rng, sessions, looks, n, up):
    """(better, worse), (sessions, looks) each: answers on n validation samples turn, and turn back; a share `up` of them for the better."""
    touched = np.eye(n, dtype=bool)[rng.integers(0, n, (sessions, looks))]
    turned, better = np.logical_xor.accumulate(touched, axis=1), rng.random((sessions, 1, n)) < up
    return (turned & better).sum(2), (turned & ~better).sum(2)


def test_a_live_gain_worked_by_hand():
    # V = 20 flips: radius sqrt(40 log(40 / (20 * 0.0025))) = 16.352; 17 - 3 = 14 is inside, 19 - 1 = 18 is not
    e, sure = live_gain(17, 3, 200), live_gain(19, 1, 200)
    assert (e.estimate, e.measurable, sure.measurable) == (0.07, False, True)
    assert (e.low, e.high) == pytest.approx(
        ((14 - 16.352) / 200, (14 + 16.352) / 200), abs=1e-5
    ) and e.low < 0 < sure.low
    assert (
        live_gain(1, 19, 200).high < 0
        and live_gain(0, 0, 1) == live_gain(0, 0, 1)
        and live_gain(0, 0, 1).low == -1
    )
    assert live_gain(0, 0, 10**6).low > -2e-5, "nothing turned: as good as nothing gained"


@pytest.mark.slow
def test_looked_at_after_every_decision_a_session_without_effect_is_hardly_ever_measurable():
    rng, sessions = np.random.default_rng(5), 250
    better, worse = walks(rng, sessions, 120, 60, 0.5)
    false = sum(any(live_gain(b, w, 60).measurable for b, w in zip(*s)) for s in zip(better, worse))
    one_look = sum(
        any(abs(b - w) > 1.96 * max(1, b + w) ** 0.5 for b, w in zip(*s))
        for s in zip(better, worse)
    )
    assert false <= 0.05 * sessions < 0.15 * sessions < one_look, (
        "an interval for one look finds a gain in every sixth session or more"
    )


def test_a_real_live_gain_is_seen():
    better, worse = walks(np.random.default_rng(6), 50, 300, 200, 0.8)
    seen = sum(any(live_gain(b, w, 200).measurable for b, w in zip(*s)) for s in zip(better, worse))
    assert seen >= 45


def test_a_sampled_gain_of_equal_weights_is_that_of_the_sample():
    turned = np.repeat([1, -1, 0], [17, 3, 180])
    for weight in (1.0, 7.5):
        found = sampled_gain(turned, np.full(200, weight))
        assert [found.estimate, found.low, found.high] == pytest.approx(
            [0.07, (14 - 16.352) / 200, (14 + 16.352) / 200], abs=1e-5
        )
    # what stands for itself beside what was drawn: 10 - 0.25 * 10 of 40 + 160 labels, by hand
    mixed = sampled_gain(np.repeat([1, -1, 0], [10, 10, 60]), np.repeat([1, 0.25, 3], [10, 10, 60]))
    assert mixed.estimate == pytest.approx(7.5 / 192.5)


@pytest.mark.slow
def test_a_sampled_gain_holds_what_all_labels_say_at_every_look():
    """400 sessions: 1,000 labels of which the queue holds 50, and 200 of the others were drawn."""
    rng, missed, false = np.random.default_rng(7), 0, 0
    weights = np.repeat([1.0, 950 / 200], [50, 200])
    for session in range(400):
        up = 0.5 if session % 2 else 0.8
        order, way = rng.permutation(1000), np.where(rng.random(1000) < up, 1, -1)
        at_hand = np.r_[:50, 50 + rng.choice(950, 200, replace=False)]
        turned, wrong = np.zeros(1000, int), False
        for look in range(0, 400, 20):  # 20 more answers turn before each look
            turned[order[look : look + 20]] = way[order[look : look + 20]]
            found = sampled_gain(turned[at_hand], weights)
            wrong |= not found.low <= turned.mean() <= found.high
            false += up == 0.5 and found.measurable and look == 380
        missed += wrong
    assert missed <= 0.05 * 400 and false <= 0.05 * 200

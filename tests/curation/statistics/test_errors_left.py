"""Errors left against counting every case, and simulated sessions in which the truth is known."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.curation.statistics.errors_left import (
    bound_wrong_anytime,
    bound_wrong_once,
    estimate_errors_left,
    estimate_wrong,
)


def test_errors_left_against_counting_every_case():
    population, looks, hits, fits = 60, 30, 4, []
    for errors in range(hits, population - looks + hits + 1):
        chance = scipy_stats.hypergeom.pmf(range(looks + 1), population, errors, looks)
        if chance[: hits + 1].sum() > 0.025 and chance[hits:].sum() > 0.025:
            fits.append(errors - hits)
    assert estimate_errors_left(hits, looks, population) == (4.0, fits[0], fits[-1])


def test_errors_left_holds_the_truth_for_every_truth():
    population, looks = 200, 40
    for errors in (0, 1, 5, 37, 100, 199, 200):
        chance = scipy_stats.hypergeom.pmf(range(looks + 1), population, errors, looks)
        held = 0.0
        for hits in np.flatnonzero(chance):
            _, low, high = estimate_errors_left(int(hits), looks, population)
            held += chance[hits] * (low <= errors - hits <= high)
        assert held >= 0.95


def test_errors_left_says_nothing_before_thirty_looks():
    assert (
        estimate_errors_left(3, 29, 1000) is None and estimate_errors_left(3, 30, 1000) is not None
    )
    assert estimate_errors_left(7, 100, 100) == (0.0, 0, 0)  # everything was looked at
    estimate, low, high = estimate_errors_left(0, 50, 50_000)
    assert estimate == low == 0 and high == pytest.approx(
        50_000 * (1 - 0.025 ** (1 / 50)), rel=0.01
    )  # rule of three, two-sided


def test_the_numbers_that_the_looks_do_not_exclude_are_found_by_trying_each():
    """12 of 40 looks wrong, out of 150: w stays while the looks are at least 1/20 as likely under it as under Jeffreys' mixture of all numbers."""
    population, looks, hits = 150, 40, 12
    weights = scipy_stats.betabinom.pmf(range(population + 1), population, 0.5, 0.5)
    likely = scipy_stats.hypergeom.pmf(hits, population, range(population + 1), looks)
    fits = np.flatnonzero(likely >= 0.05 * (weights * likely).sum())
    assert bound_wrong_anytime(hits, looks, population) == (fits[0], fits[-1])
    assert (
        bound_wrong_anytime(0, 30, 1000)[0] == 0
        and bound_wrong_anytime(30, 30, 1000)[1] == 1000
        and bound_wrong_anytime(7, 50, 50) == (7, 7)
    )
    a, b = bound_wrong_anytime(hits, looks, population), bound_wrong_once(hits, looks, population)
    assert a[0] <= b[0] < b[1] <= a[1], "to hold at every look costs width"


def sessions_of(rng, sessions, population, wrong, unsure_wrong, unsure_right, most=400):
    """Random looks of many sessions: (sessions, most) whether a label is wrong, and whether the reviewer is unsure of it; `wrong` of all are."""
    is_wrong = rng.permuted(np.tile(np.arange(population) < wrong, (sessions, 1)), axis=1)[:, :most]
    return is_wrong, rng.random(is_wrong.shape) < np.where(is_wrong, unsure_wrong, unsure_right)


@pytest.mark.slow
@pytest.mark.parametrize("unsure_wrong, unsure_right", [(0.0, 0.0), (0.3, 0.03), (0.4, 0.05)])
def test_what_is_left_holds_at_every_look_of_a_session_whoever_is_unsure(
    unsure_wrong, unsure_right
):
    population, wrong, sessions = 1000, 200, 60
    missed = dropped = 0
    for bad, unsure in zip(
        *sessions_of(
            np.random.default_rng(3), sessions, population, wrong, unsure_wrong, unsure_right
        )
    ):
        looks = [
            (int((bad & ~unsure)[:k].sum()), int((~unsure)[:k].sum()), int(unsure[:k].sum()))
            for k in range(45, 401, 37)
        ]
        found = [estimate_wrong(hits, sure, population, doubt) for hits, sure, doubt in looks]
        missed += any(not w.low <= wrong <= w.high for w in found)
        assert all(w.low <= w.least <= w.estimate <= w.most <= w.high for w in found)
        assert all((w.between is None) == (doubt == 0) for w, (_, _, doubt) in zip(found, looks))
        one_look = [bound_wrong_once(hits, sure, population) for hits, sure, _ in looks]
        dropped += any(not low <= wrong <= high for low, high in one_look)
    assert missed <= 0.05 * sessions < dropped, (
        "an interval for one look, with unsure looks dropped, misses more often"
    )


def test_an_audit_is_one_look_and_shorter_for_it():
    held, width = 0, []
    for bad, unsure in zip(
        *sessions_of(np.random.default_rng(4), 100, 1000, 200, 0.3, 0.03, most=200)
    ):
        w = estimate_wrong(
            int((bad & ~unsure).sum()),
            int((~unsure).sum()),
            1000,
            int(unsure.sum()),
            bound_wrong_once,
        )
        held += w.low <= 200 <= w.high
        width.append(w.high - w.low)
    assert held >= 95 and np.mean(width) < 250
    assert estimate_wrong(3, 20, 1000, 9) is None and estimate_wrong(3, 20, 1000, 10) is not None, (
        "an unsure look is one of the 30"
    )
    assert estimate_wrong(0, 0, 1000, 30).between == (0, 1000)

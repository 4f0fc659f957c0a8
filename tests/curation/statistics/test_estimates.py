"""Intervals and tests against hand-worked tables, scipy, brute force, and simulations in which the truth is known."""

import subprocess
import sys
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.curation.review.progress import describe_random_rate
from assay.curation.statistics import power, requirements
from assay.curation.statistics.contrasts import (
    DATA_EFFECT,
    INTERACTION,
    PAIR,
    balanced_accuracy,
    cell_accuracy,
    contrast,
    mean_squares,
)
from assay.curation.statistics.diverged_runs import drop_diverged, find_diverged
from assay.curation.statistics.errors_left import (
    bound_wrong_anytime,
    bound_wrong_once,
    estimate_errors_left,
    estimate_wrong,
)
from assay.curation.statistics.estimates import Estimate, judge_effect, wilson_interval
from assay.curation.statistics.multiple_testing import adjust_fdr, adjust_holm, holm_intervals
from assay.curation.statistics.sequential import live_gain
from assay.curation.statistics.wording import format_rate
from tests.benchmarks.coverage import offset, simulate

A = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])  # two seeds, four test samples
B = np.array([[1, 0, 1, 0], [1, 0, 0, 0]])
Z = scipy_stats.norm.isf(0.025)


def draw(rng, accuracies, seeds, m, spread=0.6, correlation=0.6):
    return simulate(
        rng,
        [offset(a, spread) for a in accuracies],
        seeds,
        m,
        [spread] * len(accuracies),
        correlation,
    )


def test_a_pair_worked_by_hand():
    # A: row means 1, 1/2, so MS_s = 4 * 1/8 = 1/2; residuals +-1/4 everywhere, so MS_e = 8/16 / 3 = 1/6
    # B: row means 1/2, 1/4, so MS_s = 1/8; residuals 3/8 twice and 1/8 six times, so MS_e = 3/8 / 3 = 1/8
    # L = 0, 1, 0, 1/2 around 3/8: sum of squares 11/16; floor 1/2 + 1/2; V_I = 27/16 / 12
    # phi = 5/8 / 7/24 = 15/7; V_a = 1/8 (1/4 + 5/28 - 1/6 + 1/16 + 15/112 - 1/8) = 1/24
    # u = 1/8 * 1/2, 1/8 * 1/8; df = (5/64)^2 / ((1/16)^2 + (1/64)^2) = 25/17
    e = contrast([A, B], PAIR)
    assert (e.estimate, e.n, e.seeds, e.seeds_known) == (0.375, 4, [2, 2], True)
    assert (e.v_items, e.v_seeds, e.df) == pytest.approx((27 / 192, 1 / 24, 25 / 17))
    assert e.seed_spread == pytest.approx([np.sqrt((1 / 2 - 1 / 6) / 4), 0])
    t = scipy_stats.t.isf(0.025, 25 / 17)
    assert e.half == pytest.approx(np.sqrt(Z**2 * 27 / 192 + t**2 / 24))
    assert (e.low, e.high) == (max(-1, 0.375 - e.half), min(1, 0.375 + e.half))


def test_a_cell_worked_by_hand():
    # sample means 1, 1, 1/2, 1/2: V_I = 1/16 / 4; V_a = (1/2 - 1/6) / (4 * 2); n_eff is under the cap of 4 = m, for 4 * 3/16 < 5
    t = scipy_stats.t.isf(0.025, 1)
    n_eff = 3 / 16 / (1 / 64 + (t / Z) ** 2 / 24)
    e = cell_accuracy(A)
    assert n_eff < 4 and (e.low, e.high) == pytest.approx(wilson_interval(0.75 * n_eff, n_eff))
    assert e.p is None and e.df == 1 and e.half == pytest.approx((e.high - e.low) / 2)


def by_the_letter(cells, w):
    """V_I, V_a and df as statistics are written down: loops, residuals one by one, phi in the open."""
    m, ms_s, ms_e, S = cells[0].shape[1], [], [], [len(Y) for Y in cells]
    for Y in cells:
        ms_s.append(m * np.var([np.mean(row) for row in Y], ddof=1))
        left = [
            Y[s, i] - Y[s].mean() - Y[:, i].mean() + Y.mean()
            for s in range(len(Y))
            for i in range(m)
        ]
        ms_e.append(sum(x * x for x in left) / ((len(Y) - 1) * (m - 1)))
    below = sum((k - 1) * e for k, e in zip(S, ms_e))
    phi = sum((k - 1) * s for k, s in zip(S, ms_s)) / below
    L = [sum(w[c] * Y[:, i].mean() for c, Y in enumerate(cells)) for i in range(m)]
    v_items = (
        sum((x - np.mean(L)) ** 2 for x in L) + sum(w[c] ** 2 / min(S[c], 2) for c in range(len(S)))
    ) / (m * (m - 1))

    def v_seeds(ms_s, phi):
        return sum(
            v * v / (k * m) * ((k - 1) / k * s + phi * e / k - e)
            for v, k, s, e in zip(w, S, ms_s, ms_e)
        )

    u = []  # V_a is linear in every MS_s: raise one by 1 and see what it does, phi and all
    for c in range(len(S)):
        raised = [s + (i == c) for i, s in enumerate(ms_s)]
        slope = v_seeds(raised, sum((k - 1) * s for k, s in zip(S, raised)) / below) - v_seeds(
            ms_s, phi
        )
        u.append(slope * ms_s[c])
    return v_items, v_seeds(ms_s, phi), sum(u) ** 2 / sum(x * x / (k - 1) for x, k in zip(u, S))


@pytest.mark.parametrize("seeds", [(2, 2), (2, 5), (4, 3), (2, 3, 4, 5), (3, 3, 3, 3)])
def test_any_contrast_is_what_the_formulas_say(seeds):
    rng, positive = np.random.default_rng(3), 0
    for weights in [PAIR] if len(seeds) == 2 else [DATA_EFFECT, INTERACTION]:
        for _ in range(10):
            cells = draw(rng, [0.8] * len(seeds), seeds, 60, spread=1.5)
            e, (v_items, v_seeds, df) = contrast(cells, weights), by_the_letter(cells, weights)
            assert e.v_items == pytest.approx(v_items) and e.v_seeds == pytest.approx(
                max(0, v_seeds)
            )
            assert e.df == (pytest.approx(df) if v_seeds > 0 else None)
            positive += v_seeds > 0
    assert positive >= 5


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


def test_one_seed_is_the_textbook():
    # Wilson's interval, and one-sided Clopper and Pearson, at m: one model's answers are m coins
    for m, right in product((1, 5, 30, 400), (0, 0.2, 0.8, 1)):
        k = round(right * m)
        e, known = cell_accuracy(np.arange(m)[None] < k), scipy_stats.binomtest(k, m)
        assert (e.low, e.high) == pytest.approx(
            tuple(known.proportion_ci(0.95, method="wilson")), abs=1e-9
        )
        for confidence in (0.8, 0.95):
            found = known.proportion_ci(2 * confidence - 1, method="exact")
            assert (e.lower(confidence), e.upper(confidence)) == pytest.approx(
                tuple(found), abs=1e-9
            )
    e = contrast(draw(np.random.default_rng(22), [0.9, 0.8], [3, 3], 300), PAIR)
    assert (e.lower(0.95), e.upper(0.95)) == pytest.approx(
        e.at(0.9).limits()
    )  # a difference's are the ends of the 90 % interval


@pytest.mark.filterwarnings(
    "ignore:The MLE may be on the boundary"
)  # it is not: the components agree
@pytest.mark.parametrize("S, m", [(2, 25), (3, 30), (5, 20)])
def test_variance_components_are_those_of_an_anova_and_of_a_mixed_model(S, m):
    import statsmodels.formula.api as models
    from pandas import DataFrame
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng([27, S])
    Y = (
        rng.normal(0.5, 0.2, (1, m))
        + np.linspace(-0.1, 0.1, S)[:, None]
        + rng.normal(0, 0.1, (S, m))
    )
    long = DataFrame(
        dict(y=Y.ravel(), seed=np.repeat(range(S), m), item=np.tile(range(m), S), all=1)
    )
    table = anova_lm(models.ols("y ~ C(seed) + C(item)", long).fit())
    assert mean_squares(Y) == pytest.approx(tuple(table.mean_sq[["C(seed)", "Residual"]]))
    crossed = {"seed": "0 + C(seed)", "item": "0 + C(item)"}
    fit = models.mixedlm("y ~ 1", long, groups="all", vc_formula=crossed).fit(
        method="powell"
    )  # REML, by optimisation
    e, sigma2 = cell_accuracy(Y), dict(zip(fit.model.exog_vc.names, fit.vcomp))
    assert e.seed_spread[0] == pytest.approx(np.sqrt(sigma2["seed"]), rel=0.01)
    assert e.v_items * m / (m - 1) + e.v_seeds == pytest.approx(
        fit.bse["Intercept"] ** 2, rel=0.01
    )  # V_I + V_a
    pair = contrast(
        [Y, np.zeros((S, m))], PAIR
    )  # against a cell that never varies it is the same, but for the floor
    assert pair.v_items - 1 / (m * (m - 1)) + pair.v_seeds == pytest.approx(
        fit.bse["Intercept"] ** 2, rel=0.01
    )


@pytest.mark.parametrize("gained, lost, m", [(60, 40, 5000), (12, 30, 2000), (400, 310, 10_000)])
def test_one_seed_each_is_mcnemar_tost_and_the_power_of_a_normal_test(gained, lost, m):
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.power import normal_power
    from statsmodels.stats.weightstats import ttost_paired

    a, b = np.ones((1, m)), np.ones((1, m))
    b[0, :gained], a[0, gained : gained + lost] = 0, 0
    e, found = (
        contrast([a, b], PAIR),
        mcnemar([[m - gained - lost, gained], [lost, 0]], exact=False, correction=False),
    )
    assert (
        e.p == pytest.approx(found.pvalue, rel=0.2) and e.p > 0.9 * found.pvalue
    )  # the floor is two more samples that differ
    for margin in (max(abs(e.lower()), abs(e.upper())), 2 * abs(e.estimate)):
        p = ttost_paired(a[0], b[0], -margin, margin)[0]
        assert -margin <= e.lower() + 1e-12 and e.upper() <= margin + 1e-12 and p < 0.051
    margin = max(abs(e.lower()), abs(e.upper()))
    assert ttost_paired(a[0], b[0], -margin, margin)[0] == pytest.approx(0.05, abs=0.006)
    for delta in (
        0.002,
        0.01,
    ):  # the further tail is left out: who shows the wrong sign has shown nothing
        known = normal_power(delta / np.sqrt(e.v_items), 1, 0.025, alternative="larger")
        assert e.power(delta) == pytest.approx(known)


def test_one_seed_each_is_a_paired_test_plus_the_floor():
    rng = np.random.default_rng(0)
    a, b = draw(rng, [0.9, 0.8], [1, 1], 300)
    e, found = contrast([a, b], PAIR), scipy_stats.ttest_rel(a[0], b[0])
    assert e.v_items - 2 / (300 * 299) == pytest.approx((e.estimate / found.statistic) ** 2)
    assert e.p == pytest.approx(2 * scipy_stats.norm.sf(e.estimate / np.sqrt(e.v_items)))
    assert found.pvalue < e.p and (e.v_seeds, e.df, e.seed_spread, e.seeds_known) == (
        0,
        None,
        [None, None],
        False,
    )


def test_seeds_alone_are_a_welch_test():
    # where every sample says the same, only seeds vary: what is left is the t-test on S accuracies against S accuracies
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.8, 0.02, 4), rng.normal(0.74, 0.03, 4)
    e = contrast([np.repeat(a[:, None], 20_000, 1), np.repeat(b[:, None], 20_000, 1)], PAIR)
    found = scipy_stats.ttest_ind(a, b, equal_var=False)
    assert e.df == pytest.approx(found.df) and e.p == pytest.approx(found.pvalue, rel=1e-3)
    assert (e.low, e.high) == pytest.approx(tuple(found.confidence_interval()), rel=1e-3)


def test_order_does_not_matter_and_swapping_turns_the_sign():
    rng = np.random.default_rng(2)
    a, b = draw(rng, [0.9, 0.8], [3, 5], 200)
    e, mix = contrast([a, b], PAIR), rng.permutation(200)
    swapped, wrong = contrast([b, a], PAIR), contrast([1 - a, 1 - b], PAIR)
    shuffled = contrast([rng.permutation(a)[:, mix], rng.permutation(b)[:, mix]], PAIR)
    assert e.estimate > 0 and (e.low, e.high, e.p) == pytest.approx(
        (shuffled.low, shuffled.high, shuffled.p)
    )
    for other in (swapped, wrong):
        assert (other.estimate, other.low, other.high, other.p) == pytest.approx(
            (-e.estimate, -e.high, -e.low, e.p)
        )
    assert (
        contrast([a, rng.permutation(b, axis=1)], PAIR).half > e.half
    )  # pairing by sample is what makes it narrow
    one, flipped = cell_accuracy(a), cell_accuracy(1 - a)
    assert (one.low, one.high) == pytest.approx((1 - flipped.high, 1 - flipped.low))


def test_an_interval_of_another_level_needs_no_data():
    a, b = draw(np.random.default_rng(4), [0.9, 0.8], [3, 3], 300)
    assert contrast([a, b], PAIR).at(0.9) == contrast([a, b], PAIR, level=0.9) and cell_accuracy(
        a
    ).at(0.99) == cell_accuracy(a, level=0.99)
    for e in (contrast([a, b], PAIR), cell_accuracy(a)):
        assert e.at(0.9).half < e.half < e.at(0.99).half and e.at(0.95) == e
    e = contrast([a, b], PAIR)
    assert e.at(1 - e.p).low == pytest.approx(0, abs=1e-9)  # the p-value is where it touches zero


@pytest.mark.parametrize("m", [1, 2, 3, 40])
@pytest.mark.parametrize("seeds", [(1, 1), (1, 3), (2, 2), (3, 5)])
def test_degenerate_cells_stay_finite_and_humble(m, seeds):
    for a, b in product((0, 1), (0, 1)):
        e = contrast([np.full((seeds[0], m), a), np.full((seeds[1], m), b)], PAIR)
        assert (
            e.estimate == a - b and -1 <= e.low <= e.estimate <= e.high <= 1 and np.isfinite(e.half)
        )
        assert e.low < e.high and 0 < e.p <= 1
        assert e.low <= 0 <= e.high or (a != b and m > 1)
        assert (
            m == 40 or judge_effect(e, margin=1.5) == "no evidence either way"
        )  # even if every sample differs
        sure = cell_accuracy(np.full((seeds[1], m), a))
        assert (sure.low, sure.high) == pytest.approx(
            wilson_interval(a * m, m)
        )  # many seeds that agree are still m samples
        assert sure.low <= a <= sure.high
    rng = np.random.default_rng(m)
    for _ in range(20):
        cells = [(rng.random((S, m)) < 0.5) for S in seeds]
        e = contrast(cells, PAIR)
        assert np.isfinite([e.low, e.high, e.half, e.p]).all() and e.low <= e.estimate <= e.high
        assert (
            0 <= cell_accuracy(cells[0]).low <= cells[0].mean() <= cell_accuracy(cells[0]).high <= 1
        )


def test_seeds_that_are_all_right_or_all_wrong():
    # no residual at all: MS_e is 0 and phi has no denominator
    e = cell_accuracy([[1] * 50, [0] * 50])
    assert (
        e.df == 1
        and e.seed_spread == pytest.approx([np.sqrt(0.5)])
        and e.low < 0.05
        and e.high > 0.95
    )
    e = contrast([[[1] * 50, [0] * 50], [[1] * 50, [1] * 50]], PAIR)
    assert e.v_seeds == pytest.approx(0.25) and e.low == -1


def test_a_cell_may_borrow_seed_spread_too():
    rng = np.random.default_rng(20)
    a, b = draw(rng, [0.9, 0.9], [2, 5], 1000, spread=1.0)
    alone, helped = cell_accuracy(a), cell_accuracy(a, others=[b])
    assert helped.v_seeds == pytest.approx(contrast([a, b], (1, 0)).v_seeds) != alone.v_seeds
    for name in ("estimate", "v_items", "seeds", "seed_spread"):  # nothing else is borrowed
        assert getattr(helped, name) == getattr(alone, name)
    assert 1 < helped.df <= 5 and alone.df in (1, None)
    assert cell_accuracy(a[:1], others=[b]).seeds_known and not cell_accuracy(a[:1]).seeds_known
    assert cell_accuracy(a[:1], others=[b]).half > cell_accuracy(a[:1]).half
    assert cell_accuracy(a, others=[a]).v_seeds == pytest.approx(alone.v_seeds)


@pytest.mark.slow
def test_two_seeds_that_agree_by_luck_need_a_lender():
    rng, offsets, held = np.random.default_rng(21), [offset(0.9, 0.6)] * 2, np.zeros(2)
    for _ in range(600):
        a, b = simulate(rng, offsets, [2, 2], 1500, [0.6] * 2, 0.5)
        held += [e.low <= 0.9 <= e.high for e in (cell_accuracy(a), cell_accuracy(a, others=[b]))]
    alone, helped = held / 600
    assert 0.9 < alone < helped and helped > 0.94


def test_a_small_seed_spread_is_not_rounded_away():
    Y = np.repeat([[0.9], [0.901]], 4, 1)
    assert cell_accuracy(Y).seed_spread == pytest.approx([0.001 / np.sqrt(2)])
    assert contrast([Y, Y], PAIR).seed_spread == pytest.approx([0.001 / np.sqrt(2)] * 2)
    assert (
        contrast([np.full((2, 4), 0.1), np.full((3, 4), 0.1)], PAIR).v_seeds == 0
    )  # but rounding errors are


def test_a_cell_of_one_seed_borrows_the_seed_spread_of_the_other():
    rng = np.random.default_rng(5)
    a, b = draw(rng, [0.9, 0.9], [1, 5], 2000)
    e = contrast([a, b], PAIR)
    assert e.seeds_known and e.seed_spread[0] is None and e.df == pytest.approx(4)
    assert e.v_seeds == pytest.approx(e.seed_spread[1] ** 2 * (1 + 1 / 5))


def test_cells_must_share_their_samples():
    for cells, weights in (
        ([A, B[:, :3]], PAIR),
        ([A, B], INTERACTION),
        ([A, np.full((2, 4), np.nan)], PAIR),
    ):
        with pytest.raises(AssertionError):
            contrast(cells, weights)


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


def difference(estimate, sd, seeds=(5, 5)):
    return Estimate(
        estimate, sd**2, 0.0, None, 1000, list(seeds), [0.0, 0.0], max(seeds) > 1, span=(-1.0, 1.0)
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


def test_a_verdict_listens_to_holm():
    family = [difference(0.021, 0.01)] * 5  # p = 0.036 each: alone it helps, among five it does not
    assert judge_effect(family[0], 0.001) == "helps"
    assert {judge_effect(e, 0.001) for e in holm_intervals(family)} == {"no evidence either way"}


def coverage(experiments, S, m, spread=0.6, methods=None):
    """Share of experiments without an effect in which each method's interval for a pair holds 0, and cell's the accuracy."""
    rng, hits = np.random.default_rng([8, S, m]), np.zeros(4)
    offsets = [offset(0.9, spread)] * 2
    for _ in range(experiments):
        a, b = simulate(rng, offsets, [S, S], m, [spread] * 2, 0.6)
        e, one = contrast([a, b], PAIR), cell_accuracy(a, others=[b])
        pick = rng.integers(
            S, size=(2, 200, S)
        )  # nested bootstrap: draw seeds, then for every seed its own samples,
        means = (a.mean(1)[pick[0]] - b.mean(1)[pick[1]]).mean(1)  # whose mean is as good as normal
        low, high = np.quantile(
            means + rng.normal(0, np.sqrt((a - b).var(1).mean() / m / S), 200), [0.025, 0.975]
        )
        hits += (
            e.low <= 0 <= e.high,
            one.low <= 0.9 <= one.high,
            abs(e.estimate) <= Z * np.sqrt(e.v_items),
            low <= 0 <= high,
        )
    return hits / experiments


@pytest.mark.slow
@pytest.mark.parametrize("S", [2, 3, 5])
def test_intervals_hold_the_truth_where_simpler_ones_do_not(S):
    count = 600
    error = 2.5 * np.sqrt(0.95 * 0.05 / count)
    pair, one, items_only, nested = coverage(count, S, 1000)
    assert pair > 0.93 - error and one > 0.93 - error
    assert items_only < 0.85 and nested < 0.9


def test_variances_add_up_to_the_variance_that_is_there():
    rng, offsets, found = np.random.default_rng(9), [offset(0.9, 0.6)] * 2, []
    for _ in range(1200):
        a, b = simulate(rng, offsets, [3, 3], 500, [0.6] * 2, 0.6)
        e = contrast([a, b], PAIR)
        found.append((e.estimate, e.v_items - 1 / (500 * 499), e.v_seeds))
    estimates, v_items, v_seeds = np.array(found).T
    assert estimates.var() == pytest.approx(
        v_items.mean() + v_seeds.mean(), rel=0.16
    )  # 4 standard errors of a variance
    assert v_seeds.mean() > v_items.mean()


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


def test_correlated_test_samples_need_group_means():
    # ten frames of one film: 60 groups whose ten samples share most of their difficulty
    rng, offsets, held = np.random.default_rng(11), [offset(0.9, 0.1)] * 2, np.zeros(2)
    for _ in range(300):
        a, b = (np.repeat(Y, 10, 1) for Y in simulate(rng, offsets, [3, 3], 60, [0.1] * 2, 0.6))
        a, b = (np.where(rng.random(Y.shape) < 0.2, rng.permutation(Y, axis=1), Y) for Y in (a, b))
        groups = contrast([Y.reshape(3, 60, 10).mean(2) for Y in (a, b)], PAIR, group_size=10)
        ignored = contrast([a, b], PAIR)
        held += ignored.low <= 0 <= ignored.high, groups.low <= 0 <= groups.high
    assert held[0] < 0.85 * 300 and held[1] > 0.92 * 300


def test_the_floor_of_group_means():
    a = np.ones((2, 5))
    assert contrast([a, a], PAIR).v_items == pytest.approx(1 / 20)
    assert contrast([a, a], PAIR, group_size=10).v_items == pytest.approx(1 / 2000)
    means = np.tile([0.8, 0.9], (3, 500))
    assert cell_accuracy(means).cap == 3000 and cell_accuracy(means, group_size=4).cap == 12000


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


def test_balanced_accuracy_is_the_mean_over_classes():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(16)
    labels = np.repeat(["a", "b", "c"], [200, 30, 8])
    guess = np.where(rng.random((2, 238)) < 0.8, labels, "a")
    e = balanced_accuracy(guess == labels, labels)
    assert e.estimate == pytest.approx(
        np.mean([sklearn.balanced_accuracy_score(labels, g) for g in guess])
    )
    assert (
        e.n == 238
        and e.high - e.low
        > cell_accuracy(guess == labels).high - cell_accuracy(guess == labels).low
    )
    Y = draw(rng, [0.9], [3], 300, spread=1.5)[0]
    one, plain = (
        balanced_accuracy(Y, np.zeros(300)),
        cell_accuracy(Y),
    )  # one class: nothing to balance
    for name in ("estimate", "low", "high", "df", "cap", "seed_spread"):
        assert getattr(one, name) == pytest.approx(getattr(plain, name))


def test_balanced_accuracy_spreads_as_its_seeds_do():
    # seeds 0.8 and 0.9 on every sample of three unequal classes: nothing varies but the seed
    e = balanced_accuracy(np.repeat([[0.8], [0.9]], 90, 1), np.repeat([0, 1, 2], [60, 20, 10]))
    assert (
        e.seed_spread == pytest.approx([0.1 / np.sqrt(2)])
        and e.v_seeds == pytest.approx(0.005 / 2)
        and e.df == 1
    )


def test_three_of_three_is_no_certainty():
    labels = np.repeat([0, 1], [3, 1000])
    Y = np.ones((1, 1003))
    e = balanced_accuracy(Y, labels)
    assert (
        e.cap == pytest.approx(4 / (1 / 3 + 1 / 1000))
        and e.low == pytest.approx(wilson_interval(e.cap, e.cap)[0])
        and e.low < 0.8
    )
    Y[0, 3:503] = 0
    alone = balanced_accuracy(
        Y[:, 2:], labels[2:]
    )  # a class of one sample: the variance of all stands in for its own
    assert alone.v_items == pytest.approx(
        (Y[0, 3:].var(ddof=1) / 1000 + Y[0, 2:].var(ddof=1) / 1) / 4 * 1000 / 1001
    )
    lonely = balanced_accuracy(np.ones((2, 3)), [0, 1, 2])
    assert lonely.low == pytest.approx(wilson_interval(3, 3)[0]) and lonely.high == 1


def test_balanced_accuracy_holds_the_truth_under_imbalance():
    sizes, accuracies = (200, 60, 20, 12), (0.95, 0.9, 0.8, 0.6)
    labels, rng, held, plain = np.repeat(range(4), sizes), np.random.default_rng(17), 0, 0
    mean = np.array([offset(a, 0.3) for a in accuracies])[labels]
    for _ in range(400):
        logit = mean + 5.5 * rng.standard_normal(len(labels)) + 0.3 * rng.standard_normal((3, 1))
        Y = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
        e, c = balanced_accuracy(Y, labels), cell_accuracy(Y)
        held += e.low <= np.mean(accuracies) <= e.high
        plain += (
            abs(e.estimate - np.mean(accuracies)) <= (c.high - c.low) / 2
        )  # as if it were as sure as accuracy
    assert held > 0.92 * 400 and plain < 0.85 * 400


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


def test_a_run_at_chance_is_named():
    rng = np.random.default_rng(18)
    chance = rng.random(1000) < 0.1
    Y = draw(rng, [0.9], [5], 1000)[0]
    assert find_diverged(Y) == []
    Y[3] = chance
    assert find_diverged(Y) == [3]
    assert (
        find_diverged(Y[[0, 3]]) == [1]
        and find_diverged(Y[[3, 1, 2]]) == [0]
        and find_diverged(Y[:1]) == []
    )
    Y[0] = chance
    assert find_diverged(Y[:4]) == [0, 3]  # up to half of the runs
    assert find_diverged(np.ones((3, 5))) == find_diverged(np.zeros((2, 1))) == []
    left, out = drop_diverged(Y[:4])
    assert out == [0, 3] and (left == Y[1:3]).all()
    left, out = drop_diverged(Y[:2])
    assert (
        out == [] and (left == Y[:2]).all() and find_diverged(Y[:2]) == [0]
    )  # of two, one alone would be left


@pytest.mark.slow
@pytest.mark.parametrize("S", [2, 3, 5])
def test_the_recipe_that_works_is_held_without_its_diverged_seeds(S):
    rng, held = np.random.default_rng([28, S]), []
    for _ in range(400):
        Y = draw(rng, [0.98], [S], 1000, spread=0.1)[0]
        Y[0] = rng.random(1000) < 0.1  # one run at chance
        held.append(
            [
                e.low <= 0.98 <= e.high
                for e in (cell_accuracy(Y), cell_accuracy(drop_diverged(Y)[0]))
            ]
        )
    counted, without = np.mean(held, 0)
    assert without > 0.93 - 2.5 * np.sqrt(0.05 * 0.95 / 400) and (S < 5 or counted < 0.8)


def test_ordinary_seed_spread_is_not_called_diverged():
    rng, offsets = np.random.default_rng(19), [offset(0.9, 0.6)]
    accused = sum(
        bool(find_diverged(simulate(rng, offsets, [S], 1000, [0.6], 0.5)[0]))
        for S in (2, 3, 5)
        for _ in range(200)
    )
    assert accused <= 6  # of 600 cells


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


def test_no_rate_is_shown_before_thirty_looks():
    assert (
        format_rate(1, 1) == "1 of 1, too few for a rate"
        and format_rate(3, 29) == "3 of 29, too few for a rate"
    )
    low, high = wilson_interval(3, 30)
    assert format_rate(3, 30) == f"3 of 30, 10.0% [{low:.1%}, {high:.1%}]"
    seen = dict(
        hits=3,
        sure_at_random=20,
        unsure_at_random=10,
        share=(0.15, 0.02, 0.6),
        share_between=(0.1, 13 / 30),
    )
    assert describe_random_rate(seen) == "3 of 20, 10 more unsure, 10.0% to 43.3% [2.0%, 60.0%]"
    assert (
        describe_random_rate(seen | dict(unsure_at_random=9, share=None))
        == "3 of 20, 9 more unsure, too few for a rate"
    )


def test_importing_it_imports_no_scipy():
    code = "import sys, assay.curation.statistics.estimates; assert not any(m.startswith('scipy') for m in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Contrasts of cells against hand-worked tables, scipy, an analysis of variance and simulations."""

from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from assay.curation.statistics.contrasts import (
    DATA_EFFECT,
    INTERACTION,
    PAIR,
    balanced_accuracy,
    cell_accuracy,
    contrast,
    mean_squares,
)
from assay.curation.statistics.estimates import judge_effect, wilson_interval
from tests.benchmarks.coverage import offset, simulate
from tests.curation.statistics.simulations import A, B, draw

Z = scipy_stats.norm.isf(0.025)


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

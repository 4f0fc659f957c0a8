"""Which gaps stand out, against scipy and counting."""

import numpy as np
import pytest

from assay.curation.slicing import (
    gap_kinds,
    regions,
)
from assay.curation.statistics import multiple_testing


def test_p_values_and_ratios_are_those_of_scipy():
    from scipy.stats import fisher_exact, norm

    rng = np.random.default_rng(0)
    for _ in range(30):
        n, N, K = rng.integers(1, 30), 200, int(rng.integers(1, 100))
        k = int(rng.integers(max(0, n + K - N), min(n, K) + 1))
        table = [[k, n - k], [K - k, N - K - n + k]]
        assert regions.more_errors_p(k, n, K, N) == pytest.approx(
            fisher_exact(table, "greater").pvalue
        )
        a, b = int(rng.integers(0, 20)), int(rng.integers(0, 20))
        assert regions.fewer_in_train_p(a, 300, b, 100) == pytest.approx(
            fisher_exact([[a, 300 - a], [b, 100 - b]], "less").pvalue
        )
    middle, low, high = regions.density_ratio(10, 300, 20, 100)
    se = np.sqrt(1 / 10.5 - 1 / 300.5 + 1 / 20.5 - 1 / 100.5)
    assert (middle, high / middle, middle / low) == pytest.approx(
        (10.5 / 300.5 * 100.5 / 20.5, *[np.exp(norm.ppf(0.975) * se)] * 2)
    )
    p = np.array([0.001, 0.04, 0.03, 0.8])
    assert (
        multiple_testing.adjust_fdr(p) == pytest.approx([0.004, 0.16 / 3, 0.16 / 3, 0.8])
        and len(multiple_testing.adjust_fdr(p[:0])) == 0
    )


def test_cells_are_counted_as_a_cross_table_counts():
    rng = np.random.default_rng(0)
    f = regions.Facet("class", ["class a", "class b"], rng.integers(-1, 2, 500))
    g = regions.Facet("cluster", ["cluster x", "cluster y", "cluster z"], rng.integers(0, 3, 500))
    here = rng.random(500) < 0.4
    found = {
        regions.name_cell(r.facets, r.cell): r
        for r in regions.count_cells([f, g], dict(here=here)).itertuples()
    }
    assert len(found) == 2 + 3 + 6
    for i, a in enumerate(f.names):
        for j, x in enumerate(g.names):
            r = found[f"{a} in {x}"]
            assert (
                r.here == (here & (f.codes == i) & (g.codes == j)).sum()
                and r.all_here == (here & (f.codes >= 0)).sum()
            )
            assert ((r.code == r.cell) == ((f.codes == i) & (g.codes == j))).all()


def test_what_a_region_explains_is_what_the_rest_of_its_classes_does_not():
    wrong = np.array([1, 1, 1, 0] + [1, 0, 0, 0] * 5, bool)
    label = np.array([0] * 4 + [0] * 10 + [1] * 10)
    none = np.zeros(24, bool)
    rest = (wrong[4:14].sum() + 2 * wrong[4:].mean()) / 12
    twice = regions.ClassCounts(
        np.array([0, 1]), np.array([0, 0]), np.array([4, 4]), np.array([3, 3])
    )
    all_val = np.array([np.bincount(label[some], minlength=2) for some in (~none, wrong)])
    found = regions.expected_errors(twice, all_val, np.array([False, True, False]))
    assert found == pytest.approx([4 * rest, 4 * wrong[4:].mean(), 0]), (
        "a class against all others; what nothing lies in explains nothing"
    )


@pytest.mark.slow
def test_where_errors_are_dealt_out_at_random_seldom_one_region_stands_out():
    """Family-wise under the null, for which Benjamini and Hochberg's bound is the same: at most 5 % of draws find anything."""
    rng, draws, false = np.random.default_rng(1), 200, 0
    facets = [
        regions.Facet(k, [f"{k}{i}" for i in range(m)], rng.integers(0, m, 600))
        for k, m in (("class", 5), ("cluster", 12), ("metadata", 3))
    ]
    for _ in range(draws):
        c = regions.count_cells(
            facets, dict(wrong=rng.permutation(600) < 90, val=np.ones(600, bool))
        )
        false += (
            multiple_testing.adjust_fdr(
                regions.more_errors_p(c.wrong, c.val, c.all_wrong, c.all_val)
            )
            <= gap_kinds.FOUND
        ).any()
    assert false / draws <= 0.05

"""The probe against brute force: leave one out by refitting without it, after any history of edits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.curation.label_quality import probe as probes


def cloud(n, d, k, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    return (rng.normal(size=(k, d))[y] * 1.5 + noise * rng.normal(size=(n, d))).astype("f4"), y


def refitted(probe, X, y, groups):
    """Scores of every row from a ridge fitted, from the start, on the fitted rows outside the row's group."""
    Z, Y = probe.standardize(X), probes.one_hot(y, probe.k)
    out = np.empty((len(X), probe.k))
    for g in np.unique(groups):
        rest = (groups != g) & (y >= 0)
        out[groups == g] = Z[groups == g] @ np.linalg.solve(
            Z[rest].T @ Z[rest] + probe.lam * np.eye(Z.shape[1]), Z[rest].T @ Y[rest]
        )
    return out


@pytest.mark.parametrize("n, d", [(50, 8), (50, 200), (3, 5), (120, 30)])
def test_leave_one_out_equals_refitting(n, d):
    X, y = cloud(n, d, 3)
    y[:3] = 0, 1, 2
    probe = probes.fit(X, y, np.arange(n), 3)
    assert np.allclose(probe.out_of_group(X), refitted(probe, X, y, np.arange(n)), atol=2e-5)


@pytest.mark.parametrize("n, d", [(90, 10), (60, 100)])
def test_copies_leave_together(n, d):
    X, y = cloud(n, d, 3)
    groups = np.arange(n)
    groups[:12] //= 4  # three families of four
    groups[20:22] = 500
    groups[30:55] = 501  # larger than d in the first case: the downdate
    probe = probes.fit(X, y, groups, 3)
    assert np.allclose(probe.out_of_group(X), refitted(probe, X, y, groups), atol=2e-5)
    alone = refitted(probe, X, y, np.arange(n))
    assert abs(probe.out_of_group(X) - alone)[:12].max() > 1e-3, (
        "leaving copies in would have been seen"
    )


def test_a_copy_would_tell_the_answer():
    """A wrong label with an identical twin that carries the same wrong label is doubted only because both leave."""
    X, y = cloud(200, 10, 2, noise=0.3)
    X[1], y[1] = X[0], 1 - y[0]
    y[0] = y[1]
    apart = probes.fit(X, y, np.arange(200), 2).pred_probs(X)[0, y[0]]
    groups = np.arange(200)
    groups[1] = 0
    together = probes.fit(X, y, groups, 2).pred_probs(X)[0, y[0]]
    assert together < apart


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 59), st.integers(-1, 2)), max_size=30),
    st.sampled_from([6, 80]),
)
def test_any_history_of_edits_equals_refitting(history, d):
    """Relabel, drop (-1) and restore in any order, one at a time, against a fit of the final labels from scratch."""
    X, y = cloud(60, d, 3)
    groups = np.r_[np.arange(50), np.full(10, 7)]
    probe = probes.fit(X, y, groups, 3)
    now = y.copy()
    for row, label in history:
        now[row] = label
        probe.update(X, now)
    fitted = now >= 0
    if len(np.unique(groups[fitted])) < 2:
        return
    assert np.allclose(
        probe.out_of_group(X)[fitted], refitted(probe, X, now, groups)[fitted], atol=5e-5
    )
    assert np.allclose(
        probe.h,
        np.einsum(
            "ij,ij->i",
            probe.standardize(X) @ np.linalg.inv(gram(probe, X, fitted)),
            probe.standardize(X),
        ),
    )


def gram(probe, X, fitted):
    Z = probe.standardize(X[fitted])
    return Z.T @ Z + probe.lam * np.eye(Z.shape[1])


def test_many_moves_at_once_equal_refitting():
    X, y = cloud(700, 12, 3)
    probe = probes.fit(X, y, np.arange(700), 3)
    now = np.where(np.arange(700) % 3 == 0, -1, y)
    probe.update(X, now)
    assert np.allclose(
        probe.out_of_group(X)[now >= 0],
        refitted(probe, X, now, np.arange(700))[now >= 0],
        atol=5e-5,
    )


@pytest.mark.parametrize("copies", [1, 4])
def test_lambda_is_the_one_with_the_least_group_out_error(copies):
    X, y = cloud(120, 30, 2, noise=4)
    groups = np.arange(120) // copies
    X, y = (
        X[groups],
        y[groups],
    )  # real copies: left in, they would tell each other's label and no lambda be small enough
    probe = probes.fit(X, y, groups, 2)
    unit = (probe.standardize(X) ** 2).sum() / 31
    losses = []
    for factor in probes.LAMBDAS:
        probe.lam = factor * unit
        losses.append(((refitted(probe, X, y, groups) - probes.one_hot(y, 2)) ** 2).sum())
    assert probes.fit(X, y, groups, 2).lam == pytest.approx(
        probes.LAMBDAS[int(np.argmin(losses))] * unit
    )


def test_validation_rows_are_predicted_never_fitted():
    X, y = cloud(100, 10, 3)
    half = np.where(np.arange(100) < 60, y, -1)
    both = probes.fit(X, half, np.arange(100), 3).pred_probs(X)
    alone = probes.fit(X[:60], y[:60], np.arange(60), 3)
    assert np.allclose(both[:60], alone.pred_probs(X[:60]), atol=1e-5)
    assert np.allclose(both[60:], alone.predict(X[60:]), atol=1e-5)


def test_memory_layout_does_not_matter(tmp_path):
    """Rows gathered from shards on disk, in another order, give what an array in memory gives."""
    from assay.curation.storage.shards import Shards

    X, y = cloud(300, 20, 3)
    names = [f"{i:032x}" for i in range(300)]
    order = np.random.default_rng(1).permutation(300)
    for part in np.array_split(order, 4):
        Shards(tmp_path).append([names[i] for i in part], X[part])
    rows = Shards(tmp_path).rows(names)
    assert np.array_equal(rows[np.arange(300)], X)
    few = np.r_[3:30, 100, 7]
    for part, dense in ((rows, X), (rows.take(few), X[few])):  # most of a shard, and little of one
        assert np.allclose(part @ X[:5].T, dense @ X[:5].T, atol=1e-4)
    assert np.allclose(
        probes.fit(rows, y, np.arange(300), 3).pred_probs(rows),
        probes.fit(X, y, np.arange(300), 3).pred_probs(X),
    )


@pytest.mark.parametrize("n, k", [(3, 2), (50, 2), (1000, 1000)])
def test_small_and_wide_data_give_probabilities(n, k):
    """Three samples, fifty, one sample a class in a thousand classes."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 40)).astype("f4"), np.arange(n) % k
    probe = probes.fit(X, y, np.arange(n), k)
    probs = probe.pred_probs(X)
    total = np.asarray(probs).sum(1)  # of many classes the likeliest alone are kept
    assert np.isfinite(total).all() and (np.allclose(total, 1) if k <= 256 else total.max() <= 1)
    assert probe.few().all() == (n // k < probes.ENOUGH)


def test_twenty_thousand_identical_images():
    """One picture 20,000 times, in one group: leaving it out leaves nothing known, and nothing breaks."""
    X = np.repeat(np.random.default_rng(0).normal(size=(1, 30)), 20_000, 0).astype("f4")
    X = np.concatenate([X, cloud(200, 30, 2)[0]])
    y = np.r_[np.zeros(10_000, int), np.ones(10_000, int), cloud(200, 30, 2)[1]]
    groups = np.r_[np.zeros(20_000, int), np.arange(1, 201)]
    probe = probes.fit(X, y, groups, 2)
    scores = probe.out_of_group(X)
    assert np.isfinite(scores).all()
    Z = probe.standardize(X)
    W = np.linalg.solve(
        Z[20_000:].T @ Z[20_000:] + probe.lam * np.eye(31),
        Z[20_000:].T @ probes.one_hot(y[20_000:], 2),
    )
    assert np.allclose(scores[:5], Z[:5] @ W, atol=1e-4)


def test_planted_errors_are_found_first():
    X, y = cloud(2000, 30, 4, noise=1.2)
    rng = np.random.default_rng(1)
    wrong = rng.random(2000) < 0.05
    given_ = np.where(wrong, (y + rng.integers(1, 4, 2000)) % 4, y)
    probs = probes.fit(X, given_, np.arange(2000), 4).pred_probs(X)
    worst = np.argsort(probs[np.arange(2000), given_])[: wrong.sum()]
    assert wrong[worst].mean() > 0.8  # by chance 0.05


def test_rare_classes_are_not_called_errors_for_being_rare():
    """Twelve clean samples of a rare class beside 1,200: a common temperature would push them below the common class."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2, 20)) * 1.2
    y = np.r_[np.zeros(1200, int), np.ones(12, int)]
    X = (centres[y] + rng.normal(size=(1212, 20))).astype("f4")
    probs = probes.fit(X, y, np.arange(1212), 2).pred_probs(X)
    assert (probs[y == 1].argmax(1) == 1).mean() >= 0.75


def test_probabilities_are_calibrated_on_scores_that_have_not_seen_the_label():
    """Labels drawn by lot, nearly as many dimensions as samples: in sample the probe knows each, out of sample none, and it must say so."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(240, 150)).astype("f4"), rng.integers(0, 2, 240)
    probe = probes.fit(X, y, np.arange(240), 2)
    p = probe.pred_probs(X)[np.arange(240), y]
    assert -np.log(p).mean() < np.log(2) + 0.05, (
        "worse than saying one half is worse than knowing nothing"
    )
    assert ((probe.score_in_sample(X).argmax(1) == y).mean()) > 0.8, (
        "in sample it looks as if it knew"
    )
    assert (np.diff(probe.heights) > 0).all(), "knowing nothing turns no order around"


def test_a_class_is_counted_by_groups_and_not_by_copies():
    X, y = cloud(60, 8, 2)
    X, y = np.r_[X, np.repeat(X[:1], 6, 0)], np.r_[y, np.full(6, 2)]
    apart, copies = np.arange(66), np.r_[np.arange(60), np.full(6, 60)]
    assert probes.fit(X, y, copies, 3).few().tolist() == [False, False, True], (
        "one image in six copies is one image"
    )
    assert probes.fit(X, y, apart, 3).few().tolist() == [False, False, False]
    again = probes.fit(X, np.where(y == 2, 0, y), copies, 3)
    again.update(X, y)
    assert again.few().tolist() == [False, False, True]

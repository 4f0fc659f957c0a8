"""Thousands of classes are judged as a table of all samples by all classes would be, which is never made."""

import numpy as np
import pytest
from cleanlab.count import num_label_issues

from assay.curation.label_quality import linear_algebra, many_classes, noise_matrix
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.flagging import count_confident, fit_cuts, flag_labels
from assay.curation.storage import top_probs
from assay.curation.storage.top_probs import TopProbs

K = 300


def make_classes(n=2400, d=24, seed=0):
    """Rows around 300 centres, one label in ten wrong."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, K, n)
    X = (rng.normal(size=(K, d))[y] + 0.5 * rng.normal(size=(n, d))).astype("f4")
    return X, np.where(rng.random(n) < 0.1, rng.integers(0, K, n), y)


@pytest.fixture(scope="module")
def probabilities():
    X, y = make_classes()
    probe = probes.fit(X, y, np.arange(len(X)), K)
    return y, probe.probabilities(probe.score_all(X))


@pytest.mark.parametrize("copies", [1, 5, 40])
def test_blocks_score_as_all_rows_at_once(copies, monkeypatch):
    """Copies leave together wherever a block ends, and where they are more than a block holds."""
    monkeypatch.setattr(many_classes, "NUMBERS", 16 * K)
    X, y = make_classes()
    rng = np.random.default_rng(1)
    groups = rng.permutation(np.arange(len(X)) // copies)
    y[rng.random(len(X)) < 0.2] = -1
    near = rng.integers(-1, len(X), (len(X), 5))
    probe = probes.fit(X, y, groups, K, near=near)
    want = probe.probabilities(probe.score_all(X))
    rows, found = np.arange(len(X))[:, None], probe.pred_probs(X)
    np.testing.assert_allclose(found.p, want[rows, found.at], atol=1e-5)
    np.testing.assert_allclose(np.sort(found.p)[:, 1:], np.sort(want)[:, -31:], atol=1e-4)


def test_sums_by_class_are_those_of_one_hot_targets():
    Z, y = np.random.default_rng(0).normal(size=(500, 8)), make_classes(500)[1]
    y[::7] = -1
    found = linear_algebra.sum_classes(Z, y, K)
    np.testing.assert_allclose(found, Z.T @ linear_algebra.one_hot(y, K), atol=1e-9)


def test_the_likeliest_classes_are_read_as_the_table_is(probabilities):
    y, probs = probabilities
    top = TopProbs.keep_highest(probs, y)
    rows = np.arange(len(y))
    np.testing.assert_array_equal(top.argmax(1), probs.argmax(1))
    np.testing.assert_allclose(top.max(1), probs.max(1), rtol=1e-6)
    np.testing.assert_allclose(top[rows, y], probs[rows, y], rtol=1e-6)
    dense = np.asarray(top[5:9])
    kept = dense > 0
    assert (kept.sum(1) == 32).all() and np.allclose(dense[kept], probs[5:9][kept], rtol=1e-6)
    np.testing.assert_array_equal(top[7], dense[2])


def test_merged_classes_add_up(probabilities):
    y, probs = probabilities
    top = TopProbs.keep_highest(probs, y)
    column = np.arange(K) // 2
    want = np.asarray(top[:50]).reshape(50, K // 2, 2).sum(2)
    merged = top.rename(column, K // 2)[:50]
    np.testing.assert_allclose(np.asarray(merged), want, atol=1e-6)
    np.testing.assert_array_equal(merged.argmax(1), want.argmax(1))


def test_wrong_labels_are_counted_as_cleanlab_counts_them(probabilities):
    """Of the table in which all but the likeliest are 0."""
    y, probs = probabilities
    top = TopProbs.keep_highest(probs, y)
    want = num_label_issues(y, np.asarray(top, "f8"), estimation_method="off_diagonal")
    assert count_confident(y, top) == want > 100


def test_the_noise_is_that_of_the_whole_table(probabilities):
    y, probs = probabilities
    top = TopProbs.keep_highest(probs, y)
    whole, found = (noise_matrix.find_noise(y, p) for p in (probs, top))
    assert np.corrcoef(whole, found)[0, 1] > 0.995


def test_few_classes_of_millions_are_flagged_as_by_the_table(monkeypatch):
    """With the limit of a whole table at 1,000 numbers: 2,400 rows of 10 classes are too many."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 2400)
    X = (rng.normal(size=(10, 24))[y] + rng.normal(size=(2400, 24))).astype("f4")
    y = np.where(rng.random(2400) < 0.1, rng.integers(0, 10, 2400), y)
    found = []
    for dense in (top_probs.DENSE, 1000):
        monkeypatch.setattr(probes, "DENSE", dense)
        monkeypatch.setattr(top_probs, "DENSE", dense)
        probs = probes.fit(X, y, np.arange(len(X)), 10).pred_probs(X)
        noise = noise_matrix.find_noise(y, probs)
        found.append((probs, noise, flag_labels(y, probs, fit_cuts(y, probs))))
    (whole, noise, flags), (top, likewise, same) = found
    assert isinstance(top, TopProbs) and not isinstance(whole, TopProbs)
    np.testing.assert_allclose(top[np.arange(2400), y], whole[np.arange(2400), y], atol=1e-5)
    assert abs(noise - likewise).max() < 0.02 and (flags != same).mean() < 0.005 < flags.mean()


def test_a_whole_table_is_refused():
    """Whoever asks for all samples by all classes is told, before memory ends."""
    top = TopProbs(np.zeros((200_000, 32), "i4"), np.zeros((200_000, 32), "f4"), 5600)
    with pytest.raises(MemoryError, match="some rows"):
        np.asarray(top)


def test_relabelled_rows_are_scored_as_by_a_fresh_fit():
    X, y = make_classes()
    probe = probes.fit(X, y, np.arange(len(X)), K)
    y[:30], y[30:40] = y[100:130], -1
    probe.update(X, y)
    fresh = probes.fit(X, y, np.arange(len(X)), K)
    for name in ("mean", "scale", "lam", "knots", "heights", "stretch"):
        setattr(fresh, name, getattr(probe, name))
    fresh.refit(X, y, np.arange(len(X)))
    want, found = fresh.pred_probs(X), probe.pred_probs(X)
    np.testing.assert_allclose(np.asarray(found), np.asarray(want), atol=1e-5)


@pytest.mark.parametrize("copies", [1, 2])
def test_the_classes_of_an_edit_are_scored_by_themselves(copies, monkeypatch):
    """Twenty relabellings, then a sample is dropped: what is said of all is what a new pass over all says."""
    monkeypatch.setattr(many_classes, "AT_ONCE", 0)
    X, y = make_classes()
    near = np.random.default_rng(1).integers(-1, len(X), (len(X), 5))
    probe = probes.fit(X, y, np.arange(len(X)) // copies, K, near=near)
    probe.pred_probs(X)
    rows = np.arange(len(y))
    for i in range(21):
        y = y.copy()
        y[i] = y[i + 50] if i < 20 else -1
        probe.update(X, y)
        found = probe.pred_probs(X)
        if i == 19:
            relabelled, want = found, many_classes.predict_top(probe, X, y).probs
    assert np.abs(relabelled[rows, y] - want[rows, y])[y >= 0].max() < 1e-5
    np.testing.assert_allclose(relabelled.max(1), want.max(1), atol=1e-5)
    want = many_classes.predict_top(probe, X, y).probs
    np.testing.assert_allclose(found.max(1), want.max(1), atol=0.01)

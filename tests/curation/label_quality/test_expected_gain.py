"""The gain that is expected of corrections, against probes that are really refitted."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.expected_gain import (
    Corrections,
    Validation,
    bound_gain,
    expect_gain,
)
from assay.curation.label_quality.linear_algebra import one_hot

TRAIN, VAL = 700, 300


def weak_digits(seed=0):
    """(X of 1,000 digits, labels of a weak model, truth, a probe fitted to the first 700)."""
    X, truth = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(X))
    few, rows = rows[:60], rows[60 : 60 + TRAIN + VAL]
    weak = LogisticRegression(max_iter=300).fit(X[few], truth[few])
    X, y, truth = X[rows].astype("f4"), weak.predict(X[rows]), truth[rows]
    fitted = np.where(np.arange(len(X)) < TRAIN, y, -1)
    near = NearestNeighbors(n_neighbors=6).fit(X[:TRAIN]).kneighbors(X)[1]
    near = np.where(near == np.arange(len(X))[:, None], -1, near)
    return X, y, truth, probes.fit(X, fitted, np.arange(len(X)), 10, near=near)


def judge(probe, X, labels):
    """The mean probability that a probe gives the val labels (300, 10)."""
    return (probe.pred_probs(X)[TRAIN:] * labels).sum(1).mean()


def correct(X, y, truth, probe, chances):
    """What a hundred of the train labels become, as likely as `chances`, and the val labels as they really are."""
    rows = np.argsort(probe.pred_probs(X)[np.arange(TRAIN), y[:TRAIN]])[:100]
    drawn = np.repeat(chances[:, None] > 0.5, 50, 1)
    fixes = Corrections(rows, y[rows], truth[rows], chances, drawn)
    return fixes, Validation(np.arange(TRAIN, TRAIN + VAL), one_hot(truth[TRAIN:], 10), 0.0)


def test_what_is_certain_is_what_a_refit_gains():
    X, y, truth, probe = weak_digits()
    fixes, val = correct(X, y, truth, probe, np.ones(100))
    expected = expect_gain(probe, X, fixes, val)
    before = judge(probe, X, val.labels)
    fixed = probe.y.copy()
    fixed[fixes.rows] = truth[fixes.rows]
    probe.update(X, fixed)
    assert expected.gain == pytest.approx(judge(probe, X, val.labels) - before, abs=1e-5)
    assert expected.low < expected.gain < expected.high and expected.gain > 0.005


def test_what_is_unsure_widens_it_and_a_val_label_teaches_nothing():
    X, y, truth, probe = weak_digits()
    fixes, val = correct(X, y, truth, probe, np.full(100, 0.5))
    rng = np.random.default_rng(0)
    unsure = fixes._replace(drawn=rng.random((100, 50)) < 0.5)
    a, b = (
        expect_gain(probe, X, f, val) for f in (fixes._replace(drawn=fixes.drawn & False), unsure)
    )
    assert a.gain == b.gain and b.high > a.high and b.high - b.low > a.high - a.low
    of_val = fixes._replace(rows=np.arange(TRAIN, TRAIN + 100))
    assert expect_gain(probe, X, of_val, val).gain == 0


def test_wrong_val_labels_stand_at_both_ends_whichever_they_are():
    """Worked by hand: of two labels one is wrong, in a third class or the second; the worst choices are found."""
    moved = np.array([[0.1, -0.1, 0.0], [0.2, -0.3, 0.1]])
    labels = one_hot(np.array([1, 0]), 3)  # gains -0.1 and 0.2: mean 0.05
    sure, one = (
        bound_gain(moved, Validation(np.arange(2), labels, w), np.zeros(1)) for w in (0, 1)
    )
    assert one.high - sure.high == pytest.approx(0.2 / 2), "the first is of class 0: +0.1 for -0.1"
    assert one.low - sure.low == pytest.approx(-0.5 / 2), "the second is of class 1: -0.3 for 0.2"
    assert sure.high - sure.gain == pytest.approx(3.656 * 0.15 / np.sqrt(2), rel=1e-3)

"""Which train labels made a mistake: against refitting without each, and with planted wrong labels as the truth."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.influence import influence


def nearest_fitted(X, fitted, many=5):
    """The rows that vote on each row: its nearest of the first `fitted` ones, never itself."""
    near = NearestNeighbors(n_neighbors=many + 1).fit(X[:fitted]).kneighbors(X)[1]
    return np.where(near == np.arange(len(X))[:, None], -1, near)


def mistaken_digits(fitted=1200):
    """Digits of which a third of some classes carry another's label: (X, labels, truths, a probe of the first ones)."""
    X, truth = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))
    X, truth = X[order].astype("f4"), truth[order]
    y = truth.copy()
    for one, other in ((3, 8), (4, 9), (1, 7)):
        y[(truth == one) & (rng.random(len(y)) < 0.35)] = other
    y[fitted:] = -1
    near = nearest_fitted(X, fitted)
    return X, y, truth, probes.fit(X, y, np.arange(len(X)), 10, near=near)


def margins_of(probe, given, said):
    weights = np.zeros((1, probe.k))
    weights[0, given], weights[0, said] = 5.0, -5.0
    return weights


def find_mistakes(X, y, truth, probe):
    """(row, label, what the model says) of those that it has not seen and gets wrong."""
    said = probe.pred_probs(X).argmax(1)
    return [(i, truth[i], said[i]) for i in np.flatnonzero((y < 0) & (said != truth))]


@pytest.mark.parametrize("several", [1, 5])
def test_it_is_what_refitting_without_the_sample_says(several):
    X, y, truth, probe = mistaken_digits()
    some = find_mistakes(X, y, truth, probe)[:several]
    rows = np.array([i for i, _, _ in some])
    weights = np.concatenate([margins_of(probe, given, said) for _, given, said in some])
    found = influence(probe, X, rows, weights)
    assert not found[y < 0].any()
    F = probe.standardize(X[y >= 0].astype("f8"))
    Y = probes.one_hot(y[y >= 0], 10)
    A, right = F.T @ F + probe.lam * np.eye(F.shape[1]), F.T @ Y
    asked = probe.standardize(X[rows].astype("f8"))

    def vote(without=-1):
        left = [[y[j] for j in probe.near[i] if j not in (-1, without)] for i in rows]
        return 0.2 * np.array([np.bincount(labels, minlength=10) / len(labels) for labels in left])

    before = ((asked @ np.linalg.solve(A, right) + vote()) * weights).sum()
    order = np.argsort(found[: len(F)])
    for i in (*order[-3:], *order[:3], 700):
        without = np.linalg.solve(A - np.outer(F[i], F[i]), right - np.outer(F[i], Y[i]))
        after = ((asked @ without + vote(i)) * weights).sum()
        assert found[i] == pytest.approx(after - before, abs=1e-5)


def test_wrong_labels_stand_behind_mistakes():
    """Of the ten that pull most towards a mistake, three times as many are wrong as of all."""
    X, y, truth, probe = mistaken_digits()
    wrong, hits = y != truth, []
    for i, given, said in find_mistakes(X, y, truth, probe):
        found = influence(probe, X, np.array([i]), margins_of(probe, given, said))
        hits.append(wrong[np.argsort(-found)[:10]].mean())
    assert len(hits) > 40 and np.mean(hits) > 3 * wrong[y >= 0].mean()

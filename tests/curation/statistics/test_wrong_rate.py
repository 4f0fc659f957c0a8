"""How many of the next hundred are wrong: the interval covers what sessions then find."""

import numpy as np
import pytest
from scipy.special import logit
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from assay.curation.label_quality import probe as probes
from assay.curation.statistics.wrong_rate import fit_wrong_rate


def weak_digits(weak, seed=1):
    """Digits labelled by a weak model, or a part at random: (score of each label, whether it is wrong)."""
    X, truth = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    if weak:
        few = rng.permutation(len(X))[:40]
        y = LogisticRegression(max_iter=500).fit(X[few], truth[few]).predict(X)
    else:
        y = np.where(rng.random(len(X)) < 0.1, rng.integers(0, 10, len(X)), truth)
    probe = probes.fit(X.astype("f4"), y, np.arange(len(X)), 10)
    return probe.pred_probs(X.astype("f4"))[np.arange(len(X)), y], y != truth


def look(score, rng, reviews, drawn):
    """What a session of so many reviews has seen, and its next hundred: rows."""
    seen = np.zeros(len(score), bool)
    seen[rng.permutation(len(score))[:drawn]] = True
    queue = np.argsort(score, kind="stable")
    queue = queue[~seen[queue]]
    seen[queue[: reviews - drawn]] = True
    return seen, queue[reviews - drawn :][:100]


@pytest.mark.parametrize("weak", [True, False])
@pytest.mark.parametrize("reviews", [200, 500])
def test_the_interval_covers_what_the_next_hundred_hold(weak, reviews):
    """60 sessions, each on its own half of the samples."""
    score, wrong = weak_digits(weak)
    rng, covered, errors, naive = np.random.default_rng(0), [], [], []
    for _ in range(60):
        half = rng.permutation(len(score))[: len(score) // 2]
        s, w = score[half], wrong[half]
        seen, then = look(s, rng, reviews, 30)
        expected, low, high = fit_wrong_rate(s[seen], w[seen]).count_wrong(s[then])
        covered.append(low <= w[then].sum() <= high)
        errors.append(expected - w[then].sum())
        naive.append(100 * w[seen].mean() - w[then].sum())
    assert np.mean(covered) >= 0.9
    assert np.std(errors) < np.sqrt(np.mean(np.square(naive))) / 2, "better than the rate so far"


def test_it_is_the_regression_that_statistics_know():
    rng = np.random.default_rng(0)
    score = rng.random(2000)
    wrong = rng.random(2000) < 1 / (1 + np.exp(1 + 0.8 * logit(score)))
    reference = LogisticRegression(C=100, tol=1e-8).fit(logit(score)[:, None], wrong)
    found = fit_wrong_rate(score, wrong)
    assert found.weights == pytest.approx([*reference.intercept_, *reference.coef_[0]], abs=1e-3)


def test_looks_that_a_score_parts_without_fault_give_no_nonsense():
    """Every low score wrong, every high one right: no weight is infinite, and no count leaves its bounds."""
    score = np.r_[np.full(20, 0.1), np.full(20, 0.9)]
    found = fit_wrong_rate(score, score < 0.5)
    expected, low, high = found.count_wrong(np.full(100, 0.05))
    assert np.isfinite(found.weights).all() and 0 <= low <= expected <= 100 and high == 100
    assert found.count_wrong(np.full(100, 0.95))[0] < 30

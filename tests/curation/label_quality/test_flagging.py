"""Flags against known errors: of weak and of hasty annotators, of rare classes, and of a thousand classes."""

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.flagging import fit_cuts, flag_labels, share_to_flag

FILTERS = (
    "prune_by_noise_rate prune_by_class both confident_learning predicted_neq_given "
    "low_normalized_margin low_self_confidence"
).split()


def f1(flagged, wrong):
    return 2 * (flagged & wrong).sum() / (flagged.sum() + wrong.sum())


def judge(X, given):
    k = int(given.max()) + 1
    return probes.fit(X.astype("f4"), given, np.arange(len(X)), k).pred_probs(X.astype("f4"))


def flag(given, probs):
    return flag_labels(given, probs, fit_cuts(given, probs))


def weak_annotator(X, truth, shown, seed):
    """Labels by a model that was shown few samples."""
    some = np.random.default_rng(seed).permutation(len(X))[:shown]
    return LogisticRegression(max_iter=1500).fit(X[some], truth[some]).predict(X)


def hasty_annotator(X, truth, rate, seed):
    """Labels by one who sees a quarter of the pixels, and errs where they mislead."""
    rng = np.random.default_rng(seed)
    coarse = X.reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(len(X), -1)
    some = rng.permutation(len(X))[:300]
    logits = LogisticRegression(C=0.02, max_iter=1500).fit(coarse[some], truth[some])
    logits = logits.decision_function(coarse)
    for sure in np.arange(0, 20, 0.1):
        drawn = softmax(logits + sure * np.eye(10)[truth], axis=1)
        if 1 - drawn[np.arange(len(X)), truth].mean() <= rate:
            return (drawn.cumsum(1) > rng.random((len(X), 1))).argmax(1)


# how an annotator labels, and by how much the best filter's F1 may be higher; it knows which filter that is, flags do not
ANNOTATORS = {
    "weak 40": (lambda X, t, seed: weak_annotator(X, t, 40, seed), 0.02),
    "weak 80": (lambda X, t, seed: weak_annotator(X, t, 80, seed), 0.02),
    "hasty 5": (lambda X, t, seed: hasty_annotator(X, t, 0.05, seed), 0.0),
    "hasty 35": (lambda X, t, seed: hasty_annotator(X, t, 0.35, seed), 0.06),
}


@pytest.mark.parametrize("annotator", ANNOTATORS)
def test_errors_of_an_annotator_are_found_as_by_the_best_of_cleanlabs_filters(annotator):
    """On average over draws: one draw's difference depends on the CPU."""
    X, truth = load_digits(return_X_y=True)
    label, most = ANNOTATORS[annotator]
    behind = []
    for seed in range(5):
        given = label(X, truth, seed)
        probs, wrong = judge(X, given), given != truth
        assert 0.04 < wrong.mean() < 0.5
        found = [f1(find_label_issues(given, probs, filter_by=f, n_jobs=1), wrong) for f in FILTERS]
        behind.append(max(found) - f1(flag(given, probs), wrong))
    assert np.mean(behind) < most


def clouds(sizes, seed=0):
    """Overlapping clouds, one a class: (n, 15), truth."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    return rng.normal(size=(len(sizes), 15))[truth] * 0.9 + rng.normal(size=(len(truth), 15)), truth


@pytest.mark.parametrize("rate", [0.05, 0.15])
def test_clean_samples_of_rare_classes_are_flagged_at_most_twice_as_often(rate):
    X, truth = clouds(np.geomspace(2000, 40, 8).astype(int))  # 50 to 1
    rng = np.random.default_rng(1)
    slips = rng.random(len(truth)) < rate
    given = np.where(slips, rng.integers(0, 8, len(truth)), truth)
    probs = judge(X, given)
    flagged, doubted = flag(given, probs), probs.argmax(1) != given
    clean, rare = given == truth, truth >= 5
    often = [
        share[clean & rare].mean() / share[clean & ~rare].mean() for share in (flagged, doubted)
    ]
    assert often[0] < 2 < 3 < often[1]
    assert f1(flagged, ~clean) > f1(doubted, ~clean)


def test_what_is_counted_is_supplemented():
    assert share_to_flag(0.1) == share_to_flag(0.2) == 1 == share_to_flag(1.2)
    assert (
        share_to_flag(0.4) == pytest.approx(0.48) and share_to_flag(0.35) < share_to_flag(0.3) < 1
    )


def test_labels_that_the_model_shares_are_never_flagged():
    probs = np.array([[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.2, 0.3, 0.5]])
    assert not flag(np.array([0, 1, 2]), probs).any()
    assert flag_labels(np.array([1, 1, 2]), probs, np.ones(3)).tolist() == [True, False, False]
    assert not flag_labels(np.array([1, 0, 0]), probs, np.zeros(3)).any()
    one = np.zeros((3, 1)) + 1
    assert not flag(np.zeros(3, int), one).any() and fit_cuts(np.zeros(0, int), one[:0]).shape == (
        1,
    )


def test_a_thousand_classes_are_flagged_as_ten_are():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 1000, 6000)
    logits = rng.normal(size=(6000, 1000)).astype("f4")
    logits[np.arange(6000), truth] += 9
    given = np.where(rng.random(6000) < 0.1, rng.integers(0, 1000, 6000), truth)
    assert f1(flag(given, softmax(logits, axis=1)), given != truth) > 0.9

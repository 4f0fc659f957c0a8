"""Several labels a sample: what a set says, how a probe fits it without its sample, and how it is scored."""

import numpy as np
import pytest

from assay.curation.label_quality import probe
from assay.curation.label_quality.calibration import fit_sigmoids
from assay.curation.label_quality.member_flags import fit_member_cuts, flag_members
from assay.curation.statistics.logistic_lines import sigmoid
from assay.curation.tasks.member_noise import MemberNoise, fit_member_noise
from assay.curation.tasks.multilabel import TASK, make_set, parse_set, score_sets, share_right

CLASSES = ["ape", "bee", "cat"]
SETS = ['["ape"]', '["ape", "cat"]', "[]", None, '["yak"]']


@pytest.mark.parametrize("cell", ["cat|ape", ' ["cat", "ape"]', "ape | cat", '["ape","cat"]'])
def test_one_set_is_one_text_however_it_is_written(cell):
    assert parse_set(cell, CLASSES) == '["ape", "cat"]'


@pytest.mark.parametrize(
    "cell, words",
    [("ape|ape", "'ape' twice"), ("ape|dog", "found 'dog'"), ("ape|", "is no class"), ("[1]", "JSON list of texts")],
)  # fmt: skip
def test_a_cell_that_is_no_set_is_refused_in_words(cell, words):
    with pytest.raises(ValueError, match="expected") as e:
        parse_set(cell, CLASSES)
    assert words in str(e.value)


def test_no_class_is_a_label_and_no_label_is_none():
    y = TASK.targets(SETS, CLASSES)
    assert y.tolist() == [[1, 0, 0], [1, 0, 1], [0, 0, 0], [-1] * 3, [-1] * 3]
    assert parse_set("[]", CLASSES) == "[]" and TASK.show("[]") == "no class"
    assert TASK.predict(np.array([[0.9, 0.1, 0.5]]), CLASSES).tolist() == ['["ape", "cat"]']


def test_a_name_may_hold_anything():
    name = 'a|b, "c" [] القط 🐈'
    assert TASK.members(parse_set(make_set([name]), [name])) == (name,)


def test_how_right_a_set_is():
    """Of the classes that either names, those that both do: by hand."""
    predicted = ['["ape", "bee"]', '["ape"]', "[]", "[]", ""]
    labels = ['["ape", "cat"]', '["ape"]', "[]", '["ape"]', "[]"]
    assert share_right(predicted, labels) == pytest.approx([1 / 3, 1, 1, 0, 0])


def test_the_suggestion_turns_what_is_least_likely():
    """The model misses a bee; of the second set it doubts nothing."""
    y, probs = np.array([[1, 0, 0], [1, 0, 1]]), np.array([[0.9, 0.8, 0.2], [0.7, 0.1, 0.9]])
    found = score_sets(y, probs, CLASSES)
    assert found.suggestion.tolist() == ['["ape", "bee"]', '["ape", "cat"]']
    assert found.question.tolist() == ["bee", "ape"]
    assert found.confidence.tolist() == pytest.approx([0.8, 0.7])
    assert found.score[0] < found.score[1]


@pytest.fixture
def points():
    """Two groups of copies among 60 rows; three classes by the signs of columns, the last row unlabelled."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8)).astype("f4")
    y = (X[:, :3] + 0.3 * rng.normal(size=(60, 3)) > 0).astype("i1")
    X[1], X[3], X[4] = X[0], X[2], X[2]
    y[59] = -1
    groups = np.arange(60)
    groups[1], groups[[3, 4]] = 0, 2
    return X, y, groups


def test_a_score_is_of_a_fit_without_the_sample_and_its_copies(points):
    X, y, groups = points
    fitted = probe.fit(X, y, groups, 3)
    out = fitted.out_of_group(X)
    for row in (2, 17, 59):
        others = (groups != groups[row]) & (y[:, 0] >= 0)
        Z = fitted.standardize(X)
        A = Z[others].T @ Z[others] + fitted.lam * np.eye(Z.shape[1])
        assert out[row] == pytest.approx(
            Z[row] @ np.linalg.solve(A, Z[others].T @ (y[others] - fitted.offset)), abs=1e-4
        )


def test_an_edit_gives_what_a_new_fit_gives(points):
    X, y, groups = points
    edited, now = probe.fit(X, y, groups, 3), y.copy()
    now[5, 1], now[9], now[59] = 1 - now[5, 1], -1, [1, 0, 1]
    edited.update(X, now)
    anew = probe.fit(X, y, groups, 3)
    anew.refit(X, now, groups)
    assert edited.out_of_group(X) == pytest.approx(anew.out_of_group(X), abs=1e-4)
    assert edited.sizes.tolist() == anew.sizes.tolist()


def test_each_class_has_its_own_calibrated_sigmoid():
    """Where classes answer by known sigmoids, what is fitted says how often they are right."""
    rng = np.random.default_rng(1)
    scores = rng.uniform(-0.5, 1.5, (4000, 2))
    truth = sigmoid(np.array([-4.0, -1.0]) + np.array([6.0, 3.0]) * scores)
    heights = fit_sigmoids(scores, (rng.random(truth.shape) < truth).astype("i1"))
    said = sigmoid(heights[0] + scores * np.diff(heights, axis=0))
    assert abs(said - truth).mean() < 0.02 and abs(said - truth).max() < 0.08


def test_trust_is_bayes_rule():
    """By hand: a class that 10 % truly have here, given by mistake to 5 % and missed in a fifth."""
    noise = MemberNoise(*np.array([[0.0], [1.0], [0.05], [0.2]]))
    trust = noise.trust(np.array([[1], [0]]), np.array([[0.1], [0.1]]))
    given = 0.1 * 0.8, 0.9 * 0.05
    missing = 0.9 * 0.95, 0.1 * 0.2
    assert trust[:, 0] == pytest.approx([given[0] / sum(given), missing[0] / sum(missing)])


@pytest.mark.parametrize("added, missed", [(0.0, 0.15), (0.1, 0.0), (0.1, 0.2)])
def test_rates_of_errors_are_learnt_from_what_surprises(added, missed):
    """Planted rates are found again to within a third, where the model is good and samples are many."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 5, (8000, 4)) - 2
    truth = rng.random(logits.shape) < sigmoid(logits)
    turned = rng.random(truth.shape) < np.where(truth, missed, added)
    noise = fit_member_noise((truth ^ turned).astype(int), sigmoid(0.7 * logits))
    assert noise.added == pytest.approx(added, abs=0.03) and noise.missed == pytest.approx(
        missed, abs=0.06
    )


def test_clean_samples_with_a_rare_class_are_protected():
    """The model misses half of the true members of a class that 4 % have. Of the clean samples with it at most twice the
    share is flagged, that there is of all clean samples."""
    rare, every, missed, found = np.zeros((4, 4))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        truth = rng.random((6000, 2)) < [0.5, 0.04]
        noise = 1.3 * rng.normal(size=truth.shape)
        probs = sigmoid(np.where(truth, 1.2, -1.2) + np.array([0, -2.0]) + noise)
        turned = rng.random(truth.shape) < np.where(truth, 0.1, 0.01)
        y = np.where(turned, ~truth, truth).astype(int)
        flagged = flag_members(y, probs, fit_member_cuts(y, probs))
        clean = ~turned.any(1)
        rare[seed], every[seed] = (
            flagged.any(1)[clean & truth[:, 1]].mean(),
            flagged.any(1)[clean].mean(),
        )
        missed[seed], found[seed] = (probs[truth[:, 1], 1] < 0.5).mean(), flagged[turned].mean()
    assert missed.mean() > 0.4 and rare.mean() < 2 * every.mean() and found.mean() > 0.3

"""Confident learning from scratch: label for label what cleanlab says."""

import sys
import warnings

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues

from tests.helpers import DATA, ROOT, drawn_digits

sys.path.insert(0, str(ROOT / "docs/lessons"))
import confident_learning as lesson  # noqa: E402


def assert_equal(labels, probs, least=1):
    for calibrate in (False, True):
        theirs = compute_confident_joint(labels, probs, calibrate=calibrate)
        assert np.array_equal(theirs, lesson.confident_joint(labels, probs, calibrate))
    for how in lesson.FILTERS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # too few of a class
            theirs = find_label_issues(
                labels, probs, filter_by=how, min_examples_per_class=least, n_jobs=1
            )
        assert np.array_equal(theirs, lesson.find_issues(labels, probs, how, least)), how


def draw(seed):
    """Labels (n,) and probabilities (n, k) of a model that knows more or less, labels wrong at random."""
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(2, 12)), int(rng.integers(50, 2000))
    truth = rng.choice(k, n, p=rng.dirichlet(np.full(k, 2.0)))
    logits = rng.normal(0, 1, (n, k)) + rng.uniform(0.5, 4) * np.eye(k)[truth]
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.where(rng.random(n) < rng.uniform(0, 0.5), rng.integers(0, k, n), truth)
    labels[:k] = np.arange(k)  # cleanlab wants each class to occur
    return labels, probs


@pytest.mark.parametrize("seed", range(20))
def test_random_inputs(seed):
    assert_equal(*draw(seed))


@pytest.mark.parametrize("least", [1, 5, 40])
def test_so_many_of_a_class_stay(least):
    assert_equal(*draw(3), least)


def test_classes_that_are_never_given_or_never_confident():
    labels, probs = draw(7)
    k = probs.shape[1]
    given = labels.copy()
    given[given == 1] = 0
    assert_equal(given, probs)  # nobody is labelled 1
    unsure = probs.copy()
    unsure[:, k - 1] *= 1e-9
    assert_equal(labels, unsure / unsure.sum(1, keepdims=True))
    assert_equal(labels, np.full(probs.shape, 1 / k))  # all of them tie
    assert_equal(labels, np.eye(k)[probs.argmax(1)])  # as sure as can be


def test_ties_and_few_samples():
    labels, probs = draw(11)
    coarse = np.maximum(probs.round(1), 0.1)
    assert_equal(labels, coarse / coarse.sum(1, keepdims=True))
    few = np.r_[np.arange(probs.shape[1]), 0, 1]
    assert_equal(few, probs[: len(few)])


def predict_out_of_fold(X, labels):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    return cross_val_predict(LogisticRegression(max_iter=200), X, labels, method="predict_proba")


def test_digits():
    from sklearn.datasets import load_digits

    X, rng = load_digits().data / 16, np.random.default_rng(0)
    truth = drawn_digits()[1]
    labels = np.where(rng.random(len(truth)) < 0.1, rng.integers(0, 10, len(truth)), truth)
    assert_equal(labels, predict_out_of_fold(X, labels))


@pytest.mark.daily
def test_solar_cells():
    pytest.importorskip("elpv_dataset")
    from PIL import Image

    from assay.pipelines.simulation.example_data import hurried_labels, read_solar_cells

    cells = read_solar_cells()
    small = [Image.open(cells.root / p).convert("L").resize((24, 24)) for p in cells.paths]
    X = np.stack([np.asarray(image).ravel() / 255 for image in small])
    labels = hurried_labels(cells.doubt, 0).astype(int)
    assert_equal(labels, predict_out_of_fold(X, labels))


@pytest.mark.daily
@pytest.mark.parametrize("column", ["aggre", "worst"])
def test_cifar_10n(data, column):
    """Human labels of 50,000 images, and what other people said of them in place of a model."""
    import pandas as pd

    table = pd.read_parquet(DATA / "cifar10n.parquet", columns=["aggre", "rand1", "worst"]).dropna()
    given = {name: cells.cat.codes.to_numpy(int) for name, cells in table.items()}
    rng = np.random.default_rng(0)
    votes = np.eye(10)[given["rand1"]] + 2 * rng.dirichlet(np.ones(10), len(table))
    assert_equal(given[column], votes / votes.sum(1, keepdims=True))

"""A scikit-learn model of one's own judges label sets: each of their formats, out of fold."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier

from assay import UserError
from assay.pipelines.indexing.own_set_classifier import FoldNews, predict_set_rows
from tests.helpers import copied
from tests.label_sets import scan_sets, truth_of

NEWS = FoldNews(lambda line: None, None)
MODELS = dict(
    one_vs_rest=OneVsRestClassifier(LogisticRegression()),
    multi_output=MultiOutputClassifier(LogisticRegression()),
    forest=RandomForestClassifier(50, random_state=0),
)


@pytest.mark.parametrize("name", MODELS)
def test_every_format_gives_the_probability_of_each_class(name):
    """Two classes that the first two columns tell, one that nobody has, one that all have; the last rows are not fitted."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = np.c_[X[:, 0] > 0, X[:, 1] > 0, np.zeros(200), np.ones(200)].astype("i1")
    truth = y.copy()
    y[150:] = -1
    probs = predict_set_rows(MODELS[name], X, y, np.arange(200), NEWS)
    assert probs.shape == (200, 4) and (probs[:, 2] == 0).all() and (probs[:, 3] == 1).all()
    assert ((probs[:, :2] > 0.5) == truth[:, :2]).mean() > 0.9


def test_copies_leave_together():
    """A model that knows its samples by heart is right about copies of them alone: those never see each other."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(60, 4))
    X, y = np.r_[half, half], rng.integers(0, 2, (120, 2)).astype("i1")
    y[60:] = y[:60]
    forest = RandomForestClassifier(20, bootstrap=False, random_state=0)
    apart = predict_set_rows(forest, X, y, np.arange(120), NEWS)
    together = predict_set_rows(forest, X, y, np.tile(np.arange(60), 2), NEWS)
    assert ((apart > 0.5) == y).mean() > 0.7 > ((together > 0.5) == y).mean()


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return scan_sets(tmp_path_factory.mktemp("own"), 480)


@pytest.mark.daily
def test_the_model_judges_the_labels_of_a_bench(bench, tmp_path):
    own = copied(bench, tmp_path / "b")
    own.scan(model=OneVsRestClassifier(LogisticRegression(C=10)))
    queue, truth = own.queue(n=20, random=0), truth_of(own)
    wrong = own.state().label != truth
    assert wrong[queue["sample"]].mean() > 3 * wrong[wrong.index].mean()
    assert len(own.issues("label")) > 0


@pytest.mark.daily
def test_a_model_of_one_label_a_sample_is_told_what_to_wrap_it_in(bench, tmp_path):
    own = copied(bench, tmp_path / "b")
    with pytest.raises(UserError, match="takes several labels") as e:
        own.scan(model=LogisticRegression())
    assert "OneVsRestClassifier(LogisticRegression())" in e.value.hint

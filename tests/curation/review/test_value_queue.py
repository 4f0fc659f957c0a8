"""The queue by value: what is corrected first gains more on labels that no model saw, and it is no other queue else."""

import numpy as np
import pytest

import assay
from tests.curation.review.test_next_gain import mean_probability
from tests.curation.review.test_next_hundred import judge
from tests.helpers import run_assay, truth_of


def test_it_begins_with_the_train_labels_that_are_worth_most(scanned):
    rows = scanned.queue(60, random=0.0, by="value")
    state, plain = scanned.state(), scanned.queue(60, random=0.0)
    worth = rows.worth.to_numpy()
    assert (np.diff(worth) <= 0).all() and worth[0] > 0
    assert set(state["split"][rows["sample"][worth > 0]]) == {"train"}
    assert list(rows["sample"]) != list(plain["sample"]) and "worth" not in plain
    _, out, _ = run_assay("queue", "--by", "value", "-n", 5, "-b", scanned.path)
    assert "fewer of the first are wrong" in out


def test_its_first_corrections_raise_the_right_classes_on_val(scanned):
    truth = truth_of(scanned)
    before = mean_probability(scanned, truth)
    judge(scanned, scanned.queue(20, random=0.0, by="value")["sample"])
    assert mean_probability(scanned, truth) > before


def test_what_it_cannot_order_is_refused(scanned):
    for asked in (dict(where="keep"), dict(version="v1"), dict(mistakes=["x"]), dict(by="luck")):
        with pytest.raises(assay.UserError, match="expected"):
            scanned.queue(5, **dict(dict(by="value"), **asked))

"""A queue of what a condition finds: worst first, nothing locked, nothing that counts as random."""

import pandas as pd
import pytest

from assay.curation.errors import FilterError, UserError
from assay.curation.review.filtered_queue import reserved_sample
from assay.curation.review.queue import count_reviews
from tests.helpers import truth_of

WHERE = "truth in (3, 5, 8)"


def test_it_is_the_worst_of_what_was_found(scanned):
    state, truth = scanned.state(), truth_of(scanned)
    rows = scanned.queue(20, where=WHERE)
    assert len(rows) == 20 and rows.score.is_monotonic_increasing and not rows.random.any()
    assert set(truth[rows["sample"]]) <= {"3", "5", "8"}
    assert not state["split"][rows["sample"]].isin(("test", "guard")).any()
    free = state[truth.isin(["3", "5", "8"]) & (state["split"] != "test")].index
    scores = scanned.samples("score is not null", columns=["score"]).set_index("sample").score
    worst = scores[free.difference([reserved_sample(state)])].sort_values().index[:20]
    assert list(rows["sample"]) == list(worst)


def test_its_reviews_are_no_random_looks(scanned):
    """Whoever reviews all that a filter finds has looked at nothing at random."""
    scanned.edit(scanned.queue(60)[["sample"]].assign(verdict="confirm"), "ann")
    before = count_reviews(scanned.state())
    rows = scanned.queue(10_000, where="split in ('train', 'val')")
    left_out = rows.attrs["left_out"]
    assert left_out["reserved"] == 1 and left_out["reviewed"] == before[0]
    scanned.edit(rows[["sample"]].assign(verdict="confirm"), "ann")
    after = count_reviews(scanned.state())
    assert after[1] == before[1] and after[0] == before[0] + len(rows) > 200
    assert len(scanned.queue(50)) >= 1, "the one that was kept back"


def test_what_was_found_and_is_not_queued_is_counted(scanned):
    state = scanned.state()
    free = state.index[state["split"] == "train"]
    scanned.edit(pd.DataFrame(dict(sample=free[:3], keep="false")), "ann")
    scanned.edit(pd.DataFrame(dict(sample=free[3:7], verdict="confirm")), "ann")
    rows = scanned.queue(10, where="true")
    test = int((state["split"] == "test").sum())
    reserved = reserved_sample(scanned.state()) is not None
    assert rows.attrs["left_out"] == dict(
        locked=test, dropped=3, reviewed=4, reserved=int(reserved)
    )
    assert rows.attrs["waiting"] + 10 + test + 3 + 4 + reserved == len(state)
    assert scanned.queue(5, where="reviewed").empty
    assert "no sample has label 'cat'" in scanned.queue(5, where="label = 'cat'").attrs["notes"]


def test_what_cannot_go_together_is_refused(scanned):
    for more in (dict(random=0.2), dict(again=0.1), dict(opinion="x"), dict(version="1")):
        with pytest.raises(UserError, match="a condition alone"):
            scanned.queue(5, where="keep", **more)
    with pytest.raises(FilterError):
        scanned.queue(5, where="lable = 'x'")
    with pytest.raises(UserError, match="at least 1"):
        scanned.queue(0, where="keep")


def test_the_pool_is_queued_to_be_labelled(gapped):
    rows = gapped.queue(30, where="split = 'pool'")
    assert len(rows) == 30 and rows.given_label.isna().all()
    assert set(rows.reason) == {"not labelled yet"}

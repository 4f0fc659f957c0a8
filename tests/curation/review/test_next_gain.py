"""What the next hundred reviews gain, and when to stop: said, held against what they then gain, and not said too soon."""

import numpy as np
import pytest

import assay
from assay.app.server.review_session import ReviewSession
from assay.curation.label_quality.live import LiveProbe
from assay.curation.statistics.sampling import random_order
from tests.curation.review.test_next_hundred import judge
from tests.helpers import run_assay, truth_of


def mean_probability(bench, truth):
    """The mean probability that the probe on disk gives the true classes of val."""
    state = bench.state()
    live = LiveProbe.load(bench, state)
    val = np.flatnonzero((state["split"][state["split"] != "test"] == "val").to_numpy())
    samples = state.index[state["split"] == "val"]
    at = [live.classes.index(label) for label in truth[samples]]
    return live.probe.pred_probs(live.X)[val, at].mean()


@pytest.fixture
def begun(scanned):
    """Forty looks at random, and forty of the queue's head."""
    judge(scanned, list(random_order(scanned.state()))[:40])
    judge(scanned, scanned.queue(10, random=0.0)["sample"])
    return scanned


def test_before_thirty_random_looks_it_says_why_it_says_nothing(scanned):
    judge(scanned, list(random_order(scanned.state()))[:29])
    scanned.set_stop(0.002, "ann")
    found = scanned.status()["outlook"]
    assert found["gain"] is None and found["stop"] is None
    assert "30 random reviews" in found["why_not"] and found["why_not"] in found["stop_words"]
    assert f"stop     {found['stop_words']}" in run_assay("status", "-b", scanned.path)[1]


def test_the_next_hundred_gain_what_was_expected(begun):
    truth, expected = truth_of(begun), begun.status()["outlook"]["gain"]
    before = mean_probability(begun, truth)
    judge(begun, begun.queue(100, random=0.0)["sample"])
    gained = mean_probability(begun, truth) - before
    assert expected["labels"] == 100 and expected["n"] == 120
    assert expected["low"] <= gained <= expected["high"]
    assert gained > 0.005 and abs(expected["gain"] - gained) < gained, "its sign, and its size"


@pytest.mark.daily
def test_stop_is_said_when_little_is_left_and_not_before(begun):
    _, out, _ = run_assay("status", "--stop-below", "1", "--who", "ann", "-b", begun.path)
    early = begun.status()
    assert early["outlook"]["stop"] is False and "go on" in out
    while (now := begun.status())["outlook"]["stop"] is False:
        judge(begun, begun.queue(100, random=0.0)["sample"])
    assert now["outlook"]["gain"]["high"] < 0.01 and now["outlook"]["stop"]
    assert now["advice"]["do"] != "Review" and "you may stop" in now["outlook"]["stop_words"]
    begun.set_stop(None, "ann")
    assert begun.status()["outlook"]["stop"] is None
    with pytest.raises(assay.UserError, match="at most 100 points"):
        begun.set_stop(-0.1, "ann")


def test_review_says_the_same_as_the_command_line(begun):
    begun.set_stop(0.05, "ann")
    session = ReviewSession(begun)
    try:
        said, written = session.live_effect("0" * 16)["outlook"], begun.status()["outlook"]
        assert said["gain_words"] == written["gain_words"] and "points" in said["gain_words"]
        assert said["stop_words"] == written["stop_words"] and said["stop_below"] == 0.05
    finally:
        session.close()

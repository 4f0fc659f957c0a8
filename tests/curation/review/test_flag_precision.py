"""How many of the flagged labels are wrong: counted among looks at random alone, and in the range of a whole session."""

import numpy as np
import pandas as pd
import pytest

from assay.app.server.review_session import ReviewSession
from assay.curation.review.progress import measure_flags
from assay.curation.statistics.sampling import random_order
from tests.curation.review.test_next_hundred import judge
from tests.helpers import run_assay, truth_of


def test_it_is_counted_by_hand_among_looks_at_random_and_said_everywhere(scanned):
    state, truth, flagged = scanned.state(), truth_of(scanned), scanned.flagged().index
    order = list(random_order(state))
    judge(scanned, order[:29])
    judge(scanned, scanned.queue(20, random=0.0)["sample"])  # its head says nothing of the rest
    assert scanned.status()["flags"] is None
    judge(scanned, [s for s in order[29:150] if not scanned.state().reviewed[s]])
    drawn = [s for s in order[:150] if s in flagged]
    wrong = sum(truth[s] != state.given_label[s] for s in drawn)
    found = scanned.status()["flags"]
    # by the labels as they are now the model may doubt one more or less
    assert abs(found["sure_at_random"] - len(drawn)) <= 2 and abs(found["hits"] - wrong) <= 2
    share = (truth[flagged] != state.given_label[flagged]).mean()
    assert found["low"] < share <= found["high"] and found["unsure_at_random"] == 0
    words = scanned.status()["flags_words"]
    assert words.startswith(
        f"{found['hits']} of {found['sure_at_random']} that were drawn at random"
    )
    assert f"flags    {words}" in run_assay("status", "-b", scanned.path)[1]
    session = ReviewSession(scanned)
    session.rescore()
    assert session.live_effect("0" * 16)["flags_words"] == words


def test_who_is_unsure_counts_at_both_ends_and_none_flagged_says_nothing():
    looks = pd.DataFrame(dict(unsure=False, wrong=[True] * 6 + [False] * 34, flagged=False))
    assert measure_flags(looks) is None
    looks["flagged"] = [True] * 8 + [False] * 32
    sure = measure_flags(looks)
    assert (sure.sure_at_random, sure.hits) == (8, 6) and sure.low < 0.75 < sure.high
    looks.loc[5:6, "unsure"] = True  # one that is counted as wrong, and one as right
    unsure = measure_flags(looks)
    assert (unsure.sure_at_random, unsure.hits, unsure.unsure_at_random) == (6, 5, 2)
    assert unsure.low < sure.low and unsure.high > sure.high
    assert measure_flags(looks[:29]) is None, "thirty looks, as everywhere"


@pytest.mark.parametrize("share", [0.3, pytest.param(0.8, marks=pytest.mark.daily)])
def test_the_range_holds_at_all_looks_of_a_session(share):
    """Two hundred sessions, in each of which the range is read after every flagged look."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        wrong = rng.random(40) < share
        for n in (1, 2, 3, 5, 8, 12, 20, 30, 40):
            rest = pd.DataFrame(dict(unsure=False, wrong=False, flagged=False), range(30))
            some = pd.DataFrame(dict(unsure=False, wrong=wrong[:n], flagged=True))
            found = measure_flags(pd.concat([some, rest]))
            if not found.low <= share <= found.high:
                break
        else:
            held += 1
    assert held >= 188

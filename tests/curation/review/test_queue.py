"""The queue's random share: 30 labels drawn at random within the first 200 reviews, however the queue is asked for."""

import numpy as np
import pandas as pd
import pytest

from assay.curation.review import progress, queue
from tests.helpers import truth_of


def review(bench, rows, truth):
    """Judge the rows of a queue as one who knows the truth."""
    labels = truth[rows["sample"]].to_numpy()
    bench.edit(rows[["sample"]].assign(label=labels), "ann")


def looks_of(bench):
    return progress.summarize_reviews(bench)["sure_at_random"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [
        [67, 66, 67],
        *(pytest.param(p, marks=pytest.mark.daily) for p in ([200], [50] * 4, [20] * 10)),
    ],
)
def test_200_reviews_bring_30_looks_however_they_are_queued(scanned, parts):
    truth, reviewed = truth_of(scanned), 0
    for n in parts:
        review(scanned, scanned.queue(n=n).head(n), truth)
        reviewed += n
        # never ahead by far: the share is what is said of it
        assert 0.15 * reviewed - 1 <= looks_of(scanned) <= 0.15 * reviewed + 6
    assert looks_of(scanned) >= 30 and reviewed == 200


def test_the_first_rows_are_the_worst_and_every_seventh_or_so_is_drawn(scanned):
    rows = scanned.queue(n=200)
    drawn = rows.random.to_numpy(bool)
    assert rows["rank"].iloc[0] == 1 and not drawn[:3].all() and drawn[:200].sum() >= 30
    assert 0.1 <= drawn[:100].mean() <= 0.25
    worst = rows[rows["rank"].notna() & ~drawn]
    assert (np.diff(worst["rank"].astype(int)) > 0).all(), "in the order of suspicion"
    assert rows["sample"].is_unique and set(range(1, 201)) == set(rows["rank"].dropna())


def test_after_30_looks_the_share_is_a_twentieth(scanned):
    truth = truth_of(scanned)
    review(scanned, scanned.queue(n=200).head(200), truth)
    before = looks_of(scanned)
    later = scanned.queue(n=100)
    assert before >= 30 and 3 <= later.random.sum() <= 8
    review(scanned, later, truth)
    assert looks_of(scanned) > before


def test_an_unsure_look_is_made_up_for():
    """Who is unsure of what was drawn has not looked: the next rows bring more of it."""
    worst, drawn = [f"w{i}" for i in range(100)], [f"d{i}" for i in range(100)]
    even, _ = queue.spread_by_need(worst, drawn, reviewed=100, at_random=15)
    short, taken = queue.spread_by_need(worst, drawn, reviewed=100, at_random=10)
    first = [name[0] for name in short[:10]]
    assert first == list("dwdwdwdwdw"), "every other row, until there are enough"
    assert sum(name[0] == "d" for name in even[:20]) == 3 and taken == drawn[: len(taken)]
    many, _ = queue.spread_by_need(worst, drawn, reviewed=20, at_random=20)
    assert 8 <= many.index("d0") <= 20, "who looked at more need not wait for long"


def test_a_share_that_is_asked_for_is_of_n(scanned):
    rows = scanned.queue(n=100, random=0.2)
    assert rows.random.sum() == 20 and rows["rank"].max() == 100
    assert not scanned.queue(n=100, random=0).random.any()


@pytest.mark.daily
@pytest.mark.slow
def test_browser_rows_bring_30_looks_within_200_reviews(scanned):
    """The review page: rows go out forty at a time, and the queue is ordered anew after every ten."""
    from contextlib import closing

    from assay.app.server.review_session import ReviewSession

    truth, held, decided = truth_of(scanned), [], 0
    with closing(ReviewSession(scanned)) as session:
        session.rescore()
        while decided < 200:
            if len(held) <= 10:  # as the page does: it asks for more before it has none left
                held += session.next_rows("a" * 16, [row["sample"] for row in held])
            batch, held = held[:10], held[10:]
            review(scanned, pd.DataFrame(batch), truth)
            decided += len(batch)
            session.rescore()
    assert decided == 200 and looks_of(scanned) >= 30

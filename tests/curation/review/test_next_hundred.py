"""How many of the next hundred are wrong: said from 30 random looks on, and right in a session that is played."""

import numpy as np
import pandas as pd

from assay.curation.review.next_hundred import expect_next_written
from assay.curation.statistics.sampling import random_order
from tests.helpers import run_assay, truth_of


def judge(bench, samples):
    """Review samples as somebody does who knows what each shows."""
    truth, state = truth_of(bench), bench.state()
    rows = [
        dict(sample=s, verdict="confirm")
        if truth[s] == state.label[s]
        else dict(sample=s, label=truth[s])
        for s in samples
    ]
    bench.edit(pd.DataFrame(rows), "ann")


def test_it_takes_thirty_looks_at_random_and_then_covers_what_is_found(scanned):
    state, truth = scanned.state(), truth_of(scanned)
    order = list(random_order(state))
    judge(scanned, order[:29])
    assert expect_next_written(scanned, scanned.state()) is None
    assert scanned.status()["next_labels"] is None
    judge(scanned, order[29:40])
    judge(scanned, scanned.queue(40, random=0.0)["sample"])
    state = scanned.state()
    found = expect_next_written(scanned, state)
    head = scanned.queue(100, random=0.0)["sample"]
    wrong = int((truth[head] != state.label[head]).sum())
    assert found.labels == 100 and found.low <= wrong <= found.high
    assert found.low <= found.wrong <= found.high and found.high - found.low < 60
    _, out, _ = run_assay("status", "-b", scanned.path)
    assert f"expect   {found.describe()}" in out


def test_what_nobody_is_sure_of_widens_it(scanned):
    state = scanned.state()
    judge(scanned, list(random_order(state))[:40])
    head = scanned.queue(30, random=0.0)["sample"]
    judge(scanned, head[:20])
    before = expect_next_written(scanned, scanned.state())
    scanned.edit(pd.DataFrame(dict(sample=head[20:], verdict="unsure")), "ann")
    after = expect_next_written(scanned, scanned.state())
    assert after.high - after.low > before.high - before.low
    assert np.isfinite(after.wrong)

"""The train labels behind the model's mistakes on val, as a queue."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.curation.errors import UserError
from tests.helpers import run_assay


def mistakes_of(bench):
    return list(bench.samples("split = 'val' and suggestion <> label")["sample"])


def test_it_lists_train_labels_the_strongest_first_and_their_absence_is_what_it_says(scanned):
    """The strongest is dropped: the log-odds of the val label rise by what was said."""
    [val, *_] = mistakes_of(scanned)
    rows = scanned.queue(20, mistakes=val)
    state = scanned.state()
    assert len(rows) == 20 and not rows.random.any() and rows.influence.is_monotonic_decreasing
    assert set(state["split"][rows["sample"]]) == {"train"}
    assert f"which is labelled {state.label[val]}" in rows.attrs["notes"][0]
    said = rows.attrs["notes"][0].split()[3]

    def odds():
        p = scanned.pred_probs().loc[val]
        return np.log(p[state.label[val]] / p[said])

    before, [first] = odds(), rows["sample"][:1]
    scanned.edit(pd.DataFrame([dict(sample=first, keep="false")]), "ann")
    assert odds() - before == pytest.approx(rows.influence[0], rel=0.01)


def test_several_mistakes_are_added_up_and_the_reviewed_are_counted(scanned):
    some = mistakes_of(scanned)[:3]
    alone = [scanned.queue(2000, mistakes=[one]).set_index("sample").influence for one in some]
    rows = scanned.queue(2000, mistakes=some)
    first = rows["sample"][0]
    if all(first in one for one in alone):
        assert rows.influence[0] == pytest.approx(sum(one[first] for one in alone), rel=1e-6)
    assert "3 mistakes" in rows.attrs["notes"][0]
    scanned.edit(rows[["sample"]].head(4).assign(verdict="confirm"), "ann")
    after = scanned.queue(2000, mistakes=some)
    assert after.attrs["left_out"]["reviewed"] == 4 and first not in set(after["sample"])


def test_what_is_no_mistake_on_val_is_refused(scanned):
    state = scanned.state()
    right = scanned.samples("split = 'val' and suggestion = label")["sample"][0]
    for split, what in (("train", "one of train"), ("test", "one of test")):
        with pytest.raises(UserError, match=what):
            scanned.queue(5, mistakes=[state.index[state["split"] == split][0]])
    with pytest.raises(UserError, match="expected mistakes of the model"):
        scanned.queue(5, mistakes=[right])
    with pytest.raises(UserError, match="mistakes alone"):
        scanned.queue(5, mistakes=mistakes_of(scanned), where="keep")
    with pytest.raises(UserError, match="does not have"):
        scanned.queue(5, mistakes=["nobody"])


def test_a_command_gives_the_same(scanned):
    [val, *_] = mistakes_of(scanned)
    _, out, _ = run_assay("queue", "--mistake", val, "-n", 5, "--json", "-b", scanned.path)
    found = json.loads(out)
    rows = scanned.queue(5, mistakes=val)
    assert [row["sample"] for row in found["rows"]] == list(rows["sample"])
    assert found["made_of"]["influential"] == 5

"""Undo and redo of one's own acts, against what stood before; nobody else's is taken back."""

import pandas as pd
import pytest

from assay.curation.errors import UserError
from assay.curation.slicing.regression_sets import freeze_sets, frozen_sets


def label(bench, sample, value, who):
    bench.edit(pd.DataFrame([dict(sample=sample, label=value)]), who)


def test_five_acts_of_any_kind_are_undone_and_done_again_while_another_decides(bench):
    train = bench.state().query("split == 'train'").index
    label(bench, train[0], "7", "ann")
    bench.edit(pd.DataFrame([dict(sample=train[1], keep="false")]), "ann")
    bench.edit(pd.DataFrame([dict(sample=s, tag="seen") for s in train[:3]]), "ann")
    bench.rename_class("4", "four", "ann")
    bench.save_view("mine", "keep", who="ann")
    after = bench.state()
    words = []
    for k in range(5):
        label(bench, train[10 + k], "2", "ben")
        words.append(bench.undo_own("ann")["words"])
    assert words[0] == "view mine" and words[1] == "rename 4 to four"
    assert words[2:] == ["tag seen: 3 samples", "drop: 1 sample", "label 7: 1 sample"]
    now = bench.state()
    assert not now.reviewed[train[:3]].any() and "four" not in set(now.label)
    with pytest.raises(UserError, match="none"):
        bench.undo_own("ann")
    for k in range(5):
        label(bench, train[20 + k], "2", "ben")
        assert bench.undo_own("ann", redo=True)["words"] == words[4 - k]
    same = bench.state().drop(train[10:25])
    assert same.equals(after.drop(train[10:25])) and len(bench.views()) == 1
    assert set(bench.state().label[train[10:15]]) == {"2"}, "nobody else's act is taken back"


def test_what_another_changed_since_is_left_alone_and_said(bench):
    train = bench.state().query("split == 'train'").index
    bench.edit(pd.DataFrame([dict(sample=s, label="1") for s in train[:3]]), "ann")
    label(bench, train[0], "9", "ben")
    out = bench.undo_own("ann")
    assert (out["restored"], out["left_alone"]) == (2, 1)
    assert bench.state().label[train[0]] == "9"
    label(bench, train[5], "1", "ann")
    label(bench, train[6], "1", "ann")
    label(bench, train[6], "9", "ben")
    out = bench.undo_own("ann")
    assert (out["passed"], out["samples"]) == (1, [train[5]]), "the act before it is meant"


def test_an_undo_that_is_sent_twice_is_done_once_and_a_new_act_ends_redo(bench):
    train = bench.state().query("split == 'train'").index
    label(bench, train[0], "7", "ann")
    label(bench, train[1], "7", "ann")
    name = "undo-0123456789ab"
    first, again = (bench.undo_own("ann", name=name) for _ in range(2))
    assert first["undone"] == again["undone"] and bench.state().label[train[0]] == "7"
    label(bench, train[2], "7", "ann")
    with pytest.raises(UserError, match="do again"):
        bench.undo_own("ann", redo=True)
    for wrong in ("redo-0123456789ab", "x", "undo-'; drop"):
        with pytest.raises(UserError, match="named"):
            bench.undo_own("ann", name=wrong)


def test_a_regression_set_is_undone_as_one_act(scanned):
    before = scanned.state()
    train = before.query("split == 'train'").index[:3]
    freeze_sets(scanned, dict(hard=dict(score=0.9, asked=list(train))), "ann")
    assert scanned.undo_own("ann")["words"].startswith("guard as hard: ")
    assert scanned.state()["split"].equals(before["split"]) and not frozen_sets(scanned, before)

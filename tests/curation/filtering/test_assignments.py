"""Assignments: what a filter found is a person's to review, and its progress is of the same set."""

import pandas as pd
import pytest

import assay
from assay.curation.errors import UnknownName, UserError
from assay.curation.filtering import assignments


def test_what_a_condition_found_is_assigned_and_its_progress_counted(scanned):
    state = scanned.state()
    want = state.index[(state.label == "3") & state.split.isin(["train", "val"])]
    out = scanned.assign("ann", "label = '3' or split = 'test'", who="ben")
    locked = (state.split == "test").sum()
    assert (out["samples"], out["reviewed"], out["left_out"]) == (len(want), 0, locked)
    one, two = want[:2]
    scanned.edit(pd.DataFrame([dict(sample=one, label="5"), dict(sample=two, keep="false")]), "ann")
    (row,) = assay.open(scanned.path).assignments("ann").to_dict("records")
    assert (row["samples"], row["reviewed"]) == (len(want), 2), (
        "a label that left the filter counts"
    )
    assert assignments.find_waiting(scanned, row["name"]) == list(want[2:])
    assert scanned.assignments("zoe").empty and list(scanned.views().to) == ["ann"]
    scanned.undo_own("ann")
    assert scanned.assignments().reviewed.tolist() == [0]
    scanned.undo_own("ben")
    assert scanned.assignments().empty, "to assign is an act that is undone"


def test_what_cannot_be_assigned_is_refused_in_words(scanned):
    end = scanned.rows("select max(seq) from edits")
    for wrong in (
        dict(to=" ", where="keep"),
        dict(to="ann"),
        dict(to="ann", where="split = 'test'"),
        dict(to="a\0", where="keep"),
        dict(to="ann", where="nonsense ="),
    ):
        with pytest.raises(UserError):
            scanned.assign(**wrong, who="ben")
    with pytest.raises(UnknownName, match="none"):
        assignments.find_waiting(scanned, "nothing")
    assert scanned.rows("select max(seq) from edits") == end


def test_some_samples_are_assigned_by_their_ids_under_names_that_differ(scanned):
    some = list(scanned.state().query("split == 'val'").index[:3])
    names = [scanned.assign("<b>قطة</b>", samples=some, who="ben")["name"] for _ in range(2)]
    assert names == ["<b>قطة</b>: 3 samples", "<b>قطة</b>: 3 samples 2"]
    assert assignments.find_waiting(scanned, names[1]) == some

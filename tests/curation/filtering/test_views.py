"""Saved views: they last, are replaced, removed, undone and merged."""

import shutil

import pytest

import assay
from assay.curation.errors import FilterError, UnknownName, UserError


def test_a_view_is_saved_replaced_removed_and_undone(odd):
    odd.save_view("döubtful 😀", "score < 0.2", "score", "d0", who="ann")
    again = assay.open(odd.path)
    (row,) = again.views().to_dict("records")
    assert (row["name"], row["where"], row["sort"]) == ("döubtful 😀", "score < 0.2", "score")
    assert row["search"] == "d0" and row["who"] == "ann"
    out = again.save_view("döubtful 😀", "score < 0.1", who="bob")
    assert not any(name.startswith("view:") for name in again.rules())
    assert out["replaced"] and list(odd.views()["where"]) == ["score < 0.1"]
    removed = odd.remove_view("döubtful 😀", who="bob")
    assert odd.views().empty
    odd.undo(removed["batch"], "ann")
    assert list(odd.views()["where"]) == ["score < 0.1"]
    odd.undo(out["batch"], "ann")
    assert list(odd.views()["where"]) == ["score < 0.2"]


def test_what_cannot_be_asked_is_not_saved(odd):
    end = odd.rows("select max(seq) from edits")
    for wrong in (dict(name="x", where="lable = 1"), dict(name="x", sort="labl desc")):
        with pytest.raises(FilterError):
            odd.save_view(**wrong, who="ann")
    for wrong in (dict(name=" ", where="keep"), dict(name="x"), dict(name="x" * 400, where="keep")):
        with pytest.raises(UserError):
            odd.save_view(**wrong, who="ann")
    with pytest.raises(UnknownName, match="none"):
        odd.remove_view("nothing")
    assert odd.rows("select max(seq) from edits") == end and odd.views().empty


def test_views_of_two_copies_merge(odd, tmp_path):
    shutil.copytree(odd.path, tmp_path / "copy")
    copy = assay.open(tmp_path / "copy")
    copy.save_view("theirs", "keep", who="zoe")
    odd.save_view("ours", "not keep", who="ann")
    odd.merge(copy.path, "ann")
    assert set(odd.views()["name"]) == {"ours", "theirs"}

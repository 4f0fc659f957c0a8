"""What a person did in FiftyOne, and what becomes of it."""

import pandas as pd
import pytest

from assay import UserError
from assay.pipelines.fiftyone import changes


def frame_of(rows, columns):
    return pd.DataFrame(
        [r[1:] for r in rows],
        columns=columns,
        index=pd.Index([r[0] for r in rows], dtype=object),
        dtype=object,
    )


def test_what_a_person_did_there_and_what_becomes_of_it():
    """One thing done to each sample: a table that can be read."""
    others = [
        ("p", None, "pool", ()),
        ("q", None, "pool", ()),
        ("t", "cat", "test", ()),
        ("v", "cat", "val", ("old",)),
        ("w", "cat", "val", ()),
    ]
    base = frame_of(
        [(s, "cat", "train", ()) for s in "abcdefgh"] + others, ["label", "split", "tags"]
    )
    state = base.assign(keep=True)
    theirs = frame_of(
        [
            ("a", "dog", ["train"]),  # relabelled
            ("b", "cat", ["train", "blurry"]),  # tagged
            ("c", "cat", ["val"]),  # moved
            ("e", "dog", ["train"]),  # d is gone; e was relabelled here too, to something else
            ("f", "dog", ["train"]),  # here too, to the same
            ("g", "yak", ["train"]),  # no such class
            ("h", "cat", ["train", "val"]),  # two splits
            ("p", "cat", ["pool"]),  # labelled
            ("q", None, ["pool"]),  # nothing
            ("t", "dog", ["test"]),  # a test label
            ("v", "cat", ["val"]),  # a tag taken away
            ("w", "", ["val", "-old", "guard:night"]),  # what no bench takes
        ],
        ["label", "tags"],
    )
    state.loc["e", "label"], state.loc["f", "label"] = "cow", "dog"
    since = {("e", "label", ""): "bob", ("f", "label", ""): "bob"}
    found = changes.judge_changes(base, theirs, state, since, {"cat", "dog", "cow"})
    assert [(r.sample, r.field, r.verdict) for r in found.itertuples()] == [
        ("a", "label", "apply"),
        ("b", "tag", "apply"),
        ("c", "split", "apply"),
        ("d", "keep", "apply"),
        ("e", "label", "conflict"),
        ("g", "label", "refused"),
        ("h", "split", "refused"),
        ("p", "label", "apply"),
        ("t", "label", "refused"),
        ("v", "tag", "apply"),
        ("w", "label", "refused"),
        ("w", "tag", "refused"),
        ("w", "tag", "refused"),
    ]
    assert (
        "--new-class 'yak'" in found.why[5] and "locked" in found.why[8] and "bob" in found.why[4]
    )
    assert changes.make_decisions(found[9:10]).tag.tolist() == ["-old"]
    assert changes.make_decisions(found[:4]).fillna("").to_numpy().tolist() == [
        ["a", "dog", "", "", ""],
        ["b", "", "", "", "blurry"],
        ["c", "", "", "val", ""],
        ["d", "", "false", "", ""],
    ]
    late = changes.judge_changes(
        base, theirs.drop("a"), state, {("a", "label", ""): "bob"}, {"cat", "dog", "cow"}
    )
    assert late.verdict[0] == "conflict", (
        "who deleted it had not seen the label that somebody gave it since"
    )


def test_several_tags_of_one_sample_are_one_batch(bench):
    sample = bench.state().query("split == 'train'").index[0]
    rows = pd.DataFrame(dict(sample=[sample] * 3, label=["3", "", ""], tag=["", "odd", "thick"]))
    assert bench.edit(rows, "ann")["edits"] == 3
    assert bench.state().tags[sample] == ("odd", "thick")
    with pytest.raises(UserError, match="second decision"):
        bench.edit(pd.DataFrame(dict(sample=[sample] * 2, tag=["odd", "-odd"])), "ann")

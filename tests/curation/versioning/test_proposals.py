"""Proposals: changes that stand beside the data until somebody merges them."""

import json

import pandas as pd
import pytest

from assay.curation.errors import UserError
from assay.curation.versioning import proposals
from assay.curation.versioning.proposal_merge import merge_changes
from assay.curation.versioning.proposal_votes import (
    approve_proposal,
    draw_first_looks,
    judge_changes,
    reject_proposal,
)
from assay.pipelines.reports.proposal_summary import describe_proposal
from tests.helpers import copied, digits_bench


def pick(bench, n, split="train"):
    """The first n labelled samples of a split."""
    frame = bench.frame(split=split)
    return frame[frame.label.notna()].head(n)


def relabel(rows, label):
    """Decisions that give samples one label."""
    return pd.DataFrame(dict(sample=rows.index, label=label, why="looks like it"))


def read_everything(bench):
    """What the readers of a bench say, as text."""
    said = [
        bench.state().to_csv(),
        bench.log().drop(columns=["ts"], errors="ignore").to_csv(),
        bench.batches().to_csv(),
        json.dumps(bench.status(), default=str),
        str(bench.reviewers()),
    ]
    with bench.connect() as con:
        from assay.curation.versioning.undo import read_stacks

        said.append(str(read_stacks(con)))
    return said


def test_a_proposal_is_read_as_it_was_opened(tmp_path):
    bench = digits_bench(300, tmp_path)
    rows = pick(bench, 3)
    rows = rows[rows.label != "8"]
    opened = proposals.open_proposal(
        bench, "eights", relabel(rows, "8"), "ann", "rules", "rules.py"
    )
    assert (opened.name, opened.status, opened.who, opened.labeller) == (
        "p1",
        "open",
        "ann",
        "rules",
    )
    assert proposals.list_proposals(bench) == [opened] == [proposals.read_proposal(bench, "p1")]
    found = proposals.read_changes(bench, "p1")
    assert list(found["sample"]) == list(rows.index)
    assert set(found.value) == {'"8"'} and list(map(json.loads, found.was)) == list(rows.label)
    assert set(found.why) == {"looks like it"}


def test_nothing_of_a_proposal_counts(tmp_path):
    bench = digits_bench(300, tmp_path)
    bench.edit(relabel(pick(bench, 2), "8"), "ann")
    before = read_everything(bench)
    opened = bench.propose("eights", relabel(pick(bench, 40), "8"), "bob")
    proposals.comment_proposal(bench, opened.name, "why all of them?", "ann")
    assert read_everything(bench) == before
    assert bench.check() == []


def test_what_an_edit_refuses_no_proposal_holds(tmp_path):
    bench = digits_bench(300, tmp_path)
    at = len(bench.rows("select 1 from edits"))
    for rows in (relabel(pick(bench, 2, "test"), "8"), relabel(pick(bench, 2), "no class")):
        with pytest.raises(UserError):
            bench.propose("wrong", rows, "ann")
    with pytest.raises(UserError, match="none"):
        bench.propose(
            "nothing", pd.DataFrame(dict(sample=pick(bench, 1).index, keep="true")), "ann"
        )
    assert len(bench.rows("select 1 from edits")) == at


def test_two_people_and_a_proposal_to_its_merge(tmp_path):
    bench = digits_bench(300, tmp_path)
    rows = pick(bench, 6)
    rows = rows[rows.label != "8"].head(4)
    first, second, third, fourth = rows.index
    bench.propose("eights", relabel(rows, "8"), "ann")
    with pytest.raises(UserError, match="approved"):
        merge_changes(bench, "p1", "ann")
    approve_proposal(bench, "p1", "ann")  # her own does not count
    assert set(judge_changes(bench, "p1").status) == {"waiting"}
    approve_proposal(bench, "p1", "bob")
    reject_proposal(bench, "p1", "bob", [second], "that is a three")
    bench.edit(pd.DataFrame(dict(sample=[third], verdict="confirm")), "cleo")
    judged = judge_changes(bench, "p1").set_index("sample")
    assert dict(judged.status) == {
        first: "approved", second: "rejected", third: "conflict", fourth: "approved"
    }  # fmt: skip
    assert dict(judged.void)[third] == 2 and judged.void.sum() == 2  # of ann and of bob
    merged = merge_changes(bench, "p1", "bob")
    after = bench.state()
    assert list(after.label[rows.index] == "8") == [True, False, False, True]
    assert after.who[first] == "ann" and bool(after.reviewed[first])
    assert set(merged.left["sample"]) == {second, third}
    assert (
        "p1 (eights)" in bench.rows("select why from edits where batch = ?", [merged.batch])[0][0]
    )
    assert bench.proposals()[0].status == "merged"
    bench.undo(merged.batch, "bob")
    assert list(bench.state().label[rows.index]) == list(rows.label)
    with pytest.raises(UserError, match="merged"):
        merge_changes(bench, "p1", "bob")


def test_an_approval_that_a_later_edit_makes_void(tmp_path):
    bench = digits_bench(300, tmp_path)
    rows = pick(bench, 5)
    rows = rows[rows.label != "8"].head(2)
    edited, other = rows.index
    bench.propose("eights", relabel(rows, "8"), "ann")
    approve_proposal(bench, "p1", "bob")
    done = bench.edit(pd.DataFrame(dict(sample=[edited], label="3")), "cleo")
    bench.undo(done["batch"], "cleo")  # the same label stands again: bob has not seen why
    judged = judge_changes(bench, "p1").set_index("sample")
    assert judged.void[edited] == 1 and not judged.approved_by[edited]
    assert judged.approved_by[other] == ("bob",) and judged.void[other] == 0


def test_two_proposals_that_meet(tmp_path):
    bench = digits_bench(300, tmp_path)
    rows = pick(bench, 5)
    rows = rows[~rows.label.isin(["8", "3"])].head(2)
    bench.propose("eights", relabel(rows.head(1), "8"), "ann")
    bench.propose("threes", relabel(rows, "3"), "cleo")
    for name in ("p1", "p2"):
        approve_proposal(bench, name, "bob")
    merge_changes(bench, "p1", "bob")
    merged = merge_changes(bench, "p2", "bob")
    assert list(bench.state().label[rows.index]) == ["8", "3"]
    assert list(merged.left.status) == ["conflict"] and list(merged.left.last_who) == ["ann"]


def test_a_labellers_changes_are_no_reviews(tmp_path):
    bench = digits_bench(300, tmp_path)
    rows = pick(bench, 5)
    rows = rows[rows.label != "8"]
    bench.propose("rules", relabel(rows, "8"), "ann", labeller="rules-v2")
    approve_proposal(bench, "p1", "ann")  # whose changes they are not
    merge_changes(bench, "p1", "ann")
    after = bench.state().loc[rows.index]
    assert set(after.label) == {"8"} and set(after.who) == {"rules-v2"} and not after.reviewed.any()
    assert "rules-v2" not in str(bench.reviewers())


def test_copies_carry_proposals_and_what_was_said(tmp_path):
    ours = digits_bench(300, tmp_path / "a")
    theirs = copied(ours, tmp_path / "b")
    rows = pick(ours, 6)
    rows = rows[rows.label != "8"].head(3)
    ours.propose("here", relabel(rows.tail(1), "8"), "ann")
    theirs.propose("there", relabel(rows, "8"), "bob")
    approve_proposal(theirs, "p1", "cleo")
    ours.edit(pd.DataFrame(dict(sample=[rows.index[0]], label="3")), "ann")
    ours.merge(theirs.path, "ann")
    assert ours.check() == []
    found = {p.title: p for p in ours.proposals()}
    assert [p.name for p in ours.proposals()] == ["p1", "p2"]
    assert found["there"].uid == theirs.proposals()[0].uid
    # what ann decided meanwhile is a conflict, although it came first in this log
    status = judge_changes(ours, found["there"].name).set_index("sample").status
    assert list(status[rows.index]) == ["conflict", "approved", "approved"]


def test_what_stands_in_a_sample_that_was_locked_since_is_not_shown(tmp_path):
    bench = digits_bench(300, tmp_path)
    rows = pick(bench, 2)
    locked, other = rows.index
    proposals.open_proposal(bench, "eights", relabel(rows, "8"), "ann")
    bench.edit(pd.DataFrame(dict(sample=rows.index, label="3")), "bob")
    with bench.transaction() as con:
        move = pd.DataFrame(dict(sample=[locked], field="split", value='"guard"', verdict="set"))
        bench.append(con, move.assign(why="", suggested=None, seconds=None), "guard-1", "bob")
    judged = judge_changes(bench, "p1").set_index("sample")
    assert judged.status.to_dict() == {locked: "locked", other: "conflict"}
    assert judged.stands[locked] is None and judged.stands[other] == '"3"'
    about, _ = describe_proposal(bench, "p1")
    shown = [*about["conflicts"], *about["people"]["rows"], *about["probe"]["rows"]]
    assert {row["sample"] for row in shown} == {other}


def test_the_same_changes_opened_again_draw_the_same_random_sample(tmp_path):
    bench = digits_bench(300, tmp_path)
    rows = relabel(pick(bench, 60), "8")
    rows = rows[rows["sample"].map(bench.state().label) != "8"]
    other = rows.assign(label=["9", *rows.label[1:]])
    drawn = []
    for title, frame in (("one", rows), ("two", rows.iloc[::-1]), ("three", other)):
        made = proposals.open_proposal(bench, title, frame, "ann")
        drawn.append(draw_first_looks(made, made_of(bench, made.name), 12))
        proposals.close_proposal(bench, made.name, "ann")
    assert drawn[0] == drawn[1] != drawn[2]


def made_of(bench, name):
    """The samples that a proposal changes, in its own order."""
    return proposals.read_changes(bench, name)["sample"]

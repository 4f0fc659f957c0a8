"""Proposals: changes that stand beside the data until somebody merges them."""

import json

import pandas as pd
import pytest

from assay.curation.errors import UserError
from assay.curation.versioning import proposals
from tests.helpers import digits_bench


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

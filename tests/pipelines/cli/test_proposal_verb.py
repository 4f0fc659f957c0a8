"""assay proposal: a pull request for a data set, by the command line."""

import io
import json
import sys

import pandas as pd
import pytest

import assay
from assay.curation.versioning.proposals import read_changes
from tests.helpers import copied, run_assay, truth_of


def write_fixes(bench, path, n=6):
    """A CSV that mends the first planted errors of train."""
    state, truth = bench.state(), truth_of(bench)
    rows = state[state.keep & (state.split == "train") & (state.label != truth)].head(n)
    frame = pd.DataFrame(dict(sample=rows.index, label=truth[rows.index].to_numpy(), why="misread"))
    frame.to_csv(path, index=False)
    return frame


@pytest.mark.slow
def test_a_proposal_is_opened_looked_at_approved_and_merged(scanned, tmp_path):
    fixes = write_fixes(scanned, tmp_path / "fixes.csv")
    here, name = ("-b", scanned.path), ("proposal",)
    status, out, err = run_assay(
        *name, "open", tmp_path / "fixes.csv", "--title", "mend", "--who", "ann", *here
    )
    assert status == 0 and "p1: 6 changes" in out, err
    shown = run_assay(
        *name, "show", "p1", "--html", tmp_path / "p.html", "--markdown", tmp_path / "p.md", *here
    )
    assert shown[0] == 0 and "misread" in shown[1] and "waiting" in shown[1]
    page, text = ((tmp_path / f).read_text() for f in ("p.html", "p.md"))
    assert page.count("<img") >= 6 and f"-&gt; {fixes.label[0]}" in page
    assert "| from | to | changes |" in text
    assert run_assay(*name, "merge", "p1", "--who", "ann", *here)[0] == 1
    assert (
        run_assay(*name, "approve", "p1", "--who", "bob", "--where", "split = 'train'", *here)[0]
        == 0
    )
    checked = run_assay(*name, "check", "p1", "--markdown", tmp_path / "p.md", *here)
    assert checked[0] == 0 and "look 1" in checked[1] and "random changes" in checked[1]
    assert "### Checks: passed" in (tmp_path / "p.md").read_text()
    status, out, err = run_assay(*name, "merge", "p1", "--who", "bob", "--json", *here)
    assert status == 0 and json.loads(out)["edits"] == 6, err
    assert list(scanned.state().label[fixes["sample"]]) == list(fixes.label)
    assert run_assay("undo", json.loads(out)["batch"], *here)[0] == 0
    # a batch that was taken back is proposed again
    assert (
        run_assay(*name, "open", "--batch", json.loads(out)["batch"], "--title", "again", *here)[0]
        == 0
    )
    assert len(read_changes(scanned, "p2")) == 6


def test_what_a_copy_says_otherwise_is_proposed(scanned, tmp_path):
    copy = copied(scanned, tmp_path / "copy")
    frame = write_fixes(copy, tmp_path / "fixes.csv", 3)
    copy.edit(frame, "zoe")
    copy.edit(pd.DataFrame(dict(sample=[frame["sample"][0]], tag="odd")), "zoe")
    scanned.edit(frame.tail(1), "ann")  # what stands here already is left out
    words = ("proposal", "open", "--from", copy.path, "--title", "zoe's", "--who", "zoe")
    status, _, err = run_assay(*words, "-b", scanned.path)
    assert status == 0, err
    found = read_changes(scanned, "p1")
    assert sorted(found.field) == ["label", "label", "tag"]
    assert set(found["sample"]) == set(frame["sample"][:2])


def test_decisions_come_from_stdin_and_parquet(scanned, tmp_path, monkeypatch):
    frame = write_fixes(scanned, tmp_path / "fixes.csv", 3)
    frame.to_parquet(tmp_path / "fixes.parquet")
    stdin = io.TextIOWrapper(io.BytesIO((tmp_path / "fixes.csv").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    for source in ("-", tmp_path / "fixes.parquet"):
        status, _, err = run_assay("proposal", "open", source, "--title", "t", "-b", scanned.path)
        assert status == 0, err
    bench = assay.open(scanned.path)
    assert [p.n_changes for p in bench.proposals()] == [3, 3]


@pytest.mark.slow
def test_a_check_that_the_policy_fails_ends_with_1(scanned, tmp_path):
    write_fixes(scanned, tmp_path / "fixes.csv", 3)
    here = ("-b", scanned.path)
    assert run_assay("proposal", "policy", "--margin", 0.1, "--look-at", 3, *here)[0] == 0
    run_assay("proposal", "open", tmp_path / "fixes.csv", "--title", "t", "--who", "ann", *here)
    status, out, _ = run_assay("proposal", "check", "p1", "--json", *here)
    told = json.loads(out)
    failed = {c["check"] for c in told["checks"] if not c["passed"]}
    assert status == 1 and told["code"] == "check_failed" and {"approvals", "looks"} <= failed
    looks = run_assay("proposal", "show", "p1", "--looks", *here)[1]
    assert all(s in looks for s in read_changes(scanned, "p1")["sample"])


def test_what_is_missing_is_said(scanned, tmp_path):
    here = ("-b", scanned.path)
    for words, code in (
        (("show", "p9"), "unknown_proposal"),
        (("show",), "bad_input"),
        (("open", "--title", "t"), "bad_input"),
        (("open", "--batch", "edit-none", "--title", "t"), "unknown_batch"),
    ):
        status, out, _ = run_assay("proposal", *words, "--json", *here)
        assert status == 2 and json.loads(out)["code"] == code, words

"""The log as its readers know it: what each person did, differences, one sample's life."""

import json

import pandas as pd
import pytest

from tests.decisions import by_hand, decide, other, train
from tests.helpers import run_assay


@pytest.mark.slow
def test_log_counts_what_each_person_did_before_and_since_a_commit(small):
    a, b, c, d = train(small, 4)
    label = small.state().label
    decide(
        small,
        "ann",
        dict(sample=a, label=other(label[a]), seconds=2),
        dict(sample=b, verdict="confirm", seconds=3),
    )
    decide(
        small, "ann", dict(sample=a, label=label[a], keep="false", split="val", seconds=7)
    )  # three edits, one decision
    small.commit("first", "ann")
    decide(small, "bob", dict(sample=c, verdict="unsure"), dict(sample=d, keep="false", seconds=60))
    small.undo(who="bob")
    log = small.log()
    assert list(zip(log.version.fillna("open"), log.author)) == [
        ("v1", "tester"),
        ("v1", "ann"),
        ("open", "bob"),
    ]
    ann, bob = log.iloc[1], log.iloc[2]
    assert (ann.relabelled, ann.confirmed, ann.seconds, ann.samples) == (
        2,
        1,
        12,
        3,
    ) and ann.message == "first"
    assert (bob.unsure, bob.dropped, bob.put_back, bob.edits) == (1, 1, 2, 4)
    assert (
        log.imported.iloc[0]
        == small.query("select count(*) as n from edits where batch like 'import-%'").n[0]
    )


@pytest.mark.slow
def test_diff_is_what_two_states_say(small):
    a, b, c, d, e, f, *_ = train(small)
    label = small.state().label
    small.commit("start", "ann")
    decide(
        small,
        "ann",
        dict(sample=a, label=other(label[a])),
        dict(sample=b, keep="false"),
        dict(sample=c, split="val"),
    )
    decide(
        small,
        "ann",
        dict(sample=d, tag="odd"),
        dict(sample=e, label=other(label[e])),
        dict(sample=f, verdict="confirm"),
    )
    decide(small, "ann", dict(sample=e, label=label[e]))
    small.commit("end", "ann")
    found = small.diff("v1", "v2")
    assert {
        k: set(found[k]["sample"]) for k in by_hand(small.state("v1"), small.state("v2"))
    } == by_hand(small.state("v1"), small.state("v2"))
    assert found["matrix"].to_dict("records") == [{"from": label[a], "to": other(label[a]), "n": 1}]
    assert list(found["relabelled"]["sample"]) == [a] and list(found["removed"]["from"]) == [
        label[b]
    ]
    back = small.diff("v2", "v1")
    assert list(back["added"]["sample"]) == [b] and list(back["moved"][["from", "to"]].iloc[0]) == [
        "val",
        "train",
    ]
    status, out, _ = run_assay("diff", "v1", "v2", "--samples", "-b", small.path)
    assert status == 0 and "1 relabelled, 0 added, 1 removed, 1 moved, 1 tagged" in out and a in out
    assert (
        json.loads(run_assay("diff", "v1", "v2", "--json", "-b", small.path)[1])["moved"][0][
            "sample"
        ]
        == c
    )
    assert (
        small.diff("half(v1, seed=0)", "v1")["matrix"].empty
        and len(small.diff("half(v1, seed=0)", "v1")["added"]) == 18
    )


@pytest.mark.slow
def test_blame_tells_the_life_of_a_sample(small):
    s = train(small)[0]
    key, old = small.state().key[s], small.state().label[s]
    suggestion = dict(suggested_label=other(old), score=0.01, rank=3, reason="looks like it")
    first = decide(small, "ann", dict(sample=s, label=other(old), why="a loop", **suggestion))
    small.commit("v", "ann")
    decide(small, "bob", dict(sample=s, label=other(old, 2)))
    small.undo(who="bob")
    found, same, life = small.blame(s[:9])
    assert (found, same) == (s, key) and small.blame(key)[0] == s
    labels = life[life.field == "label"]
    assert list(labels.value) == [old, other(old), other(old, 2), other(old)] and list(
        labels.who
    ) == ["tester", "ann", "bob", "bob"]
    assert list(labels.undone) == [False, False, True, False] and list(labels.stands) == [
        False,
        False,
        False,
        True,
    ]
    assert list(labels.version.fillna("open")) == ["v1", "v1", "open", "open"]
    assert labels.why.iloc[1] == "a loop" and json.loads(labels.suggested.iloc[1])["rank"] == 3
    status, out, _ = run_assay("blame", key, "-b", small.path)
    assert status == 0 and "taken back" in out and "looks like it" in out and first["batch"] in out
    assert (
        run_assay("blame", "", "-b", small.path)[0] == 2
        and "none called" in run_assay("blame", "nobody", "-b", small.path)[2]
    )


@pytest.mark.daily
def test_any_reading_command_takes_a_version(scanned, tmp_path):
    s = train(scanned)[0]
    decide(scanned, "ann", dict(sample=s, label=other(scanned.state().label[s])))
    decide(
        scanned, "ann", *(dict(sample=x, verdict="confirm") for x in scanned.queue(20)["sample"])
    )
    for version in ("v1", "HEAD", "v1 - flagged", "v1 ~ random(5, seed=0)", "half(v1, seed=1)"):
        for verb in (
            ["status"],
            ["queue", "-n", "5"],
            ["issues"],
            ["export", "-o", tmp_path / version],
            ["reviewers"],
            ["blame", s],
        ):
            status, out, err = run_assay(*verb, "--json", "--version", version, "-b", scanned.path)
            assert status == 0, (verb, version, err)
            if verb[0] == "status":
                assert json.loads(out)["review"]["reviewed"] == (22 if version == "HEAD" else 0)
    with_v1 = json.loads(
        run_assay("issues", "--kind", "label", "--json", "--version", "v1", "-b", scanned.path)[1]
    )
    assert {i["sample"] for i in with_v1["rows"]} == set(scanned.flagged("v1").index), (
        "old issues are found again by the probe of that version"
    )


@pytest.mark.slow
def test_a_confirmation_is_of_the_label_on_the_sheet(small, tmp_path):
    """Ann's sheet says four; Bob makes it five before she sends it back: she has confirmed the four that she saw."""
    s = train(small)[0]
    seen = small.state().label[s]
    sheet = tmp_path / "ann.csv"
    sheet.write_text(f"sample,given_label,verdict\n{s},{seen},confirm\n")
    decide(small, "bob", dict(sample=s, label=other(seen)))
    status, out, _ = run_assay("edit", sheet, "--who", "ann", "-b", small.path)
    assert (
        status == 0
        and "1 confirm the label on their sheet, which somebody had changed since" in out
    )
    assert small.state().label[s] == seen and small.state().verdict[s] == "set"
    assert small.reviewers()[1].agree[0] == 0
    status, out, _ = run_assay("edit", sheet, "--who", "cat", "-b", small.path)
    assert "1 confirmation" in out and "note" not in out


@pytest.mark.slow
def test_an_audit_is_a_version_of_its_own(small):
    from assay.curation.review.audit_answers import apply_answers
    from assay.curation.review.audit_sheet import start_audit

    decide(small, "bob", dict(sample=train(small)[0], verdict="confirm"))
    folder = start_audit(small, "eve", n=4, repeats=0, folder=small.path.parent / "sheet")["folder"]
    sheet = pd.read_csv(f"{folder}/worksheet.csv", dtype=str).assign(label="3")
    done = apply_answers(small, sheet, "eve")
    log = small.log()
    assert done["before"] == "v1" and list(log[log.author == "bob"].version) == ["v1"]
    assert list(log[log.version == done["version"]].author) == ["eve"]
    assert "of 4 test labels wrong" in run_assay("status", "-b", small.path)[1], (
        "the status says what the audit found"
    )


@pytest.mark.slow
def test_a_reader_who_leaves_early_changes_nothing_but_what_is_told(small):
    """`assay revert ... | head`: the pipe breaks, the revert is done, and the exit status says so."""
    import subprocess
    import sys

    from tests.helpers import ROOT

    decide(small, "bob", *(dict(sample=s, verdict="confirm") for s in train(small, 30)))
    command = f"{sys.executable} -m assay revert --who bob -b {small.path} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.endswith("\n0\n") and done.stderr == "" and not small.state().reviewed.any()


@pytest.mark.slow
def test_a_version_may_be_called_none(small):
    status, out, _ = run_assay("commit", "--name", "none", "-b", small.path)
    assert (
        status == 0 and "no backup" not in out and (small.path / "backups" / "none.duckdb").exists()
    )

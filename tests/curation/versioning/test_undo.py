"""Taking back: undo, redo, revert, and what is left alone."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from assay import UserError
from assay.curation.versioning import history, states
from tests.decisions import decide, other, train
from tests.helpers import bench_of, digits, run_assay


@pytest.mark.slow
def test_revert_takes_back_a_person_and_leaves_alone_who_came_later(small):
    a, b, c, d = train(small, 4)
    old = small.state().label
    decide(small, "bob", *(dict(sample=s, label=other(old[s])) for s in (a, b, c)))
    decide(small, "ann", dict(sample=a, label=other(old[a], 2)))  # over bob's
    decide(small, "ann", dict(sample=b, verdict="confirm"))  # ann has looked, and agrees
    decide(small, "bob", dict(sample=c, label=other(old[c], 3)), dict(sample=d, keep="false"))
    plan, out = small.revert(of="bob", who="eve", dry=True)
    assert out["batch"] is None and set(plan["sample"][[not p for p in plan.popped]]) == {a, b}
    before = small.state()
    plan, out = small.revert(of="bob", who="eve")
    now = small.state()
    assert (out["restored"], out["left_alone"]) == (2, 2)
    assert (now.label[a], now.label[b], now.label[c], now.keep[d]) == (
        other(old[a], 2),
        other(old[b]),
        old[c],
        True,
    )
    assert not now.reviewed[c] and now.reviewed[b]
    small.redo("eve")
    shown = ["label", "keep", "split", "verdict", "reviewed", "tags"]
    assert small.state()[shown].equals(before[shown]) and small.chain_breaks() == []
    status, out, _ = run_assay("revert", "--who", "bob", "--since", "v1", "-b", small.path)
    assert status == 2, "no version v1 yet"
    status, out, _ = run_assay(
        "revert", "--who", "bob", "--since", "1h", "--dry-run", "-b", small.path
    )
    assert (
        status == 0
        and "2 values go back, 2 are left alone" in out
        and "edited since by others" in out
    )
    assert (
        run_assay("revert", "-b", small.path)[0] == 2
        and run_assay("revert", "--who", "nobody", "-b", small.path)[0] == 2
    )


@pytest.mark.slow
def test_revert_since_a_time_and_one_batch_under_others(small):
    a, b = train(small, 2)
    old = small.state().label
    first = decide(small, "ann", dict(sample=a, label=other(old[a])))
    small.commit("mid", "ann")
    decide(small, "bob", dict(sample=b, label=other(old[b])))
    decide(small, "ann", dict(sample=a, label=other(old[a], 2)))
    since = small.commits().ts.iloc[0].to_pydatetime()
    _, out = small.revert(since=since, who="ann")
    assert (
        out["restored"] == 2
        and small.state().label[a] == other(old[a])
        and small.state().label[b] == old[b]
    )
    assert states.hash_tree(small.state()) == small.commits().tree.iloc[0]
    _, out = small.revert(first["batch"], who="ann")
    assert small.state().label[a] == old[a] and not small.state().reviewed.any()
    with pytest.raises(UserError, match="undone already"):
        small.revert(first["batch"])


@pytest.mark.slow
def test_undo_goes_past_a_batch_that_others_edited_over(small):
    a, b = train(small, 2)
    old = small.state().label
    decide(small, "ann", dict(sample=b, verdict="confirm"))
    under = decide(small, "ann", dict(sample=a, label=other(old[a])))
    over = decide(small, "bob", dict(sample=a, label=other(old[a], 2)))
    small.undo(under["batch"], "ann")
    assert small.state().label[a] == other(old[a], 2), "bob's is left alone"
    assert small.undo(who="bob")["undone"] == over["batch"] and small.state().label[a] == other(
        old[a]
    )


@pytest.mark.slow
def test_a_redo_of_an_older_assay_is_understood(small):
    """Schema 1 wrote the undo of a batch as {"undo": BATCH} and a redo as the undo of that undo."""
    a = train(small)[0]
    old = small.state().label[a]
    done = decide(small, "ann", dict(sample=a, label=other(old)))["batch"]
    rows = [("undo-1", old, done), ("undo-2", other(old), "undo-1")]
    for batch, value, target in rows:
        row = dict(
            sample=a,
            field="label",
            value=json.dumps(value),
            origin=done,
            suggested=json.dumps({"undo": target}),
        )
        with small.transaction() as con:
            small.append(con, pd.DataFrame([row]), batch, "ann")
    assert small.state().label[a] == other(old)
    assert small.undo(who="ann")["undone"] == done and small.state().label[a] == old
    assert history.read_log(small).put_back.sum() == 3


@pytest.mark.slow
def test_revert_since_takes_decisions_back_and_leaves_held_out_leakage_out(scanned):
    samples = train(scanned, 2)
    with scanned.transaction() as con:
        scanned.append(
            con,
            pd.DataFrame([dict(sample=samples[0], field="keep", value="false", why="leakage")]),
            "scan-1",
            "assay scan",
        )
    decide(scanned, "ann", dict(sample=samples[1], verdict="confirm"))
    status, out, _ = run_assay("revert", "--since", "1h", "-b", scanned.path)
    assert status == 0 and "1 value reverted" in out
    assert not scanned.state().keep[samples[0]] and not scanned.state().reviewed[samples[1]]


@pytest.mark.slow
def test_taking_somebody_s_decisions_back_leaves_the_audit_alone(small):
    """What a blind audit found about the test set goes only by the name of its batch."""
    from assay.curation.review.audit_answers import apply_answers
    from assay.curation.review.audit_sheet import start_audit

    folder = start_audit(small, "eve", n=4, repeats=0, folder=small.path.parent / "sheet")["folder"]
    done = apply_answers(
        small, pd.read_csv(f"{folder}/worksheet.csv", dtype=str).assign(label="3"), "eve"
    )
    sample = train(small)[0]
    decide(small, "eve", dict(sample=sample, verdict="confirm"))
    audited = small.state().label
    _, out = small.revert(of="eve", who="bob")
    assert out["restored"] == 1 and small.state().label.equals(audited)
    with pytest.raises(UserError, match="found none"):
        small.revert(since=datetime.now(UTC) - timedelta(hours=1), who="bob")
    assert small.revert(done["batch"], who="bob")[1]["restored"] > 0


@pytest.mark.slow
def test_nothing_is_redone_after_a_new_edit(small):
    """As in every editor: a decision that came after the undo closes that way."""
    a, b = train(small, 2)
    label = small.state().label
    decide(small, "ann", dict(sample=a, label=other(label[a])))
    small.undo(who="ann")
    decide(small, "ann", dict(sample=b, verdict="confirm"))
    with pytest.raises(UserError, match="expected a batch to redo"):
        small.redo("ann")
    assert small.state().label[a] == label[a]


@pytest.mark.slow
def test_revert_takes_back_a_person_on_both_sides_of_an_import_that_a_merge_brought(
    small, tmp_path
):
    """The copies imported the same by themselves, so the log has ann's word, an import, and ann's word again."""
    there, sample = bench_of(digits(60), tmp_path / "there"), train(small)[0]
    old = small.state().label[sample]
    for bench in (small, there):
        decide(bench, "ann", dict(sample=sample, label=other(old)))
    small.set_rule("majority", "eve")
    small.merge(there.path, "eve")
    small.revert(of="ann", who="eve")
    assert small.state().label[sample] == old and not small.state().reviewed[sample], (
        "ann has no vote"
    )
    small.redo("eve")
    assert small.state().label[sample] == other(old) and small.state().reviewed[sample]

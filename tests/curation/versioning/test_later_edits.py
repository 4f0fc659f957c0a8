"""What a sheet says that is so already, or that others have decided since it was written."""

import pandas as pd
import pytest

import assay
from assay.curation.errors import Question, UserError
from tests.helpers import copied, run_assay


def say(bench, who, samples, **cells):
    return bench.edit(pd.DataFrame(dict(sample=samples) | cells), who)


def count(bench):
    return bench.rows("select count(*) from edits")[0][0]


def test_the_same_person_says_the_same_again(bench, tmp_path):
    """Nothing is stored, so there is no version without a change; a second person's word is a vote."""
    ids = list(bench.frame(split="train").query("label != '7'").index[:4])
    sheet = pd.DataFrame(
        dict(sample=ids, label=["7", "7", "", ""], verdict=["", "", "confirm", "unsure"])
    )
    first = bench.edit(sheet, "ann")
    assert (first["edits"], first["already"], first["confirmed"], first["unsure"]) == (4, 0, 1, 1)
    bench.commit("one", "ann")
    before = count(bench)
    again = bench.edit(sheet, "ann")
    assert (again["batch"], again["edits"], again["already"]) == (None, 0, 4)
    assert count(bench) == before and bench.commit("two", "ann")["new"] is False
    sheet.to_csv(tmp_path / "s.csv", index=False)
    status, out, _ = run_assay("edit", tmp_path / "s.csv", "--who", "ann", "-b", bench.path)
    assert status == 0 and "4 were already so" in out and count(bench) == before
    second = bench.edit(sheet, "bob")
    assert (second["edits"], second["already"]) == (4, 0), "each is a vote"
    changed = say(bench, "bob", [ids[0], ids[1]], label=["7", "3"])
    assert (changed["edits"], changed["already"]) == (1, 1), "only what is new"
    assert say(bench, "bob", ids[2:3], verdict="unsure")["unsure"] == 1, "another verdict is new"


def test_a_first_confirmation_is_an_edit_whoever_imported_or_dropped_it(bench):
    """The import was by `tester`: their own first look is a look all the same."""
    sample = bench.frame(split="train").index[:1]
    say(bench, "tester", sample, keep="false")
    assert say(bench, "tester", sample, keep="false")["already"] == 1
    assert say(bench, "tester", sample, verdict="confirm")["confirmed"] == 1
    bench.undo(who="tester")
    assert say(bench, "tester", sample, verdict="confirm")["confirmed"] == 1, "it was taken back"


def test_saying_it_again_settles_a_merge(bench, tmp_path):
    other = copied(bench, tmp_path / "other")
    sample = bench.frame(split="train").query("label not in ('3', '4')").index[:1]
    say(bench, "ann", sample, label="3")
    say(other, "bob", sample, label="4")
    bench.merge(other.path, "ann")
    assert len(bench.issues("merge_conflict")) == 1
    assert say(bench, "ann", sample, label="3")["confirmed"] == 1
    assert len(bench.issues("merge_conflict")) == 0


@pytest.mark.slow
def test_an_older_sheet_asks_before_it_changes_what_others_decided(scanned, tmp_path):
    sheet, wanted = (
        tmp_path / "q.csv",
        ("edit", tmp_path / "q.csv", "--who", "ann", "-b", scanned.path),
    )
    run_assay("queue", "-n", 6, "--random", 0, "--csv", sheet, "-b", scanned.path)
    rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
    assert set(rows.upto) == {str(count(scanned))}
    a, b, c = (rows["sample"][i] for i in range(3))
    labels = scanned.state().label
    new = {s: "7" if labels[s] != "7" else "8" for s in (a, b, c)}
    third = {s: "5" if labels[s] != "5" else "4" for s in (a, b)}
    say(scanned, "bob", [a, b], label=[third[a], new[b]])
    rows["label"] = rows["sample"].map(new).fillna("")
    rows.to_csv(sheet, index=False)
    before = count(scanned)
    status, _, err = run_assay(*wanted)
    assert status == 2 and "1 sample that bob decided" in err and "--overwrite yes" in err
    assert count(scanned) == before, "all or nothing"
    with pytest.raises(Question, match="overwrite=True"):
        assay.open(scanned.path).edit(sheet, "ann")
    status, out, _ = run_assay(*wanted, "--overwrite", "no")
    assert status == 0 and "left as they are" in out
    assert scanned.state().label[[a, b, c]].tolist() == [third[a], new[b], new[c]]
    assert run_assay(*wanted, "--overwrite", "yes")[0] == 0
    assert scanned.state().label[a] == new[a]
    rows["label"] = rows["sample"].map(third).fillna("")
    assert scanned.edit(rows, "ann")["newer"] == 0, "whoever mends an own sheet is not asked"


@pytest.mark.slow
def test_a_queue_in_python_has_the_cells_that_edit_takes(scanned):
    rows = assay.open(scanned.path).queue(3)
    assert {"label", "verdict", "keep", "why", "upto"} <= set(rows) and not rows.label.any()
    rows["verdict"] = "confirm"
    assert assay.open(scanned.path).edit(rows, "ann")["confirmed"] == len(rows)


def test_edit_takes_a_path_and_refuses_what_is_neither(bench, tmp_path):
    sample = bench.frame(split="train").index[0]
    pd.DataFrame([dict(sample=sample, verdict="confirm")]).to_csv(tmp_path / "s.csv", index=False)
    for path in (tmp_path / "s.csv", str(tmp_path / "s.csv")):
        assert bench.edit(path, who=str(type(path)))["confirmed"] == 1
    for odd in (None, 3, [sample], dict(sample=[sample])):
        with pytest.raises(UserError, match="DataFrame or the path"):
            bench.edit(odd, who="ann")
    with pytest.raises(UserError, match="position in the log"):
        bench.edit(
            pd.DataFrame(
                [
                    dict(
                        sample=sample,
                        label="3" if bench.state().label[sample] != "3" else "4",
                        upto="x",
                    )
                ]
            ),
            "ann",
        )


def test_a_new_reason_is_kept_as_a_confirmation(bench, tmp_path):
    """Who says the same again and now why has typed something new: it is in the log, once."""
    ids = list(bench.frame(split="train").query("label != '7'").index[:3])
    sheet = pd.DataFrame(
        dict(sample=ids, label=["7", "", ""], verdict=["", "confirm", "unsure"], why="")
    )
    bench.edit(sheet, "ann")
    assert bench.edit(sheet, "ann")["edits"] == 0
    told = bench.edit(sheet.assign(why=["a seven", "", ""]), "ann", why="seen twice")
    assert (told["edits"], told["already"], told["reasons_left_out"]) == (3, 0, 0)
    whys = [bench.blame(sample).edits.why.iloc[-1] for sample in ids]
    assert whys == ["a seven", "seen twice", "seen twice"]
    assert bench.state().label[ids[0]] == "7" and (told["confirmed"], told["unsure"]) == (2, 1)
    assert bench.edit(sheet.assign(why=["a seven", "", ""]), "ann", why="seen twice")["edits"] == 0
    assert bench.edit(sheet, "ann")["edits"] == 0, "no reason is no news"


def test_a_reason_that_no_edit_carries_is_counted(bench, tmp_path):
    """Of what was so already, and of a row that decides nothing."""
    a, b = bench.frame(split="train").index[:2]
    say(bench, "ann", [a], keep="false", why="torn")
    assert say(bench, "ann", [a], keep="false", why="torn")["reasons_left_out"] == 0
    rows = pd.DataFrame(dict(sample=[a, b], keep=["false", ""], why=["wet", "look at this"]))
    rows.to_csv(tmp_path / "s.csv", index=False)
    assert bench.edit(rows, "ann")["reasons_left_out"] == 2
    _, out, _ = run_assay("edit", tmp_path / "s.csv", "--who", "ann", "-b", bench.path)
    assert "2 reasons were not stored" in out and "nothing is new" in out
    rows = rows.assign(why=["torn", ""])
    rows.to_csv(tmp_path / "s.csv", index=False)
    _, out, _ = run_assay("edit", tmp_path / "s.csv", "--who", "ann", "-b", bench.path)
    assert "not stored" not in out


def test_ones_own_newer_decisions_that_a_sheet_changes_are_counted(bench, tmp_path):
    """It is one's own to change, so nobody asks; that it happened is said."""
    ids = bench.frame(split="train").query("label not in ('3', '4')").index[:3]
    upto = count(bench)
    say(bench, "ann", ids, label=["3", "3", "4"])
    pd.DataFrame(dict(sample=ids, label="4", upto=upto)).to_csv(tmp_path / "s.csv", index=False)
    status, out, _ = run_assay("edit", tmp_path / "s.csv", "--who", "ann", "-b", bench.path)
    assert status == 0 and "2 samples that you decided after the sheet was written" in out
    assert set(bench.state().label[ids]) == {"4"}
    fresh = pd.DataFrame(dict(sample=ids[:1], label="3", upto=count(bench)))
    told = bench.edit(fresh, "ann")
    assert (told["own_newer"], told["newer"]) == (0, 0), "nothing is newer than this sheet"
    told = bench.edit(fresh.assign(label="4", upto=upto), "ann")
    assert (told["own_newer"], told["newer"]) == (1, 0)

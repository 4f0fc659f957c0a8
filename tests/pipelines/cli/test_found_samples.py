"""The verbs samples and views, and queue --where: what they print, and how they refuse."""

import csv
import json

import pytest

from tests.helpers import digits, run_assay


def test_samples_lists_counts_and_says_what_is_hidden(scanned, tmp_path):
    bench = scanned.path
    status, out, _ = run_assay("samples", "--where", "truth = 3", "--sort", "key", "-b", bench)
    assert status == 0 and "of test or guard, shown without label" in out
    _, out, _ = run_assay("samples", "--where", "truth = 3", "--json", "-b", bench)
    told = json.loads(out)
    hidden = [row for row in told["rows"] if row["split"] == "test"]
    assert len(hidden) == told["locked"] > 0 and told["found"] == len(told["rows"])
    assert all(row["label"] is None and row["issues"] is None for row in hidden)
    _, out, _ = run_assay("samples", "--count", "split,label", "-b", bench)
    assert "split: train 360, test 120, val 120" in out and "not counted 120 of test" in out
    sheet = tmp_path / "found.csv"
    run_assay(
        "samples", "--where", "has('label')", "--show", "key,issues", "--csv", sheet, "-b", bench
    )
    rows = list(csv.DictReader(sheet.open()))
    assert len(rows) > 10 and {row["issues"] for row in rows} == {"label"}


def test_a_wrong_condition_is_marked_in_the_terminal_and_in_json(scanned):
    for verb in ("samples", "queue"):
        status, out, err = run_assay(verb, "--where", "keep and lable = '3'", "-b", scanned.path)
        assert status == 2 and out == "" and "did you mean label?" in err
        _, line, marks = err.splitlines()[:3]
        assert line[marks.index("^") :].startswith("lable") and marks.strip() == "^^^^^"
    _, out, _ = run_assay("samples", "--sort", "scoer", "--json", "-b", scanned.path)
    assert json.loads(out)["code"] == "bad_filter"


def test_a_view_is_asked_by_its_name(scanned):
    bench = scanned.path
    asked = ("--where", "score < 0.1", "--sort", "score")
    run_assay("views", "--save", "döubtful", *asked, "--who", "ann", "-b", bench)
    _, by_name, _ = run_assay("samples", "--view", "döubtful", "--json", "-b", bench)
    _, by_words, _ = run_assay("samples", *asked, "--json", "-b", bench)
    assert by_name == by_words and json.loads(by_name)["found"] > 0
    status, _, err = run_assay("samples", "--view", "doubtful", "-b", bench)
    assert status == 2 and "did you mean döubtful" in err
    status, _, err = run_assay("samples", "--view", "döubtful", "--where", "keep", "-b", bench)
    assert status == 2 and "which the view has" in err
    assert run_assay("views", "--where", "keep", "-b", bench)[0] == 2


@pytest.mark.parametrize("name", ["photo.png", "a strange näme.png"])
def test_a_picture_from_outside_finds_itself(scanned, tmp_path, name):
    table = digits()
    row = table[table["split"] == "train"].iloc[3]
    (tmp_path / name).write_bytes(row.image)
    _, out, _ = run_assay(
        "samples", "--like", tmp_path / name, "--limit", 1, "--json", "-b", scanned.path
    )
    (found,) = json.loads(out)["rows"]
    assert found["key"] == row.id and found["similarity"] == pytest.approx(1, abs=0.01)
    (tmp_path / name).write_bytes(b"no picture")
    status, _, err = run_assay("samples", "--like", tmp_path / name, "-b", scanned.path)
    assert status == 2 and "expected a picture" in err

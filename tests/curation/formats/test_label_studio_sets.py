"""Label Studio's choices with choice="multiple", both ways: what people chose are sets, and so they come back."""

import csv
import io
import json
from xml.etree import ElementTree

import pandas as pd
import pytest

import assay
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version, write_in_place
from tests.curation.formats.test_label_studio import NAMES, write_tasks
from tests.layouts.label_studio import convert, make_annotation, make_task

CHOSEN = [["ape", "bee"], "cow", [], ["bee"]]
SETS = ['["ape", "bee"]', '["cow"]', "[]", '["bee"]']


def make_tasks(chosen=CHOSEN):
    return [make_task(i, NAMES[i], [make_annotation(i, c)]) for i, c in enumerate(chosen)]


def make_bench(path, folder):
    bench = assay.create(folder)
    bench.add(path, who="source", no_test=True, progress=False)
    return bench


def labels_of(bench):
    return bench.state().sort_values("key").label.tolist()


def change_two(bench):
    rows = bench.state().sort_values("key").index
    bench.edit(pd.DataFrame(dict(sample=rows[[0, 2]], label=["bee|cow", "ape"])), who="ann")
    return ['["bee", "cow"]', '["cow"]', '["ape"]', '["bee"]']


def test_several_choices_are_a_set_and_none_is_the_empty_one(tmp_path):
    source = read_source(write_tasks(tmp_path / "in", make_tasks()))
    assert list(source.frame.label) == SETS and source.task == "multilabel"
    assert any("1 annotations chose no class" in note for note in source.notes)
    one = write_tasks(tmp_path / "one", make_tasks(["ape", "bee", "cow", "ape"]))
    assert list(read_source(one).frame.label) == ["ape", "bee", "cow", "ape"]
    asked = read_source(one, ImportOptions(multilabel=True))
    assert list(asked.frame.label) == ['["ape"]', '["bee"]', '["cow"]', '["ape"]']


def test_what_several_people_chose_are_votes(tmp_path):
    tasks = make_tasks()
    tasks[0]["annotations"].append(make_annotation(9, ["bee"], who=2, minute=5))
    source = read_source(write_tasks(tmp_path / "in", tasks))
    assert [vote["label"] for vote in source.frame.votes[0]] == ['["ape", "bee"]', '["bee"]']
    assert source.frame.label[0] == '["bee"]', "the latest"


def test_changed_sets_go_into_the_project_again_and_no_other_byte(tmp_path):
    path = write_tasks(tmp_path / "in", make_tasks())
    bench, before = make_bench(path, tmp_path / "b"), json.loads(path.read_text())
    want = change_two(bench)
    write_in_place(bench)
    after = json.loads(path.read_text())
    chosen = [t["annotations"][0]["result"][0]["value"]["choices"] for t in after]
    assert chosen == [["bee", "cow"], ["cow"], ["ape"], ["bee"]]
    assert [after[i] for i in (1, 3)] == [before[i] for i in (1, 3)]
    assert [after[0][k] for k in ("id", "data")] == [before[0][k] for k in ("id", "data")]
    assert list(read_source(path, ImportOptions(multilabel=True)).frame.label) == want


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_converted_exports_are_sets_too_and_take_changes(kind, tmp_path):
    path = write_tasks(
        tmp_path / "in", make_tasks([["ape", "bee"], "cow", ["ape", "cow"], ["bee"]])
    )
    rows = [row for task in json.loads(path.read_text()) for row in convert(task)]
    path.unlink()
    path = path.with_name(f"min.{kind}")
    if kind == "json":
        path.write_text(json.dumps(rows))
    else:
        out = io.StringIO()
        table = csv.DictWriter(out, list(rows[0]))
        table.writeheader()
        said = [
            r | dict(choice=c if isinstance(c := r["choice"], str) else json.dumps(c)) for r in rows
        ]
        table.writerows(said)
        path.write_text(out.getvalue())
    bench = make_bench(path, tmp_path / "b")
    assert labels_of(bench) == ['["ape", "bee"]', '["cow"]', '["ape", "cow"]', '["bee"]']
    want = change_two(bench)
    write_in_place(bench)
    assert list(read_source(path).frame.label) == want


def test_a_version_is_written_as_tasks_and_comes_back(tmp_path):
    bench = make_bench(write_tasks(tmp_path / "in", make_tasks()), tmp_path / "b")
    want = change_two(bench)
    export_version(bench, tmp_path / "out", format="label-studio")
    config = ElementTree.parse(tmp_path / "out" / "config.xml").getroot()
    assert [c.get("choice") for c in config.iter("Choices")] == ["multiple"]
    again = make_bench(tmp_path / "out", tmp_path / "c")
    assert sorted(again.state().label) == sorted(want)
    one = make_bench(
        write_tasks(tmp_path / "two", make_tasks([["ape"], ["bee"], [], ["cow"]])), tmp_path / "d"
    )
    assert one.state().label.isna().sum() == 1, "nobody chose two: one class a task"

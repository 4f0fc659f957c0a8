"""FiftyOne's data sets on disk: what Assay writes a real FiftyOne loads, and what it changes is all that changes."""

import difflib
import json
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

import assay
from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.json_edits import JsonText
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version, write_in_place
from tests.fiftyone_process import ask_fiftyone
from tests.layouts.base import make_pictures, pixel_hash
from tests.layouts.fiftyone import write_rich, writer
from tests.layouts.folders import write_split_folders

# not imported: FiftyOne keeps the first database that a process meets
if find_spec("fiftyone") is None:
    pytest.skip("FiftyOne is not installed", allow_module_level=True)


def bench_of(source, folder, **options):
    return assay.create(folder).add(source, who="ann", progress=False, **options)


def test_fiftyone_loads_what_assay_writes(tmp_path):
    source = write_split_folders(tmp_path, make_pictures())
    bench = bench_of(source, tmp_path / "bench")
    first = bench.frame(split="train").index[0]
    new = 'Kühe & "Kälber"'
    edit = pd.DataFrame(dict(sample=[first], label=[new]))
    bench.edit(edit, who="ann", new_classes=[new])
    export_version(bench, tmp_path / "out", format="fiftyone", copy=True)
    rows = ask_fiftyone(do="read", path=str(tmp_path / "out"), kind="FiftyOneDataset")
    found = {pixel_hash(Path(f).read_bytes()): (label, tags[0]) for f, label, tags in rows}
    state = bench.state()
    want = {
        pixel_hash(Path(row.uri).read_bytes()): (row.label, row.split) for row in state.itertuples()
    }
    assert found == want and len(rows) == 30
    again = bench_of(tmp_path / "out", tmp_path / "again")
    assert sorted(zip(again.state().label, again.state().split)) == sorted(want.values())


def test_in_the_text_nothing_differs_but_the_labels(tmp_path):
    path = writer("FiftyOneDataset")(tmp_path, make_pictures())
    before = (path / "samples.json").read_text()
    bench = bench_of(path, tmp_path / "bench")
    state = bench.frame(split="train")
    ape, bee = (state.index[state.label == name][0] for name in ("ape", "bee"))
    place = state.index[~state.index.isin([ape, bee])][0]
    new = 'a \\ new "class"'
    edit = pd.DataFrame(dict(sample=[ape, bee], label=["cow", new]))
    bench.edit(edit, who="ann", new_classes=[new])
    bench.edit(pd.DataFrame(dict(sample=[place], split=["val"])), who="ann")
    export_version(bench, tmp_path / "out", format="source", copy=True)
    after = (tmp_path / "out" / "animals" / "samples.json").read_text()
    changes = [
        (before[a:b], after[c:d])
        for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, False).get_opcodes()
        if tag != "equal"
    ]
    was = json.loads(before)["samples"]
    now = {row["filepath"]: row for row in json.loads(after)["samples"]}
    keys = dict(zip(state.index, state.key))
    assert sum(row != now[row["filepath"]] for row in was) == 3
    assert now[keys[ape]]["ground_truth"]["label"] == "cow"
    assert now[keys[bee]]["ground_truth"]["label"] == new
    assert now[keys[place]]["tags"] == ["val", "zoo"]
    assert sum(len(a) + len(b) for a, b in changes) < 60, "and nothing else"


def test_what_was_removed_goes_and_what_had_no_label_gets_one(tmp_path):
    path = writer("FiftyOneDataset")(tmp_path, make_pictures())
    text = json.loads((path / "samples.json").read_text())
    del text["samples"][0]["ground_truth"]
    text["samples"][1]["ground_truth"] = None
    (path / "samples.json").write_text(json.dumps(text, indent=2))
    bench = bench_of(path, tmp_path / "bench")
    state = bench.state()
    bare = list(state.index[state.label.isna()])
    assert len(bare) == 2
    bench.edit(pd.DataFrame(dict(sample=bare, label=["ape", "cow"])), who="ann")
    gone = list(bench.frame(split="train").index[[0, 1, -1]])
    bench.edit(pd.DataFrame(dict(sample=gone, keep=[False] * 3)), who="ann")
    write_in_place(bench)
    back = ask_fiftyone(do="read", path=str(path), kind="FiftyOneDataset")
    found = {f"data/{Path(file).name}": label for file, label, _ in back}
    kept = bench.frame()
    assert found == dict(zip(kept.key, kept.label)) and len(found) == 27
    assert len(list((path / "data").iterdir())) == 27


def test_which_field_is_asked_and_boxes_are_no_classes(tmp_path):
    path = write_rich(tmp_path, make_pictures(6))
    with pytest.raises(AmbiguousSource, match="--label-column second"):
        read_source(path)
    read = read_source(path, ImportOptions(columns={"label": "first"}))
    assert read.classes == ["cow", "bee", "ape"]
    assert read.frame.meta[0] == {"second": "q", "site": "zoo 0", "tags": ["zoo"]}
    assert read.notes == ["the field boxes (Detections) of 6 samples is not read"]
    with pytest.raises(UserError, match="pictures-only"):
        read_source(path, ImportOptions(columns={"label": "boxes"}))
    bare = read_source(path, ImportOptions(pictures_only=True))
    assert bare.frame.label.isna().all() and len(bare.frame) == 6


@pytest.mark.parametrize(
    "labels, word",
    [
        (
            '{"classes": ["a"], "labels": {"x": [{"label": "a", "bounding_box": [0, 0, 1, 1]}]}}',
            "boxes",
        ),
        ('{"classes": null, "labels": {"x": ["a", "b"]}}', "list of labels"),
        ('{"classes": null, "labels": {}}', "found none"),
        ('{"classes": null, "labels": {"x": "a"', "complete"),
        ('{"classes": null, "labels": {"../../x": "a", "/etc/passwd": "b"}}', "not in data/"),
    ],
)
def test_what_is_no_class_is_refused(labels, word, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.png").write_bytes(make_pictures(1)[0].png)
    (tmp_path / "labels.json").write_text(labels)
    with pytest.raises(UserError, match=word):
        source = read_source(tmp_path)
        raise UserError(str(source.left_out), "")


def test_a_source_that_changed_since_is_not_written(tmp_path):
    path = writer("FiftyOneImageClassificationDataset")(tmp_path, make_pictures())
    bench = bench_of(path, tmp_path / "bench")
    apes = bench.frame(split="train").query("label == 'ape'")
    bench.edit(pd.DataFrame(dict(sample=apes.index[:1], label=["cow"])), who="ann")
    old = (path / "labels.json").read_text()
    name = Path(apes.key.iloc[0]).stem
    new = old.replace(f'"{name}": "ape"', f'"{name}": "bee"')
    assert new != old
    (path / "labels.json").write_text(new)
    with pytest.raises(UserError, match="import it again"):
        write_in_place(bench)
    assert (path / "labels.json").read_text() == new


def test_json_keeps_what_is_around_a_change(tmp_path):
    old = '\ufeff{ "b":\t[1 , {"x": "\\u00e9"}, 3],\r\n\n "a": {"k": null,"l":{} } }\n\n'
    (tmp_path / "a.json").write_bytes(old.encode())
    text = JsonText(tmp_path / "a.json")
    members = text.members()
    text.replace(text.members(members["a"])["k"], "é")
    text.add_member(text.members(members["a"])["l"], "m", 1)
    text.remove(text.elements(members["b"]), {0, 2})
    text.write(tmp_path / "b.json")
    new = '\ufeff{ "b":\t[{"x": "\\u00e9"}],\r\n\n "a": {"k": "é","l":{"m": 1} } }\n\n'
    assert (tmp_path / "b.json").read_bytes() == new.encode()


def test_of_a_running_data_set_the_field_is_asked():
    two = dict(first="Classification", second="Classification", boxes="Detections")
    said = ask_fiftyone(do="choose", fields=two)
    assert "--label-column first" in said and "--label-column second" in said
    assert ask_fiftyone(do="choose", fields=two, asked="second") == "second"
    boxes = ask_fiftyone(do="choose", fields=dict(boxes="Detections"))
    assert "boxes (no classifications)" in boxes and "not read yet" in boxes
    assert (
        ask_fiftyone(do="choose", fields=two | dict(ground_truth="Classification"))
        == "ground_truth"
    )

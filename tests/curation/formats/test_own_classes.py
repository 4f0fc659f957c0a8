"""JSON that lists its classes: numbers get names where that is plain, and stay where it is not."""

import json

import pandas as pd
import pytest

import assay
from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.write import write_in_place
from tests.layouts.base import make_pictures
from tests.layouts.json_files import write_inaturalist

PICTURES = make_pictures(8)


def write(folder, **value):
    """A file of rows f and label, for as many pictures as there are numbers."""
    numbers = value.pop("numbers")
    for p in PICTURES:
        (folder / f"{p.name}.png").write_bytes(p.png)
    rows = [dict(file=f"{p.name}.png", label=n) for p, n in zip(PICTURES, numbers)]
    (folder / "x.json").write_text(json.dumps(value | dict(rows=rows)))
    return folder / "x.json"


every_list = pytest.mark.parametrize(
    "listed",
    [
        dict(classes=["cow", "ape", "bee"]),
        dict(id2label={"0": "cow", "1": "ape", "2": "bee"}),
        dict(label2id=dict(cow=0, ape=1, bee=2)),
        dict(categories=[dict(id=2, name="bee"), dict(id=0, name="cow"), dict(id=1, name="ape")]),
    ],
)


@every_list
def test_numbers_are_named_by_the_files_own_list(tmp_path, listed):
    source = read_source(write(tmp_path, numbers=[0, 1, 2, -1, 0, 1, 2, 0], **listed))
    assert source.frame.label.tolist() == ["cow", "ape", "bee", None, "cow", "ape", "bee", "cow"]
    assert source.classes == ["cow", "ape", "bee"]
    assert any("named by" in note for note in source.notes)


def test_a_list_may_count_from_one(tmp_path):
    source = read_source(write(tmp_path, numbers=[1, 2, 3, 1, 2, 3], classes=["a", "b", "c"]))
    assert source.frame.label.tolist() == ["a", "b", "c", "a", "b", "c"]


def test_where_it_counts_from_is_not_guessed(tmp_path):
    source = read_source(write(tmp_path, numbers=[1, 2, 1, 2], classes=["a", "b", "c", "d"]))
    assert set(source.frame.label) == {"1", "2"}
    assert any("does not plainly name" in note for note in source.notes)


def test_names_take_their_order_from_the_list(tmp_path):
    path = write(tmp_path, numbers=["b", "a", "b", "a"], classes=["b", "a", "never seen"])
    assert read_source(path).classes == ["b", "a", "never seen"]


def edit(source, folder, label, **options):
    bench = assay.create(folder)
    bench.add(source, who="ann", progress=False, **options)
    sample = bench.frame(split="train").index[0]
    bench.edit(pd.DataFrame(dict(sample=[sample], label=[label])), who="ann", new_classes=[label])
    return bench


@every_list
def test_a_class_that_the_list_lacks_is_added_at_its_end(tmp_path, listed):
    path = write(tmp_path, numbers=[0, 1, 2, 0, 1, 2, 0, 1], **listed)
    old = json.loads(path.read_text())
    write_in_place(edit(path, tmp_path / "bench", "dog"))
    source, new = read_source(path), json.loads(path.read_text())
    assert source.classes == ["cow", "ape", "bee", "dog"]
    assert source.frame.label.tolist().count("dog") == 1
    assert [row["label"] for row in new["rows"]].count(3) == 1
    assert [a == b for a, b in zip(old["rows"], new["rows"])].count(False) == 1


def test_a_list_that_would_not_tell_from_where_it_counts_is_refused(tmp_path):
    path = write(tmp_path, numbers=[0, 1, 2, 0, 1, 2, 0, 1], classes=["a", "b", "c"])
    before = path.read_bytes()
    bench = assay.create(tmp_path / "bench")
    bench.add(path, who="ann", progress=False)
    bench.rename_class("a", "dog", who="ann")
    with pytest.raises(UserError, match="dog at the end of classes"):
        write_in_place(bench)
    assert path.read_bytes() == before


def test_a_new_class_becomes_a_category(tmp_path):
    path = write_inaturalist(tmp_path, make_pictures())
    write_in_place(edit(path, tmp_path / "bench", "dog"))
    value = json.loads((path / "train2019.json").read_text())
    assert value["categories"][-1] == dict(id=3, name="dog")
    assert [row["category_id"] for row in value["annotations"]].count(3) == 1


def test_several_annotations_of_an_image_are_refused(tmp_path):
    path = write_inaturalist(tmp_path, make_pictures())
    value = json.loads((path / "val2019.json").read_text())
    value["annotations"].append(value["annotations"][0] | dict(id=99, category_id=0))
    (path / "val2019.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match="several"):
        read_source(path)


@pytest.mark.parametrize("extra", [dict(bbox=[0, 0, 2, 2]), dict(caption="an ape")])
def test_boxes_and_captions_in_the_middle_of_a_long_file_are_refused(tmp_path, extra):
    path = write_inaturalist(tmp_path, make_pictures())
    value = json.loads((path / "val2019.json").read_text())
    rows = [value["annotations"][0] | dict(id=i) for i in range(3_000)]
    value["annotations"] = [*rows, rows[0] | extra, *rows]
    (path / "train2019.json").unlink()
    (path / "val2019.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match="COCO"):
        read_source(path)


def test_images_that_no_file_names_have_no_label(tmp_path):
    path = write_inaturalist(tmp_path, make_pictures())
    (path / "test2019.json").unlink()
    source = read_source(path, ImportOptions())
    assert (source.frame.split == "pool").sum() == 6
    assert source.parents == dict(ape="Mammalia", bee="Insecta", cow="Mammalia")

"""Stories about what the columns of other people's tables are taken for, and what is asked."""

import json
import unicodedata

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from tests.curation.formats.test_read import folder

LABELS = ["cat", "dog", "emu"] * 4
N = range(12)
JPG = [f"{i}.jpg" for i in N]


def csv(root, images=(), **columns):
    folder(root, *images)
    root.mkdir(exist_ok=True)
    pd.DataFrame(columns).to_csv(root / "t.csv", index=False)
    return root / "t.csv"


def read(path, **options):
    return read_source(path, ImportOptions(**options))


def asked(path, *options, **given):
    """The stop before two readings, and the options that choose."""
    with pytest.raises(AmbiguousSource) as caught:
        read(path, **given)
    assert [r.option for r in caught.value.readings] == list(options), caught.value
    return caught.value


def refused(path, word, **given):
    with pytest.raises(UserError, match=word) as caught:
        read(path, **given)
    assert not isinstance(caught.value, AmbiguousSource)
    return caught.value


@pytest.mark.parametrize(
    "image", "file_name FileName filepath img_path image_id Id uri Image picture pic_file".split()
)
@pytest.mark.parametrize("label", ["label", "Target", "class_name", "y", "category", "diagnosis"])
def test_columns_under_the_names_of_the_field(image, label, tmp_path):
    source = read(csv(tmp_path, JPG, **{image: JPG, label: LABELS, "age": [f"{i}.5" for i in N]}))
    assert list(source.frame.label) == LABELS and list(source.frame.key) == JPG
    assert source.roles["image"] == f"the column {image}"
    assert source.roles["label"].startswith(f"the column {label} (3 classes)")
    assert source.roles["metadata"] == "the column age"


@pytest.mark.parametrize(
    ("column", "words", "splits"),
    [
        ("subset", ["training_set", "eval", "holdout"], ["train", "val", "test"]),
        ("Set", ["seg_train", "dev", "seg_test"], ["train", "val", "test"]),
        ("partition", ["TRAIN", "Valid", "TEST"], ["train", "val", "test"]),
        ("phase", ["train2017", "val2017", "test2017"], ["train", "val", "test"]),
        ("is_test", [False, False, True], ["train", "train", "test"]),
        ("is_train", ["yes", "no", "yes"], ["train", "test", "train"]),
    ],
)
def test_splits_in_other_words(column, words, splits, tmp_path):
    path = csv(tmp_path, JPG, image=JPG, label=LABELS, **{column: words * 4})
    source = read(path)
    assert list(source.frame["split"]) == splits * 4 and column in source.roles["split"]
    assert set(read(path, columns={"split": "none"}).frame["split"]) == {None}


def test_a_set_of_letters_is_metadata(tmp_path):
    source = read(csv(tmp_path, JPG, image=JPG, label=LABELS, set=list("ABCD") * 3))
    assert "split" not in source.roles and source.roles["metadata"] == "the column set"


def test_folds_are_always_asked_about(tmp_path):
    path = csv(tmp_path, JPG, image=JPG, label=LABELS, fold=[i % 3 for i in N])
    options = (
        "--split-column none",
        "--split-column fold --split-map 0=train,1=train,2=test",
        "--split-column none --group-column fold",
    )
    asked(path, *options)
    source = read(
        path, columns={"split": "fold"}, split_map={"0": "train", "1": "val", "2": "test"}
    )
    assert list(source.frame["split"]) == ["train", "val", "test"] * 4


def test_two_columns_of_images_are_asked_about(tmp_path):
    other = [f"masked/{i}.png" for i in N]
    names = dict(image=JPG, path=[f"masked/m{i}.png" for i in N])
    asked(
        csv(tmp_path, [*JPG, *names["path"]], **names, label=LABELS),
        "--image-column path",
        "--image-column image",
    )
    # those of which only one is there, or that name the same, are one reading
    source = read(csv(tmp_path / "b", JPG, image=JPG, path=other, url=JPG, label=LABELS))
    assert source.roles["image"] == "the column image" and "image names" in source.notes[0]


def test_two_columns_of_labels_are_asked_about(tmp_path):
    path = csv(tmp_path, JPG, image=JPG, label=LABELS, category=list("abcd") * 3)
    asked(path, "--label-column label", "--label-column category", "--label-column none")
    assert list(read(path, columns={"label": "category"}).frame.label) == list("abcd") * 3


@pytest.mark.parametrize("number", ["label", "class_id", "y"])
@pytest.mark.parametrize("name", ["label_name", "class_name", "breed"])
def test_names_beside_their_numbers_are_the_classes_in_order(number, name, tmp_path):
    order = ["emu", "cat", "dog"]
    numbers = [order.index(label) for label in LABELS]
    source = read(csv(tmp_path, JPG, image=JPG, **{number: numbers, name: LABELS}))
    assert list(source.frame.label) == LABELS and source.classes == order
    assert name in source.roles["label"] and number in source.roles["label"]


def test_one_of_several_columns_that_is_set_is_the_label(tmp_path):
    hot = {c: [float(label == c) for label in LABELS] for c in ("cat", "dog", "emu", "other")}
    source = read(csv(tmp_path, JPG, image=JPG, **hot))
    assert list(source.frame.label) == LABELS and source.classes == list(hot)
    hot["dog"][0] = 1.0
    several = read(csv(tmp_path / "b", JPG, image=JPG, **hot))
    assert several.task == "multilabel" and several.frame.label[0] == '["cat", "dog"]'
    pool = read(csv(tmp_path / "b", JPG, image=JPG, **hot), pictures_only=True)
    assert set(pool.frame["split"]) == {"pool"}


def test_what_is_no_label_of_an_image_is_refused_in_words(tmp_path):
    boxes = dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), [1] * 12)
    twice = [f"{i // 2}.jpg" for i in N]
    path = csv(tmp_path, JPG, filename=twice, **{"class": LABELS}, **boxes)
    refused(path, "boxes")
    source = read(path, pictures_only=True)
    assert len(source.frame) == 6 and "6 rows name an image again" in source.notes[0]
    many = ["None", "Mass|Edema", "Edema", "Mass"] * 3
    path = csv(tmp_path / "many", JPG, image=JPG, findings=many)
    asked(path, "--label-column findings", "--multilabel", "--pictures-only")
    assert "look like several" in read(path, columns={"label": "findings"}).notes[0]
    (tmp_path / "l.jsonl").write_text(
        "\n".join(json.dumps(dict(image=i, label=["a", "b"])) for i in JPG)
    )
    assert set(read(tmp_path / "l.jsonl").frame.label) == {'["a", "b"]'}
    refused(csv(tmp_path / "pixels", emotion=[1, 2] * 6, pixels=["0 1 2 3 4 5 6"] * 12), "pixels")


def test_no_names_in_the_first_line(tmp_path):
    folder(tmp_path, "1.jpg", "2.jpg")
    (tmp_path / "t.csv").write_text("1.jpg,cat\n2.jpg,dog\n")
    refused(tmp_path / "t.csv", "found an image: 1.jpg, cat")


# ---- where images are


@pytest.mark.parametrize(
    ("place", "cell", "how"),
    [
        ("im/{}.jpg", "im\\{}.jpg", "Windows paths"),
        ("im/{}.jpg", "C:\\data\\im\\{}.jpg", "Windows paths"),
        ("im/{}.jpg", "/home/joe/x/{}.jpg", "absolute paths of another folder"),
        ("im/{}.jpg", "{}", "names without an ending"),
        ("im/{}.jpg", "x/im/{}", "names without an ending"),
        ("im/Ü{}.JPG", "ü{}.jpg", "names in other capitals"),
        ("im/{}.jpg", "{}.jpg", "paths that begin at another folder"),
        ("im/{}.jpg", " im/{}.jpg", "blanks around names"),
        (unicodedata.normalize("NFD", "im/ü{}.jpg"), "im/ü{}.jpg", "names in another Unicode form"),
    ],
)
def test_images_are_found_where_one_fits(place, cell, how, tmp_path):
    places = [place.format(i) for i in N]
    source = read(csv(tmp_path, places, path=[cell.format(i) for i in N], label=LABELS))
    assert list(source.frame.uri) == [str(tmp_path / p) for p in places]
    assert list(source.frame.key) == places and f"{how} 12" in source.notes[0]


def test_a_root_for_images_elsewhere(tmp_path):
    folder(tmp_path / "far", *(f"train/{i:04}.jpg" for i in N))
    names = [f"{i:04}" for i in N]
    path = csv(tmp_path / "near", image_id=names, label=LABELS)
    source = read(path, images=tmp_path / "far")
    assert source.frame.uri[3] == str(tmp_path / "far/train/0003.jpg")
    absolute = csv(
        tmp_path / "abs", path=[str(tmp_path / f"far/train/{n}.jpg") for n in names], y=LABELS
    )
    refused(absolute, "leaves the manifest's folder")
    assert read(absolute, images=tmp_path).frame.key[3] == "far/train/0003.jpg"
    address = csv(
        tmp_path / "u", uri=[(tmp_path / f"far/train/{n}.jpg").as_uri() for n in names], y=LABELS
    )
    assert read(address, images=tmp_path).frame.key[3] == "far/train/0003.jpg"


def test_of_two_that_fit_none_is_taken(tmp_path):
    images = ["a/1.jpg", "b/1.jpg", "a/2.jpg", "c/3.jpg", "C/3.JPG"]
    path = csv(tmp_path, images, path=["1.jpg", "2.jpg", "c/3.jpg"], label=["x", "y", "x"])
    source = read(path)
    assert list(source.frame.key) == ["a/2.jpg", "c/3.jpg"]
    assert source.left_out == [("1.jpg", "names 1.jpg, which could be a/1.jpg or b/1.jpg (line 2)")]
    # the image of another class is none that fits
    path = csv(
        tmp_path / "d", ["dog/1.jpg", "2.jpg"], path=["cat/1.jpg", "2.jpg"], label=["x", "y"]
    )
    with pytest.raises(UserError, match="found one: y"):
        read(path)


def test_addresses_stay_as_they_are(tmp_path):
    urls = [f"s3://bucket/a/{i}.jpg" for i in N]
    source = read(csv(tmp_path, url=urls, label=LABELS))
    assert list(source.frame.uri) == urls == list(source.frame.key)


# ---- shards and hostile files


def test_shards_of_another_table_are_refused(tmp_path):
    for k, name in enumerate(("label", "class")):
        frame = pd.DataFrame({"image": JPG, name: LABELS})
        frame.to_parquet(tmp_path / f"part-{k:05}.parquet")
    refused(tmp_path, "in every shard")


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("deep.json", b'[{"image":' + b"[" * 200_000 + b"]" * 200_000 + b"}]", "nested too deeply"),
        ("wide.csv", b",".join(b"c%d" % i for i in range(1_000_000)), "at most 10,000 columns"),
        (
            "wide.jsonl",
            b"{%s}" % b",".join(b'"c%d":1' % i for i in range(20_000)),
            "at most 10,000",
        ),
        ("long.csv", b"path,label\n1.png," + b"a" * 10_000_000, "line 2"),
        ("number.json", b'[{"path": ' + b"1" * 100_000 + b"}]", "found"),
        ("torn.jsonl", b'{"path": "1.png"}\n{"path": ', "line 2"),
        ("coco.json", b'{"images": [{"id": 1}], "annotations": []}', "COCO"),
        ("mixed.csv", "path,label\nä,b\n".encode() + b"\xe4,b\n", "line 3"),
        ("torn.arrow", b"ARROW1\0\0" + b"x" * 100, "cannot be read as Arrow"),
        ("old.feather", b"FEA1" + b"x" * 100, "found version 1"),
        ("torn.xlsx", b"PK\3\4" + b"x" * 100, "cannot be read as an Excel"),
        ("torn.parquet", b"PAR1" + b"x" * 100, "cannot be read as Parquet"),
    ],
)
def test_hostile_tables_get_a_clear_word(name, content, word, tmp_path):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, word)


@pytest.mark.parametrize(
    "n, found",
    [(20_000, "found 20,000"), pytest.param(1_000_000, "found many more", marks=pytest.mark.daily)],
)
def test_parquet_of_too_many_columns_is_refused(tmp_path, n, found):
    """Of a million pyarrow does not even read the schema; to write them takes 15 s."""
    schema = pa.schema([(f"c{i}", pa.int8()) for i in range(n)])
    pq.ParquetWriter(tmp_path / "wide.parquet", schema, store_schema=False).close()
    refused(tmp_path / "wide.parquet", f"at most 10,000 columns, {found} in wide.parquet")


def test_a_number_beside_a_name_that_nothing_calls_a_label(tmp_path):
    numbers = [["emu", "cat", "dog"].index(label) for label in LABELS]
    source = read(csv(tmp_path, JPG, image=JPG, species=numbers, species_name=LABELS))
    assert list(source.frame.label) == LABELS and source.classes == ["emu", "cat", "dog"]
    # a column of numbers that happens to go along with the names is no index
    source = read(csv(tmp_path, JPG, image=JPG, label=LABELS, weight=numbers))
    assert source.classes == [] and source.roles["metadata"] == "the column weight"


def test_what_lies_beside_the_rows_of_a_json_file_is_named(tmp_path):
    folder(tmp_path, *JPG)
    rows = [dict(image=i, label=label) for i, label in zip(JPG, LABELS)]
    (tmp_path / "t.json").write_text(json.dumps(dict(classes=["a"], annotations=rows, info={})))
    source = read(tmp_path / "t.json")
    assert list(source.frame.label) == LABELS
    assert source.notes[0] == "read as rows: annotations; not read: classes, info"


def test_rows_without_images_are_samples_once_their_label_is_said(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("age;job;income\n" + "39;clerk;<=50K\n51;zooer;>50K\n" * 4)
    with pytest.raises(AmbiguousSource, match="could be it: income, job, age"):
        read_source(path)
    source = read_source(path, ImportOptions(columns=dict(label="income")))
    assert source.media == "row" and source.columns == dict(age="number", job="category")

"""Stories about sources: what a folder, a CSV or a Parquet file says, and every way in which it can be wrong."""

import csv
import json
import os
from collections import Counter
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assay.curation.errors import UserError
from assay.curation.formats import read
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.splits import make_splits
from tests.helpers import DATA


def read_source(path, split_map=None, images=None, **columns):
    return read.read_source(path, ImportOptions(columns, split_map or {}, images))


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), "red").save(path)


def folder(root, *files):
    for file in files:
        picture(root / file)
    return root


def table(root, rows, name="labels.csv", **options):
    """A CSV of `rows` (the first is the header), with a picture for everything that looks like a path inside."""
    for cell in (c for row in rows for c in row):
        if cell.endswith(".png") and not cell.startswith(("/", "..", "gone")):
            picture(root / cell)
    with open(root / name, "w", newline="", encoding=options.pop("encoding", "utf-8")) as f:
        csv.writer(f, **options).writerows(rows)
    return root / name


def parquet(file, **columns):
    pq.write_table(pa.table(columns), file)
    return file


def said(source):
    return {row.key: (row.label, row.split) for row in source.frame.itertuples()}


def refused(path, *words, hint="", **options):
    with pytest.raises(UserError) as caught:
        read_source(path, **options)
    for word in words:
        assert word in caught.value.problem, caught.value.problem
    assert hint in caught.value.hint, caught.value.hint


# --- folders


def test_class_folders(tmp_path):
    folder(
        tmp_path / "pets",
        "cat/1.jpg",
        "cat/deep/er/2.JPG",
        "dog/1.png",
        ".trash/x.png",
        "dog/._1.png",
        "__MACOSX/cat/1.jpg",
    )
    (tmp_path / "pets" / "dog" / "notes.txt").write_text("not a picture")
    source = read_source(tmp_path / "pets")
    assert (source.kind, source.name, source.left_out) == (
        "class folders",
        "pets",
        [],
    ) and [(u.ending, u.count) for u in source.unread] == [(".txt", 1)]
    assert said(source) == {
        "cat/1.jpg": ("cat", None),
        "cat/deep/er/2.JPG": ("cat", None),
        "dog/1.png": ("dog", None),
    }
    assert source.frame.uri[0] == str(tmp_path / "pets" / "cat" / "1.jpg")
    assert list(source.frame.columns) == ["key", "uri", "label", "split", "meta"]


def test_split_folders_in_many_words(tmp_path):
    folder(
        tmp_path, "Training/cat/1.png", "valid/dog/1.png", "TESTING/cat/1.png", "unlabelled/1.png"
    )
    folder(tmp_path, "guard/dog/2.png", "train/3.png", "4.png")
    source = read_source(tmp_path)
    assert source.kind == "split folders"
    assert said(source) == {
        "Training/cat/1.png": ("cat", "train"),
        "valid/dog/1.png": ("dog", "val"),
        "TESTING/cat/1.png": ("cat", "test"),
        "unlabelled/1.png": (None, "pool"),
        "guard/dog/2.png": ("dog", "guard"),
        "train/3.png": (None, "pool"),
        "4.png": (None, "pool"),
    }
    assert source.notes == ["1 unlabelled row of train go to pool"]


def test_a_class_may_be_called_train(tmp_path):
    source = read_source(folder(tmp_path, "train/1.png", "plane/1.png", "ship/1.png"))
    assert said(source)["train/1.png"] == ("train", None)


def test_a_folder_beside_the_splits_must_say_which_split_it_is(tmp_path):
    folder(
        tmp_path, "train/cat/1.png", "val/dog/1.png", "label_book/cat/1.png", "label_book/dog/2.png"
    )
    refused(tmp_path, "label_book (2)", hint="--split-map label_book=pool")
    assert said(read_source(tmp_path, split_map={"label_book": "pool"}))[
        "label_book/cat/1.png"
    ] == ("cat", "pool")
    refused(tmp_path, "label_book (2)", split_map={"label_book": "nonsense"})


def test_images_without_folders_are_a_pool(tmp_path):
    source = read_source(folder(tmp_path, "1.png", "2.png"))
    assert source.kind == "unlabelled images" and said(source) == {
        "1.png": (None, "pool"),
        "2.png": (None, "pool"),
    }


def test_a_folder_of_unlabelled_images_beside_the_classes(tmp_path):
    source = read_source(folder(tmp_path, "cat/1.png", "dog/1.png", "unlabeled/1.png"))
    assert said(source)["unlabeled/1.png"] == (None, "pool") and said(source)["cat/1.png"] == (
        "cat",
        None,
    )


def test_images_beside_their_manifest(tmp_path):
    table(tmp_path, [("path", "label"), ("1.png", "cat"), ("2.png", "dog")])
    source = read_source(tmp_path)
    assert said(source) == {"1.png": ("cat", None), "2.png": ("dog", None)}
    assert source.name == tmp_path.name and "read labels.csv" in source.notes[0]
    table(
        tmp_path, [("size", "colour"), ("1", "red")]
    )  # some other table: the images are what they are
    assert said(read_source(tmp_path))["1.png"] == (None, "pool")


def test_links_are_followed_but_not_in_a_circle(tmp_path):
    folder(tmp_path / "far", "1.png")
    folder(tmp_path / "set", "cat/1.png", "dog/1.png")
    (tmp_path / "set" / "cow").symlink_to(tmp_path / "far")
    (tmp_path / "set" / "dog" / "round").symlink_to(tmp_path / "set")
    assert set(said(read_source(tmp_path / "set"))) == {"cat/1.png", "cow/1.png", "dog/1.png"}


def test_odd_names_survive(tmp_path):
    names = ['a "quoted" one', "with, comma", "line\nbreak", "emoji 🐈", "naïve", " blank "]
    source = read_source(folder(tmp_path, *(f"{name}/{name}.png" for name in names)))
    assert set(source.frame.label) == set(names)
    assert all(os.path.isfile(uri) for uri in source.frame.uri)


def test_a_name_that_is_not_utf8_is_left_out(tmp_path):
    folder(tmp_path, "cat/1.png", "dog/1.png")
    try:
        os.rename(tmp_path / "dog" / "1.png", os.fsencode(tmp_path / "dog") + b"/\xff.png")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    picture(tmp_path / "dog" / "2.png")
    source = read_source(tmp_path)
    assert (
        source.left_out == [("dog/?.png", "has a name that is not UTF-8: rename it")]
        and len(source.frame) == 2
    )


def test_folders_that_are_no_source(tmp_path):
    refused(tmp_path / "nowhere", "found nothing", "nowhere")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "expected images in empty", "found nothing")
    (tmp_path / "phone").mkdir()
    for i in range(3):
        (tmp_path / "phone" / f"{i}.dng").write_bytes(b"x")
    refused(tmp_path / "phone", "3 .dng", hint=".png")
    (tmp_path / "notes.docx").write_bytes(b"x")
    refused(tmp_path / "notes.docx", "another kind of file", hint="assay docs")
    (tmp_path / "notes.xml").write_bytes(b"<a/>")
    refused(tmp_path / "notes.xml", "another kind of file", hint="CVAT's annotations.xml")
    with pytest.raises(UserError) as caught:
        read_source(tmp_path / "notes.xml")
    assert "yolo" not in caught.value.hint, "what formats of other endings expect tells nothing"
    folder(tmp_path / "torn", "1.png")
    (tmp_path / "torn" / "labels.csv").symlink_to(tmp_path / "moved.csv")
    refused(tmp_path / "torn", "cannot read", "labels.csv", hint="still there")
    refused(
        folder(tmp_path / "one", "images/cat/1.png", "images/cat/2.png"),
        "found one: cat",
        hint="one level deeper",
    )
    refused(
        folder(tmp_path / "two", "cat/1.png", "dog/1.png"),
        "--label-column",
        "folder of images",
        label="label",
    )


# --- CSV


def test_a_manifest_of_five_rows(tmp_path):
    path = table(
        tmp_path,
        [
            ("ID", "Image_Path", "Label", "SPLIT", "camera", ""),
            ("a", "x/1.png", "cat", "Train", "front", "0"),
            ("b", "x/2.png", "dog", "validation", "", "1"),
            ("c", "./x/../x/3.png", "cat", "test", "rear", "2"),
            ("d", "4.png", "", "train", "rear", "3"),
            ("e", "5.png", "dog", "", "rear", "4"),
        ],
    )
    source = read_source(path)
    assert source.kind == "csv manifest" and source.name == "labels.csv" and source.left_out == []
    splits = {
        "a": ("cat", "train"),
        "b": ("dog", "val"),
        "c": ("cat", "test"),
        "d": (None, "pool"),
        "e": ("dog", None),
    }
    assert said(source) == splits
    assert list(source.frame.uri) == [
        str(tmp_path / p) for p in ("x/1.png", "x/2.png", "x/3.png", "4.png", "5.png")
    ]
    assert list(source.frame.meta) == [
        {"camera": "front"},
        {},
        {"camera": "rear"},
        {"camera": "rear"},
        {"camera": "rear"},
    ]
    assert source.notes == ["1 unlabelled row of train go to pool"]
    assert source.frame.label[3] is None and source.frame.split[4] is None  # not NaN


def test_without_ids_the_path_is_the_key(tmp_path):
    path = table(
        tmp_path, [("file", "class"), ("./1.png", "cat"), (str(tmp_path / "b" / "2.png"), "dog")]
    )
    picture(tmp_path / "b" / "2.png")
    assert said(read_source(path)) == {"1.png": ("cat", None), "b/2.png": ("dog", None)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters(tmp_path, encoding, delimiter):
    labels = ["Käfer 🪲", 'say "hi"', "one\ntwo", "a,b;c\td", " blank "]
    rows = [("path", "label"), *((f"{i}.png", label) for i, label in enumerate(labels))]
    path = table(tmp_path, rows, encoding=encoding, delimiter=delimiter)
    assert list(read_source(path).frame.label) == labels


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["3", "4", ""], ["3", "4", None]),
        (["3.0", "4.0", ""], ["3", "4", None]),  # what pandas writes of whole numbers with a gap
        (["3.0", "4.5", "nan"], ["3.0", "4.5", None]),
        (["None", "NA", " "], ["None", "NA", None]),
    ],
)
def test_labels_are_text(tmp_path, cells, labels):
    path = table(
        tmp_path, [("path", "label"), *((f"{i}.png", cell) for i, cell in enumerate(cells))]
    )
    assert list(read_source(path).frame.label) == labels


def test_bad_rows_are_listed_and_the_good_ones_kept(tmp_path):
    picture(tmp_path.parent / "outside.png")
    path = table(
        tmp_path,
        [
            ("id", "path", "label"),
            ("a", "1.png", "cat"),
            ("b", "gone.png", "cat"),
            ("c", "../outside.png", "dog"),
            ("d", str(tmp_path.parent / "outside.png"), "dog"),
            ("a", "2.png", "dog"),
            ("e", "", "dog"),
            ("", "3.png", "dog"),
            ("f", "4.png", "dog", "surplus"),
            ("g", "5.png", "dog"),
        ],
    )
    source = read_source(path)
    assert said(source) == {"a": ("cat", None), "g": ("dog", None)}
    assert dict(source.left_out) == {
        "b": "names gone.png, which is not there (line 3)",
        "c": "names ../outside.png, which leaves the manifest's folder (line 4)",
        "d": f"names {tmp_path.parent / 'outside.png'}, which leaves the manifest's folder (line 5)",
        "a": "on line 6 has the same id as line 2, and another label, dog instead of cat",
        "e": "has no path (line 7)",
        "line 8": "has no id",
        "line 9": "has 4 cells, the header 3",
    }


def test_line_numbers_count_line_breaks_in_labels(tmp_path):
    path = table(
        tmp_path,
        [("path", "label"), ("1.png", "two\nlines"), ("2.png", "dog"), ("gone.png", "cat")],
    )
    assert read_source(path).left_out == [
        ("gone.png", "names gone.png, which is not there (line 5)")
    ]


def test_one_path_twice_is_one_id_twice(tmp_path):
    source = read_source(
        table(tmp_path, [("path", "label"), ("1.png", "cat"), ("./1.png", "dog"), ("2.png", "dog")])
    )
    assert (
        source.left_out
        == [("1.png", "on line 3 has the same id as line 2, and another label, dog instead of cat")]
        and len(source.frame) == 2
    )


@pytest.mark.parametrize(
    ("content", "words", "hint"),
    [
        (b"", ["nothing"], "row"),
        (b"path,label\n", ["header only"], "row"),
        (b"path,label\n1.png,caf\xe9\n", ["0xe9", "line 2"], "iconv"),
        ("path,label\n1.png,cat\n".encode("utf-16-le"), ["0x00", "line 1"], "iconv"),
        (b'path,label\n1.png,"cat\n2.png,dog\n', ["line 2"], "close the quote"),
        (b"path,label,label\n1.png,cat,dog\n", ["two columns named label"], "rename"),
        (b"size,label\n1,cat\n", ["column of image paths", "size, label"], "--image-column"),
        (b"path,size\n1.png,17\n2.png,18\n", ["label column", "path, size"], "--label-column"),
        (
            b"path,true_label,worst\n1.png,a,b\n1.png,a,a\n2.png,b,a\n2.png,b,b\n",
            ["be it: true_label, worst"],
            "--label-column",
        ),
        (b"path,class,class_id\n1.png,a,0\n2.png,b,1\n", ["class, class_id"], "--label-column"),
        (b"path,label\n1.png,cat\n2.png,cat\n", ["two classes", "found one: cat"], ""),
        (
            b"path,label,split\n1.png,cat,fold1\n2.png,dog,fold2\n",
            ["fold1 (1), fold2 (1)"],
            "--split-map fold1=pool,fold2=pool",
        ),
        (
            b"path,label\nno.png,cat\nnil.png,dog\n",
            ["none of its 2 rows", "no.png"],
            "--image-column",
        ),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path, content, words, hint):
    folder(tmp_path, "1.png", "2.png")
    (tmp_path / "m.csv").write_bytes(content)
    refused(tmp_path / "m.csv", *words, hint=hint)


def test_columns_can_be_named(tmp_path):
    rows = [
        ("nr", "pic", "a", "b", "fold", "who"),
        ("1", "1.png", "x", "q", "one", "p"),
        ("2", "2.png", "y", "q", "two", "p"),
    ]
    path = table(tmp_path, rows)
    columns = {"image": "pic", "label": "a", "split": "fold", "id": "nr", "group": "who"}
    source = read_source(path, **columns, split_map={"one": "train", "two": "val"})
    assert said(source) == {"1": ("x", "train"), "2": ("y", "val")}
    assert list(source.frame.group) == ["p", "p"] and list(source.frame.meta) == [
        {"b": "q", "who": "p"},
        {"b": "q", "who": "p"},
    ], "the group stays in the metadata, for assay split"
    assert set(read_source(path, image="pic", label="none", split="none").frame.split) == {"pool"}
    refused(
        path,
        "expected a column pic2",
        "nr, pic, a, b, fold, who",
        hint="--image-column",
        image="pic2",
    )


def test_label_by_what_the_columns_are_called(tmp_path):
    rows = [
        ("1.png", "cat", "front"),
        ("2.png", "dog", "rear"),
        ("3.png", "cat", "front"),
        ("4.png", "dog", "rear"),
    ]
    for header in [
        ("path", "label", "true_label"),
        ("path", "Class", "camera"),
        ("path", "target", "weather"),
    ]:
        assert list(read_source(table(tmp_path, [header, *rows])).frame.label) == [
            "cat",
            "dog",
            "cat",
            "dog",
        ], header
    few = [("path", "kind", "nr"), *((f"{i}.png", "ab"[i % 2], str(i)) for i in range(6))]
    assert set(read_source(table(tmp_path, few)).frame.label) == {
        "a",
        "b",
    }  # the only column with few values


# --- Parquet


def test_parquet_of_image_bytes(tmp_path):
    path = parquet(
        tmp_path / "p.parquet", image=[b"x", b"y", b"z"], label=[0, 1, None], mask=[b"", b"", b""]
    )
    source = read_source(path)
    assert source.kind == "parquet of images"
    assert said(source) == {"0": ("0", None), "1": ("1", None), "2": (None, "pool")}
    assert (
        list(source.frame.uri) == [f"{path}::{i}" for i in range(3)] and source.frame.meta[0] == {}
    )
    assert list(read_source(path, image="mask").frame.uri) == [
        f"{path}::{i}::mask" for i in range(3)
    ]


def test_parquet_as_hugging_face_has_it(tmp_path):
    pictures = [{"bytes": b"x", "path": "1.png"}, {"bytes": b"y", "path": "2.png"}]
    path = parquet(tmp_path / "p.parquet", img=pictures, label=["a", "b"])
    assert list(read_source(path).frame.uri) == [f"{path}::0", f"{path}::1"]


def test_parquet_of_paths(tmp_path):
    folder(tmp_path, "1.png", "2.png")
    path = parquet(
        tmp_path / "p.parquet", path=["1.png", "2.png"], label=["a", "b"], thumb=[b"", b""]
    )
    assert said(read_source(path)) == {"1.png": ("a", None), "2.png": ("b", None)}


def test_meta_is_json(tmp_path):
    columns = {
        "when": [date(2026, 1, 2), None],
        "size": [1.5, float("nan")],
        "tags": [["a", "b"], []],
        "n": [1, 2],
    }
    columns["box"] = [{"x": 1, "raw": b"?"}, None]
    source = read_source(
        parquet(tmp_path / "p.parquet", image=[b"x", b"y"], label=["a", "b"], **columns)
    )
    assert json.loads(json.dumps(list(source.frame.meta), allow_nan=False)) == [
        {
            "when": "2026-01-02",
            "size": 1.5,
            "tags": ["a", "b"],
            "box": {"x": 1, "raw": None},
            "n": 1,
        },
        {"tags": [], "n": 2},
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1, 2], ["1", "2"]),
        ([1.0, 2.5], ["1", "2.5"]),
        ([True, False], ["True", "False"]),
        ([float("nan"), 3.0], [None, "3"]),
    ],
)
def test_parquet_labels_are_text(tmp_path, labels, expected):
    path = parquet(
        tmp_path / "p.parquet",
        image=[b"x", b"y", b"z"],
        label=[*labels, labels[0] and type(labels[0])(7)],
    )
    assert list(read_source(path).frame.label)[:2] == expected


def test_parquet_that_cannot_be_used(tmp_path):
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and then nothing")
    refused(tmp_path / "cut.parquet", "cannot be read as Parquet", hint="complete")
    refused(
        parquet(
            tmp_path / "none.parquet",
            image=pa.array([], pa.binary()),
            label=pa.array([], pa.string()),
        ),
        "header only",
    )
    refused(
        parquet(tmp_path / "number.parquet", size=[1], label=["b"]),
        "column of image paths or bytes",
    )
    refused(parquet(tmp_path / "many.parquet", image=[b"x"], label=[{"a": "b"}]), "or structs")
    refused(
        parquet(tmp_path / "img.parquet", image=[b"x"], label=["a"]),
        "expected a column image",
        label="image",
    )


# --- what Assay exported


def test_an_export_brings_its_sample_ids(tmp_path):
    far = tmp_path / "far" / "1.png"
    picture(far)
    rows = parquet(tmp_path / "far" / "p.parquet", image=[b"x"], label=["a"])
    (tmp_path / "out").mkdir()
    a, b, c, d = (f"{i:032x}" for i in range(4))
    path = table(
        tmp_path / "out",
        [
            ("sample_id", "path", "label", "split", "key", "camera"),
            (a, str(far), "cat", "train", "k", "front"),
            (b, f"{rows}::0", "dog", "val", "k", ""),  # the same key in another source
            (c, str(far), "dog", "pool", "k2", ""),
            (c, str(far), "dog", "pool", "k3", ""),
            ("17", str(far), "dog", "pool", "k4", ""),
            (d, str(far) + "x", "dog", "pool", "k5", ""),
        ],
    )
    source = read_source(path)
    assert list(source.frame.id) == [a, b, c]
    assert said(source) == {"k": ("cat", "train"), b: ("dog", "val"), "k2": ("dog", "pool")}
    assert list(source.frame.uri) == [str(far), f"{rows}::0", str(far)]
    assert [key for key, _ in source.left_out] == [
        "k3",
        "k4",
        "k5",
    ] and "32 hex digits" in source.left_out[1][1]


# --- splits


def frame(labels, splits=None, keys=None, groups=None):
    n = len(labels)
    columns = {
        "key": keys or [f"k{i}" for i in range(n)],
        "label": labels,
        "split": splits or [None] * n,
    }
    return pd.DataFrame(columns | ({"group": groups} if groups else {}), dtype=object)


def test_splits_have_the_class_mix_of_the_whole():
    labels = ["cat"] * 1000 + ["dog"] * 300 + ["emu"] * 37 + [None] * 50
    splits = make_splits(frame(labels), [None] * len(labels))
    got = Counter(zip(labels, splits, strict=True))
    for label, n in [("cat", 1000), ("dog", 300), ("emu", 37)]:
        assert abs(got[label, "test"] - 0.2 * n) <= 1 and abs(got[label, "val"] - 0.1 * n) <= 1.5
    assert got[None, "pool"] == 50 and sum(got.values()) == len(labels)


def test_splits_know_the_seed_and_the_keys_but_not_the_order_of_rows():
    rng = np.random.default_rng(0)
    data = frame(
        [str(x) for x in rng.integers(0, 5, 300)],
        groups=[f"g{x}" for x in rng.integers(0, 200, 300)],
    )
    hashes = np.array([f"h{x}" for x in rng.integers(0, 250, 300)], object)
    once = dict(zip(data.key, make_splits(data, hashes), strict=True))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(300)
        again = data.iloc[order]
        assert dict(zip(again.key, make_splits(again, hashes[order]), strict=True)) == once
    assert dict(zip(data.key, make_splits(data, hashes, seed=1), strict=True)) != once


def test_copies_and_groups_stay_together():
    rng = np.random.default_rng(1)
    labels = [str(x) for x in rng.integers(0, 3, 400)]
    groups = [f"g{x}" if x < 150 else None for x in rng.integers(0, 300, 400)]
    hashes = [f"h{x}" for x in rng.integers(0, 350, 400)]
    splits = pd.Series(make_splits(frame(labels, groups=groups), hashes))
    assert (splits.groupby(hashes).nunique() == 1).all()
    assert (splits.groupby(pd.Series(groups)).nunique() == 1).all()
    assert 50 < (splits == "test").sum() < 110 and 20 < (splits == "val").sum() < 60


def test_a_source_without_val_gets_it_from_train_and_keeps_its_test():
    labels, splits = ["a", "b"] * 100, ["train"] * 160 + ["test"] * 40
    out = make_splits(frame(labels, splits), [None] * 200)
    assert out[160:] == ["test"] * 40
    got = Counter(zip(labels, out, strict=True))
    assert all(
        got[label, split] == n
        for label in "ab"
        for split, n in [("train", 72), ("val", 8), ("test", 20)]
    )
    complete = ["train"] * 100 + ["val"] * 50 + ["test"] * 50
    assert make_splits(frame(labels, complete), [None] * 200) == complete
    assert (
        make_splits(frame(labels, ["train"] * 100 + ["val"] * 100), [None] * 200).count("test") == 0
    )  # nobody asked for one


def test_new_rows_join_train_when_the_source_names_the_rest():
    splits = ["train", "val", "test", None, None]
    assert make_splits(frame(["a", "b", "a", "b", "a"], splits), [None] * 5) == [
        "train",
        "val",
        "test",
        "train",
        "train",
    ]


def test_a_copy_follows_the_image_that_has_a_place():
    splits = ["train", "train", "val", "test", None, None, "pool"]
    out = make_splits(
        frame(["a", "b", "a", "b", "b", "a", "a"], splits), ["1", "2", "3", "4", "4", "3", "1"]
    )
    assert out == ["train", "train", "val", "test", "test", "val", "pool"]


def test_a_copy_of_a_test_image_is_not_carved_into_val():
    n = 50
    splits, hashes = ["train"] * n + ["test"] * n, [str(i) for i in range(n)] * 2
    assert make_splits(frame(["a", "b"] * n, splits), hashes).count("val") == 0


@pytest.mark.parametrize(
    "letters", ["", "-", "a", "abc", "abb", "aabb", "aaabbb", "a" * 1000 + "b"]
)
@pytest.mark.parametrize("share", [(0.1, 0.2), (0, 0), (0.4, 0.5)])
def test_train_keeps_a_sample_of_every_class(letters, share):
    labels = [None if c == "-" else c for c in letters]
    splits = make_splits(frame(labels), [None] * len(labels), val=share[0], test=share[1])
    in_train = {label for label, split in zip(labels, splits, strict=True) if split == "train"}
    assert in_train == set(labels) - {None} and len(splits) == len(labels)
    if len(labels) >= 6 and share[0]:
        assert {"val", "test"} <= set(splits)


def test_the_only_dog_stays_in_train_though_its_group_is_drawn():
    labels, groups = ["cat"] * 40 + ["dog"], [f"g{i // 4}" for i in range(40)] + ["g0"]
    for seed in range(30):
        assert make_splits(frame(labels, groups=groups), [None] * 41, seed)[40] == "train"


def test_twenty_thousand_identical_images_stay_in_train():
    assert set(make_splits(frame(["a", "b"] * 10_000), ["same"] * 20_000)) == {"train"}


def test_a_thousand_classes_of_one_sample():
    assert set(make_splits(frame([str(i) for i in range(1000)]), [None] * 1000)) == {"train"}


# --- real data


def data(name):
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in {DATA}: set ASSAY_DATA")
    return DATA / name


@pytest.mark.slow
def test_cifar10n_lists_its_four_labels():
    path = data("cifar10n.parquet")
    refused(path, "4 that could be it: true_label, aggre, rand1, worst", hint="--label-column")
    source = read_source(path, label="aggre")
    assert source.left_out == [] and source.frame.split.value_counts().to_dict() == {
        "train": 50_000,
        "test": 10_000,
    }
    truth = pd.read_parquet(path, columns=["id", "aggre", "worst"])
    assert (source.frame.key == truth.id).all() and (source.frame.label == truth.aggre).all()
    assert [m["worst"] for m in source.frame.meta] == list(
        truth.worst
    ) and "aggre" not in source.frame.meta[0]
    splits = pd.Series(make_splits(source.frame, [None] * 60_000))
    assert splits.value_counts().to_dict() == {"train": 45_000, "test": 10_000, "val": 5_000}


def test_roman_numerals_need_their_splits_explained():
    path = data("roman_numerals.parquet")
    refused(path, "test_hidden (2,420), label_book (52)", hint="--split-map")
    source = read_source(path, split_map={"label_book": "pool", "test_hidden": "test"})
    assert source.frame.split.value_counts().to_dict() == {
        "test": 2420,
        "train": 2067,
        "val": 813,
        "pool": 52,
    }
    assert set(source.frame.label) == {"i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"}


def test_coco_crops_are_a_pool():
    path = data("coco_crops64.parquet")
    refused(path, "coco_class, cifar10_class", hint="none for a pool")
    source = read_source(path, label="none")
    assert set(source.frame.split) == {"pool"} and len(source.frame) == 1077
    labelled = read_source(path, label="cifar10_class")
    assert (
        labelled.frame.label.notna().sum() == 70 and (labelled.frame.split == "pool").sum() == 1007
    )

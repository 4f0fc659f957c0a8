"""Every layout: read as it was meant, returned to the byte, and changed where somebody changed it."""

import filecmp
import os
from importlib.util import find_spec

import pandas as pd
import pytest

import assay
from assay.curation import UserError
from assay.curation.formats.patches import list_all_files
from assay.curation.formats.read import read_source
from assay.curation.formats.write import export_version, write_in_place
from assay.curation.media.originals import read_bytes
from tests.helpers import ROOT
from tests.layouts.base import CLASSES, list_layouts, pictures_of, pixel_hash
from tests.layouts.readers import READ_AS

LAYOUTS = list_layouts()
# where a folder or a shard says the split, and images do not move into another: a note says so
SAID = {
    *("names that begin with the class", "imagefolder csv", "a table in each split's folder"),
    *("Kaggle's table", "Roboflow's classes", "parquet shards", "iNaturalist's JSON"),
    *("WebDataset, numbers alone", "WebDataset, numbers and names", "WebDataset, texts"),
    *("WebDataset, numbers and classes.txt", "a tar for each split", "a zip for each split"),
    *("a number beside each image", "JSON beside each image"),
    # the list of val says the classes of its images
    *("Tiny ImageNet", "ImageNet of Kaggle", "ImageNet and its devkit"),
}
# each class has a column, or a number that nothing names, or one of WordNet's
NO_NEW_CLASS = {"one-hot columns", "WebDataset, numbers and names"}
NO_NEW_CLASS |= {"Tiny ImageNet", "ImageNet of Kaggle", "ImageNet and its devkit"}
every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
# one of each format, and the others of it once a day
FIRST = list({READ_AS[layout.name]: layout for layout in reversed(LAYOUTS)}.values())
OTHERS = [
    pytest.param(layout, marks=pytest.mark.daily) for layout in LAYOUTS if layout not in FIRST
]
each_format = pytest.mark.parametrize("layout", [*FIRST, *OTHERS], ids=lambda layout: layout.name)


def write(layout, folder):
    if layout.needs:
        # not imported: FiftyOne keeps the first database that a process meets
        if find_spec(layout.needs) is None:
            pytest.skip(f"{layout.needs} is not installed")
    folder.mkdir(exist_ok=True)
    return layout.write(folder, pictures_of(layout))


def labels_of(layout):
    return {pixel_hash(p.png): p.label for p in pictures_of(layout)}


def reading_options(layout):
    names = ("columns", "split_map", "images", "format", "class_level")
    return {name: getattr(layout.options, name) for name in names}


def import_layout(layout, path, folder):
    return assay.create(folder).add(path, who="ann", progress=False, **reading_options(layout))


def change(layout, bench, n=3):
    """Give n samples of train another class; returns the labels that there are then, by pixels."""
    frame = bench.frame(split="train").iloc[:n]
    names = ["0", "1", "2"] if layout.numbers else CLASSES
    new = {i: names[(names.index(label) + 1) % 3] for i, label in frame.label.items()}
    bench.edit(pd.DataFrame(dict(sample=list(new), label=list(new.values()))), who="ann")
    changed = {pixel_hash(read_bytes(frame.uri[i])): label for i, label in new.items()}
    return labels_of(layout) | changed


def only(folder):
    (path,) = [p for p in folder.iterdir() if p.name != "assay.json"]
    return path


def tree(path):
    return [""] if path.is_file() else list_all_files(path)


def differing(one, two):
    """Files that are not the same in two folders."""
    assert os.path.isfile(one) == os.path.isfile(two)
    both = set(tree(one)) | set(tree(two))

    def same(file):
        a, b = (one / file, two / file) if file else (one, two)
        return a.exists() and b.exists() and filecmp.cmp(a, b, shallow=False)

    return sorted(file for file in both if not same(file))


@every_layout
def test_it_is_read_as_it_was_meant(layout, tmp_path):
    source = read_source(write(layout, tmp_path / "in"), layout.options)
    found = {
        pixel_hash(read_bytes(row.uri)): (row.label, row.split) for row in source.frame.itertuples()
    }
    splits = {pixel_hash(p.png): layout.splits.get(p.split) for p in pictures_of(layout)}
    assert {h: label for h, (label, _) in found.items()} == labels_of(layout)
    assert {h: split for h, (_, split) in found.items()} == splits
    assert {unread.ending for unread in source.unread} == set(layout.unread)
    assert "label" in source.roles and source.kind
    assert source.format == READ_AS[layout.name].format, "as the reference says"


def test_the_reference_lists_every_layout():
    assert set(READ_AS) == {layout.name for layout in LAYOUTS}
    assert f"{len(LAYOUTS)} layouts come back" in (ROOT / "README.md").read_text()


@pytest.mark.daily
@each_format
def test_without_a_change_it_comes_back_to_the_byte(layout, tmp_path):
    path = write(layout, tmp_path / "in")
    bench = import_layout(layout, path, tmp_path / "bench")
    export_version(bench, tmp_path / "out", format="source", copy=True)
    assert differing(path, only(tmp_path / "out")) == []
    before = {file: os.stat(path / file if file else path).st_mtime_ns for file in tree(path)}
    assert all(row["backup"] is None for row in write_in_place(bench))
    assert before == {
        file: os.stat(path / file if file else path).st_mtime_ns for file in tree(path)
    }


@each_format
def test_changes_come_back_and_nothing_else(layout, tmp_path):
    path = write(layout, tmp_path / "in")
    bench = import_layout(layout, path, tmp_path / "bench")
    want = change(layout, bench)
    export_version(bench, tmp_path / "out", format="source", copy=True)
    out = only(tmp_path / "out")
    assert layout.read_back(out) == want
    if layout.text:
        old, new = (p.read_bytes().splitlines() for p in (path, out))
        assert sum(a != b for a, b in zip(old, new, strict=True)) == 3
    again = read_source(out, layout.options)
    assert {pixel_hash(read_bytes(r.uri)): r.label for r in again.frame.itertuples()} == want


@pytest.mark.daily
@every_layout
def test_mended_in_place_the_source_says_what_the_bench_says(layout, tmp_path):
    path = write(layout, tmp_path / "in")
    write(layout, tmp_path / "kept")
    bench = import_layout(layout, path, tmp_path / "bench")
    want = change(layout, bench)
    (done,) = write_in_place(bench)
    assert done["changes"] == 3 and os.path.isdir(done["backup"])
    assert layout.read_back(path) == want
    out = export_version(bench, tmp_path / "out", format="manifest")
    bench.add(path, who="ann", progress=False, **reading_options(layout))
    again = export_version(bench, tmp_path / "again", format="manifest")
    assert again["tree"] == out["tree"], "importing it again changes nothing"


@each_format
@pytest.mark.daily
def test_removed_samples_go_and_moved_ones_change_their_split(layout, tmp_path):
    path = write(layout, tmp_path / "in")
    bench = import_layout(layout, path, tmp_path / "bench")
    frame = bench.frame()
    gone = frame[frame["split"] == "train"].iloc[[0, 2]]
    moved = frame[frame["split"] == "val"].iloc[[0, 1]]
    bench.edit(pd.DataFrame(dict(sample=gone.index, keep="false")), who="ann")
    bench.edit(pd.DataFrame(dict(sample=moved.index, split="train")), who="ann")
    hashes = {uri: pixel_hash(read_bytes(uri)) for uri in [*gone.uri, *moved.uri]}
    want = {
        h: label for h, label in labels_of(layout).items() if h not in map(hashes.get, gone.uri)
    }
    notes = export_version(bench, tmp_path / "out", format="source", copy=True)["notes"]
    out = only(tmp_path / "out")
    assert layout.read_back(out) == want
    again = read_source(out, layout.options).frame
    split = {pixel_hash(read_bytes(row.uri)): row.split for row in again.itertuples()}
    assert {h: label for h, label in split.items() if h not in want} == {}
    if layout.splits and layout.name not in SAID:
        assert {split[hashes[uri]] for uri in moved.uri} == {"train"}
    elif layout.name in SAID or "val" in layout.splits.values():
        assert any("split" in note for note in notes)


@each_format
@pytest.mark.daily
def test_renamed_classes_come_back_also_where_a_list_declares_classes(layout, tmp_path):
    """Two, whose new names are not in the order of the alphabet: a list gets them as it numbers them."""
    path = write(layout, tmp_path / "in")
    bench = import_layout(layout, path, tmp_path / "bench")
    new = {"1": "7", "2": "5"} if layout.numbers else {CLASSES[1]: "zebu", CLASSES[2]: "dingo"}
    if layout.name == "split folders and data.yaml":
        new.popitem()  # a list that names fewer than half of the folders is not taken for theirs
    for old, name in new.items():
        bench.rename_class(old, name, who="ann")
    if layout.name in NO_NEW_CLASS:
        with pytest.raises(UserError, match="dingo|zebu"):
            export_version(bench, tmp_path / "out", format="source", copy=True)
        return
    want = {h: new.get(label, label) for h, label in labels_of(layout).items()}
    export_version(bench, tmp_path / "out", format="source", copy=True)
    out = only(tmp_path / "out")
    assert layout.read_back(out) == want
    again = read_source(out, layout.options)
    assert {pixel_hash(read_bytes(r.uri)): r.label for r in again.frame.itertuples()} == want
    declared = read_source(path, layout.options).classes
    if layout.name != "numbers and names":  # whose names stand beside the numbers of images alone
        assert again.classes[: len(declared)] == declared, "the numbers of the others stay"


def test_a_list_that_would_be_read_otherwise_is_refused(tmp_path):
    """Names without numbers, and no line says 0 any more: nobody could tell where it counts from."""
    layout = next(layout for layout in LAYOUTS if layout.name == "lists of paths and numbers")
    path = write(layout, tmp_path / "in")
    bench = import_layout(layout, path, tmp_path / "bench")
    bench.rename_class(CLASSES[0], "dingo", who="ann")
    with pytest.raises(UserError, match="counts from 0 or from 1"):
        export_version(bench, tmp_path / "out", format="source", copy=True)

"""Class folders with files beside them: names of classes, and lists of what lies in no class's folder."""

import json

import pandas as pd
import pytest

import assay
from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from assay.curation.formats.write import write_in_place
from tests.layouts.base import make_pictures
from tests.layouts.listed_folders import (
    NAMES,
    put,
    write_devkit_with_words,
    write_gtsrb,
    write_tiny_imagenet,
)

PICTURES = make_pictures()


def said(path, **options):
    frame = read_source(path, ImportOptions(**options)).frame
    return {row.key: (row.label, row.split) for row in frame.itertuples()}


def relabel(path, folder, key, label, **options):
    """Import, give one image another label, and mend the source in place."""
    bench = assay.create(folder)
    bench.add(path, who="ann", progress=False, **options)
    frame = bench.frame()
    (sample,) = frame.index[frame.key == key]
    bench.edit(pd.DataFrame(dict(sample=[sample], label=[label])), who="ann", new_classes=["dog"])
    write_in_place(bench)


def test_a_listed_image_changes_in_its_list(tmp_path):
    path = write_tiny_imagenet(tmp_path, PICTURES)
    key = "val/images/pic_002.JPEG"
    assert said(path)[key] == ("cow", "val")
    before = (path / "val" / "val_annotations.txt").read_text()
    relabel(path, tmp_path / "bench", key, "bee")
    after = (path / "val" / "val_annotations.txt").read_text()
    old = "pic_002.JPEG\tn00000002"
    assert after == before.replace(old, "pic_002.JPEG\tn00000001") != before
    assert (path / key).is_file(), "the image stays where it is"


def test_a_list_of_numbers_names_folders_with_zeros(tmp_path):
    path = write_gtsrb(tmp_path, PICTURES)
    key = "Final_Test/Images/pic_002.ppm"
    relabel(path, tmp_path / "bench", key, "ape", split_map={"Final_Test": "val"})
    lines = (path / "Final_Test" / "Images" / "GT-final_test.csv").read_text().splitlines()
    assert lines[1] == "pic_002.ppm;10;12;1;2;2;1;0" and lines[2].endswith(";2")


def test_images_that_no_list_names_have_no_label(tmp_path):
    path = write_tiny_imagenet(tmp_path, PICTURES)
    put(path / "test" / "images" / "test_0.JPEG", make_pictures(31, seed=5)[30])
    assert said(path)["test/images/test_0.JPEG"] == (None, "pool")
    (path / "val" / "val_annotations.txt").write_text("pic_002.JPEG\tn00000001\t0\t0\t9\t9\n")
    found = said(path)
    assert found["val/images/pic_002.JPEG"] == ("bee", "val")
    assert found["val/images/pic_007.JPEG"] == (None, "pool")


def test_two_columns_that_could_be_the_class_are_asked(tmp_path):
    path = write_gtsrb(tmp_path, PICTURES)
    file = path / "Final_Test" / "Images" / "GT-final_test.csv"
    file.write_text(file.read_text().replace("ClassId", "Sign"))
    with pytest.raises(AmbiguousSource) as caught:
        read_source(path)
    assert "--label-column 8" in [reading.option for reading in caught.value.readings]
    assert said(path, columns={"label": "8"})["Final_Test/Images/pic_002.ppm"][0] == "cow"


def test_the_ground_truth_of_imagenet_needs_its_devkit(tmp_path):
    path = write_devkit_with_words(tmp_path, PICTURES)
    assert said(path)["val/ILSVRC2012_val_00000001.JPEG"] == ("cow", "val")
    (path / "ILSVRC2012_devkit_t12" / "data" / "meta.mat").unlink()
    with pytest.raises(UserError, match=r"meta\.mat"):
        read_source(path)


def named(root, names, file="synset_words.txt"):
    """Folders of wnids with names beside them -> what was read."""
    for p in PICTURES:
        wnid = next(w for w, name in NAMES.items() if name == p.label)
        put(root / wnid / f"{p.name}.png", p)
    (root / file).write_text(names)
    return read_source(root)


def test_classes_of_one_name_stay_apart(tmp_path):
    source = named(tmp_path / "x", "n00000000 crane\nn00000001 crane\nn00000002 cow\n")
    assert set(source.frame.label) == {"crane (n00000000)", "crane (n00000001)", "cow"}


def test_a_folder_without_a_name_keeps_its_own(tmp_path):
    source = named(tmp_path / "x", "n00000000 ape\nn00000001 bee\n")
    assert set(source.frame.label) == {"ape", "bee", "n00000002"}
    assert any("n00000002" in note for note in source.notes)


def test_a_new_class_among_ids_that_a_list_names_is_refused(tmp_path):
    """Whoever reads synset_words.txt would find no name for a folder dog among WordNet's."""
    text = "".join(f"{wnid} {name}, an animal\n" for wnid, name in NAMES.items())
    path = tmp_path / "x"
    key = named(path, text).frame.key[0]
    before = said(path)
    with pytest.raises(UserError, match="names, found dog"):
        relabel(path, tmp_path / "bench", key, "dog", no_test=True)
    assert said(path) == before


@pytest.mark.parametrize(
    "file, text",
    [
        ("classes.txt", "n00000002\nn00000000\nn00000001\n"),
        ("classes.txt", "n00000002 0\nn00000000 1\nn00000001 2\n"),
        ("class_indices.json", json.dumps({"n00000000": 1, "n00000002": 0, "n00000001": 2})),
        ("data.yaml", "nc: 3\nnames: [n00000002, n00000000, n00000001]\n"),
    ],
)
def test_a_list_of_the_folders_says_their_order(tmp_path, file, text):
    source = named(tmp_path / "x", text, file)
    assert source.classes == ["n00000002", "n00000000", "n00000001"]
    assert set(source.frame.label) == set(source.classes)
    assert file in source.roles["label"]


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"a": ["b"]}', "[]", '{"n00000000": null}'])
def test_a_file_that_names_no_classes_is_left_alone(tmp_path, text):
    source = named(tmp_path / "x", text, "classes.json")
    assert set(source.frame.label) == set(NAMES)
    assert [unread.ending for unread in source.unread] == [".json"]


@pytest.mark.parametrize(
    "text, word",
    [
        ("names: [n00000000]\n", "data.yaml has 1 of the 3 classes: the labels stay"),
        ("names: [\xff", "data.yaml cannot be read: the labels stay"),
    ],
)
def test_a_list_that_is_passed_over_is_said(tmp_path, text, word):
    named(tmp_path / "x", "names: []", "data.yaml")
    (tmp_path / "x" / "data.yaml").write_bytes(text.encode("latin-1"))
    source = read_source(tmp_path / "x")
    assert set(source.frame.label) == set(NAMES)
    assert any(note.startswith(word) for note in source.notes), source.notes


def test_a_new_folder_that_the_list_lacks_is_said(tmp_path):
    named(tmp_path / "x", "names: [n00000002, n00000000, n00000001]\n", "data.yaml")
    bench = assay.create(tmp_path / "bench").add(tmp_path / "x", progress=False)
    edit = pd.DataFrame(dict(sample=bench.frame(split="train").index[:1], label="dingo"))
    bench.edit(edit, who="ann", new_classes=["dingo"])
    notes = bench.export(tmp_path / "out", format="source", copy=True)["notes"]
    assert any("data.yaml does not list dingo" in note for note in notes), notes


def bare(root):
    for p in PICTURES:
        put(root / "images" / f"{p.name}.png", p)
    return root


def test_a_table_of_ids_beside_a_folder_of_images_is_read(tmp_path):
    rows = "".join(f"{p.name},{p.label},{p.split}\n" for p in PICTURES)
    (bare(tmp_path) / "metadata.csv").write_text(f"image_id,y,split\n{rows}")
    assert said(tmp_path)["images/pic_000.png"] == (PICTURES[0].label, PICTURES[0].split)


@pytest.mark.parametrize(
    "file, line",
    [
        ("notes.txt", "seen: {0}.png, {1}\n"),
        ("truth.xml", "<image name='images/{0}.png'><kind>{1}</kind></image>\n"),
        ("index.json", '["{0}.png", "{1}"]\n'),
    ],
)
def test_a_file_that_names_images_is_not_passed_over(tmp_path, file, line):
    text = "".join(line.format(p.name, p.label) for p in PICTURES)
    (bare(tmp_path) / file).write_text(text)
    with pytest.raises(UserError):
        read_source(tmp_path)
    assert set(read_source(tmp_path, ImportOptions(pictures_only=True)).frame.label) == {None}


def test_captions_on_the_lines_of_a_list_are_asked(tmp_path):
    """As Flickr8k's captions.txt."""
    text = "image,caption\n" + "".join(
        f"{p.name}.png,A {p.label} by {p.name} .\n" for p in PICTURES
    )
    (bare(tmp_path) / "captions.txt").write_text(text)
    with pytest.raises(AmbiguousSource, match="captions"):
        read_source(tmp_path)


@pytest.mark.parametrize("texts", ["conversations", "messages"])
def test_conversations_are_no_labels(tmp_path, texts):
    """As LLaVA's instructions."""
    rows = [{"image": f"images/{p.name}.png", texts: [{"from": "gpt"}]} for p in PICTURES]
    (bare(tmp_path) / "llava.json").write_text(json.dumps(rows))
    with pytest.raises(UserError, match=f"{texts} is no class"):
        read_source(tmp_path)


def test_the_split_of_a_list_is_a_word_of_its_name(tmp_path):
    """As Places365's and FGVC-Aircraft's lists are called."""
    for split in ("train", "val", "test"):
        here = [p for p in PICTURES if p.split == split]
        lines = "".join(f"images/{p.name}.png {p.label}\n" for p in here)
        (bare(tmp_path) / f"places365_{split}_standard.txt").write_text(lines)
    splits = {f"images/{p.name}.png": (p.label, p.split) for p in PICTURES}
    assert said(tmp_path) == splits

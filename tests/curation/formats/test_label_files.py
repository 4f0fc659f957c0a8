"""A file beside each image: read as its class where it is one, asked or left alone where not."""

import pytest

from assay.curation.errors import AmbiguousSource, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.read import read_source
from tests.layouts.base import make_pictures

PICTURES = make_pictures(12)


def beside(root, text, place=lambda p: p.name, ending=".txt"):
    for p in PICTURES:
        file = root / f"{place(p)}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(p.png)
        file.with_suffix(ending).write_text(text(p))
    return root


def options(path, **asked):
    with pytest.raises(AmbiguousSource) as caught:
        read_source(path, ImportOptions(**asked))
    return [reading.option for reading in caught.value.readings]


@pytest.mark.parametrize("text", ["a photo of {}", "0.5{}", "1girl, solo, {}"])
def test_captions_and_measures_are_asked(tmp_path, text):
    path = beside(tmp_path, lambda p: text.format(p.name[-3:]))
    assert options(path) == ["--format label-files", "--pictures-only"]
    alone = read_source(path, ImportOptions(pictures_only=True))
    assert set(alone.frame.label) == {None} and len(alone.frame) == 12
    assert len(set(read_source(path, ImportOptions(format="label-files")).frame.label)) == 12


def test_names_of_several_words_are_classes_where_they_come_again(tmp_path):
    path = beside(tmp_path, lambda p: f"a big {p.label}")
    assert set(read_source(path).frame.label) == {"a big ape", "a big bee", "a big cow"}


def test_captions_in_class_folders_leave_the_folders_their_say(tmp_path):
    path = beside(tmp_path, lambda p: f"seen at {p.name}", lambda p: f"{p.label}/{p.name}")
    source = read_source(path)
    assert source.format == "folders" and set(source.frame.label) == {"ape", "bee", "cow"}
    assert [unread.ending for unread in source.unread] == [".txt"]


def test_folders_and_files_that_both_name_classes_are_asked(tmp_path):
    path = beside(tmp_path, lambda p: p.split, lambda p: f"{p.label}/{p.name}")
    assert options(path) == ["--format label-files", "--format folders"]


def test_several_lines_are_several_labels(tmp_path):
    path = beside(tmp_path, lambda p: p.label)
    (tmp_path / f"{PICTURES[0].name}.txt").write_text("ape\nbee\n")
    with pytest.raises(UserError, match="pictures-only"):
        read_source(path)


def test_boxes_stay_refused(tmp_path):
    path = beside(tmp_path, lambda p: "0 0.5 0.5 0.25 0.25\n")
    with pytest.raises(UserError, match="YOLO"):
        read_source(path)


def test_an_image_without_a_file_has_no_label_and_a_file_without_an_image_is_told(tmp_path):
    path = beside(tmp_path, lambda p: p.label)
    (path / f"{PICTURES[0].name}.txt").unlink()
    (path / "other.txt").write_text("ape")
    source = read_source(path)
    assert source.frame.label[source.frame.key == f"{PICTURES[0].name}.png"].tolist() == [None]
    assert [unread.first for unread in source.unread] == ["other.txt"]
    assert any("1 image has no such file" in note for note in source.notes)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boxes": []}', '{"label": ["a", "b"]}'])
def test_json_without_one_label_is_left_alone(tmp_path, text):
    path = beside(tmp_path, lambda p: text, lambda p: f"{p.label}/{p.name}", ".json")
    assert read_source(path).format == "folders"

"""Archives without a text are listed by their names alone, and as the folder of these names is."""

import tarfile
import zipfile

import numpy as np
import pytest

from assay import UserError
from assay.curation.formats.read import read_source
from tests.helpers import png

BLOB = png(np.zeros((8, 8)))
TREES = {
    "classes": ["b/1.png", "a.b/2.png", "a/3.png", "a/deep/4.png", "a-b/é.png"],
    "wrapped": ["photos/cat/1.png", "photos/dog/2.png"],
    "splits": ["train/a/1.png", "train/b/2.png", "valid/a/3.png", "test/b/4.png", "test/5.png"],
    "pool": ["cat/1.png", "dog/2.png", "unlabelled/3.png"],
    "loose": ["a/1.png", "b/2.png", "3.png"],
    "other files": ["a/1.png", "b/2.png", "b/notes.docx", "empty/about.pdf", "idx3-ubyte"],
    "masks by name": ["a/1.png", "a/1_mask.png", "b/2.png", "b/2_seg.png", "b/segments.png"],
    "masks in folders": ["a/images/1.png", "a/masks/1.png", "b/images/2.png", "b/masks/2.png"],
    "a class called so": ["masks/1.png", "masks/2.png", "faces/3.png"],
    "a mask folder": ["images/1.png", "images/2.png", "masks/1.png", "masks/2.png"],
    "folds": ["fold1/a/1.png", "fold2/a/2.png", "fold1/b/3.png"],
    "names": [f"{c}.{i}.png" for c in ("cat", "dog") for i in range(9)],
    "two levels": ["x/a/1.png", "x/b/2.png", "y/c/3.png", "y/a/4.png"],
    "a text": ["a/1.png", "b/2.png", "readme.txt"],
    "one class": ["a/1.png", "a/2.png"],
}


def write_all(folder, names):
    """The same names as a folder, a zip and a tar; names are in no order in the archives."""
    for name in names:
        file = folder / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(BLOB)
    with (
        zipfile.ZipFile(folder / "set.zip", "w") as z,
        tarfile.open(folder / "set.tar", "w") as tar,
    ):
        for name in sorted(names, key=hash):
            z.writestr(name, BLOB)
            tar.add(folder / "set" / name, name)


def told(source, inside):
    """All that a source says of itself, paths as its members have them; or the refusal."""
    try:
        found = read_source(source)
    except UserError as e:
        return str(e).replace(str(source), "SOURCE").replace(source.name, "set")
    rows = found.frame.to_dict("records")
    for row in rows:
        row["uri"] = row["uri"].removeprefix(f"{source}{inside}")
    return rows, found.left_out, found.notes, found.roles, found.unread, found.parents


@pytest.mark.parametrize("tree", TREES)
def test_an_archive_says_what_its_folder_says(tmp_path, tree):
    write_all(tmp_path, TREES[tree])
    folder = told(tmp_path / "set", "/")
    for archive in ("set.zip", "set.tar"):
        found = told(tmp_path / archive, "::")
        if tree == "wrapped":  # the wrapping is no part of a name there, nor is it for labels
            found = [(r["label"], r["split"]) for r in found[0]]
            assert found == [(r["label"], r["split"]) for r in folder[0]]
        else:
            assert found == folder, archive


def test_two_names_of_one_file_are_refused(tmp_path):
    for odd in ("a//1.png", "a/./1.png", "./a/1.png"):
        with zipfile.ZipFile(tmp_path / "odd.zip", "w") as z:
            for name in ("a/1.png", "b/2.png", odd):
                z.writestr(name, BLOB)
        with pytest.raises(UserError, match="found 'a/1.png' twice"):
            read_source(tmp_path / "odd.zip")

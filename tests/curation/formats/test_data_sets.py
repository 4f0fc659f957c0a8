"""Data sets that another program converts: the command in the hint does it, and nothing is lost."""

import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.io

from assay.curation.errors import UserError
from assay.curation.formats.read import read_source
from assay.curation.media.originals import read_bytes
from tests.layouts.arrays import of_split, stack
from tests.layouts.base import CLASSES, make_pictures, pixel_hash

TRAIN_TEST = dict(train="train", val="train", test="test")
WHOLE = dict(train="train", val="val", test="test")


def put(file, p):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(p.png)


def number(p):
    return CLASSES.index(p.label) + 1


def write_flowers(root, pictures):
    for i, p in enumerate(pictures, 1):
        put(root / "jpg" / f"image_{i:05}.jpg", p)
    labels = np.array([[number(p) for p in pictures]], "u1")
    scipy.io.savemat(root / "imagelabels.mat", dict(labels=labels))
    parts = dict(trnid="train", valid="val", tstid="test")
    ids = {
        name: np.array([[i for i, p in enumerate(pictures, 1) if p.split == split]], "u2")
        for name, split in parts.items()
    }
    scipy.io.savemat(root / "setid.mat", ids)


def write_cars(root, pictures):
    (root / "devkit").mkdir()
    names = np.array([[f"{name} Coupe 2012" for name in CLASSES]], object)
    scipy.io.savemat(root / "devkit" / "cars_meta.mat", dict(class_names=names))
    for word, file in (
        ("train", "devkit/cars_train_annos.mat"),
        ("test", "cars_test_annos_withlabels.mat"),
    ):
        rows = [p for p in pictures if TRAIN_TEST[p.split] == word]
        annotations = np.zeros((1, len(rows)), [(n, object) for n in ("bbox_x1", "class", "fname")])
        for i, p in enumerate(rows):
            put(root / f"cars_{word}" / f"{i:05}.jpg", p)
            annotations[0, i] = (np.array([[3]]), np.array([[number(p)]], "u1"), f"{i:05}.jpg")
        scipy.io.savemat(root / file, dict(annotations=annotations))


def write_stl(root, pictures):
    for word, splits in (("train", ("train", "val")), ("test", ("test",))):
        rows = of_split(pictures, *splits)
        # MATLAB's order: channels, then columns, then rows
        stack(rows).transpose(0, 3, 2, 1).tofile(root / f"{word}_X.bin")
        np.array([number(p) for p in rows], "u1").tofile(root / f"{word}_y.bin")
    (root / "class_names.txt").write_text("\n".join(CLASSES) + "\n")


@pytest.mark.parametrize(
    "write, size, splits, name",
    [
        (write_flowers, (12, 10), WHOLE, lambda p: str(number(p))),
        (write_cars, (12, 10), TRAIN_TEST, lambda p: f"{p.label} Coupe 2012"),
        (write_stl, (96, 96), TRAIN_TEST, lambda p: p.label),
    ],
)
def test_the_command_converts_it_whole(tmp_path, write, size, splits, name):
    pictures = make_pictures(size=size)
    write(tmp_path, pictures)
    with pytest.raises(UserError) as caught:
        read_source(tmp_path)
    command, made = re.fullmatch(
        r"in the folder: (.*); then import (\S+)", caught.value.hint
    ).groups()
    subprocess.run(
        command.replace("python", sys.executable, 1), shell=True, check=True, cwd=tmp_path
    )
    found = {
        pixel_hash(read_bytes(row.uri)): (row.label, row.split)
        for row in read_source(tmp_path / made).frame.itertuples()
    }
    assert found == {pixel_hash(p.png): (name(p), splits[p.split]) for p in pictures}

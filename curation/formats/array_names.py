"""Arrays of a source, and what their names say of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.curation.formats.split_words import SPLITS

IMAGES = {"x", "images", "image", "imgs", "img", "data", "pixels", "inputs", "ims"}
LABELS = {"y", "labels", "label", "targets", "target", "t", "class", "fine"}
NAMES = {
    "classes",
    "class_names",
    "classnames",
    "list_classes",
    "label_names",
    "labelnames",
    "names",
    "categories",
}
MASKS = {"mask", "masks", "segmentation", "boxes", "bbox", "bboxes"}
SHORT = {"tr": "train", "trn": "train", "te": "test", "tst": "test", "va": "val"}


@dataclass(frozen=True)
class ArrayInfo:
    """An array of a source, not loaded yet."""

    name: str
    shape: tuple[int, ...]  # its first axis counts images
    dtype: np.dtype
    load: Callable[[], np.ndarray]
    uri: str = ""  # of its images, up to their number: data.npz::x_train/
    split: str | None = None  # where a folder or file says it, and not the name

    @property
    def words(self) -> list[str]:
        return [w for w in re.split(r"[^a-z]+", self.name.lower()) if w]


def split_of(array: ArrayInfo, split_map: dict[str, str]) -> str | None:
    """Find a split's name in an array's name: train_images, X_test, Xtr."""
    if array.split:
        return array.split
    for part in re.split(r"[^A-Za-z0-9]+", array.name):
        if part.lower() in SPLITS or part in split_map:
            return part
        if part[:1].lower() in "xy" and part[1:].lower() in SHORT:
            return SHORT[part[1:].lower()]
        if part.lower() in SHORT:
            return SHORT[part.lower()]
    return None


def role_words(array: ArrayInfo) -> set[str]:
    words = set(array.words) | {w[:1] for w in array.words if w[1:] in {*SHORT, *SPLITS}}
    return words


def list_named(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """List the files directly in a folder with such endings.

    By name alone: the folder may hold a million images.
    """
    found = [
        e.name for e in os.scandir(folder) if e.name.lower().endswith(suffixes) and e.is_file()
    ]
    return [folder / name for name in sorted(found)]

"""NumPy's .npz, such as MedMNIST's and Keras's, and folders of .npy."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.array_changes import change_arrays
from assay.curation.formats.array_names import (
    IMAGES,
    LABELS,
    MASKS,
    ArrayInfo,
    list_named,
    role_words,
    split_of,
)
from assay.curation.formats.array_sets import list_arrays
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.zip_rewrite import rewrite_zip
from assay.curation.media.containers.npz import Header, is_images, open_array, read_headers
from assay.curation.media.files import BadMedia

if TYPE_CHECKING:
    import pandas as pd

FEW = 8  # files of a folder that are looked into
MAGIC = {".npz": b"PK", ".npy": b"\x93NUMPY"}


class NumpyArrays:
    """Arrays of images and labels: x_train, y_train, ... in .npz, or in a folder of .npy or .npz."""

    name = "numpy"
    suffixes = (".npz", ".npy")

    def matches(self, path: Path) -> Match:
        if path.is_file() and path.suffix.lower() in MAGIC:
            with open(path, "rb") as file:
                start = MAGIC[path.suffix.lower()]
                if file.read(len(start)) == start:
                    return Match("sure", f"ends in {path.suffix}, and starts as NumPy writes it")
        if (
            path.is_dir()
            and not is_class_set(path)
            and any(is_image_array(f) for f in list_named(path, FORMAT.suffixes)[:FEW])
        ):
            return Match("sure", "has a NumPy file with an array of images")
        return Match("no", "expects .npz, .npy, or a folder of them")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        kind = "NumPy arrays" if path.is_dir() else f"{path.suffix[1:].lower()} arrays"
        return list_arrays(path, find_arrays(path), options, self.name, kind)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change labels and rows; all other arrays keep their bytes."""
        arrays = find_arrays(source)
        changed, notes = change_arrays(arrays, changes, options, source.name)
        files = {
            file.stem: file
            for file in (list_named(source, FORMAT.suffixes) if source.is_dir() else ())
        }
        blobs: dict[Path, dict[str, bytes]] = {}
        rewritten: dict[str, Callable[[Path], None]] = {}
        for shown, array in changed.items():
            stem, _, name = shown.partition("/") if files else ("", "", shown)
            file = files.get(stem, source)
            place = file.name if files else ""
            if file.suffix.lower() == ".npy":
                rewritten[place] = partial(write_array, array)
            else:
                blobs.setdefault(file, {})[f"{name}.npy"] = encode_array(array)
                rewritten[place] = partial(rewrite_zip, file, contents=blobs[file])
        return Patch(rewritten, notes=notes)


FORMAT = NumpyArrays()


def is_image_array(path: Path) -> bool:
    try:
        headers = read_headers(str(path)).values()
    except (OSError, BadMedia):
        return False
    deep = [h for h in headers if h.dtype == np.uint8 and len(h.shape) in (3, 4)]
    return any(header.shape[0] > 1 for header in deep)


def is_class_set(path: Path) -> bool:
    """Whether each .npy of a folder holds images of one class.

    QuickDraw has them so.
    """
    files = list_named(path, FORMAT.suffixes)
    if len(files) < 2 or any(file.suffix.lower() != ".npy" for file in files):
        return False
    for file in files:
        try:
            (header,) = read_headers(str(file)).values()
        except (OSError, BadMedia):
            return False
        info = ArrayInfo(
            file.stem, header.shape, header.dtype, partial(load, str(file), "", header)
        )
        roles = role_words(info) & (IMAGES | LABELS | MASKS)
        if roles or split_of(info, {}) or not is_images(header):
            return False
    return True


def find_arrays(path: Path) -> list[ArrayInfo]:
    """Find the arrays of a source, without loading one."""
    found = []
    files = list_named(path, FORMAT.suffixes) if path.is_dir() else [path]
    for file in files:
        try:
            headers = read_headers(str(file))
        except BadMedia as e:
            raise UserError(
                f"expected plain arrays in {file.name}, found that it {e}", "is the file complete?"
            ) from None
        for name, header in headers.items():
            shown = "/".join(filter(None, [file.stem, name])) if path.is_dir() else name
            if header.fortran and len(header.shape) > 2:
                raise UserError(
                    f"expected images row by row, found {shown} in Fortran's order",
                    "save it again: numpy.ascontiguousarray(images)",
                )
            found.append(
                ArrayInfo(
                    shown,
                    header.shape,
                    header.dtype,
                    partial(load, str(file), name, header),
                    f"{file}::{name}/" if name else f"{file}::",
                )
            )
    return found


def load(path: str, name: str, header: Header) -> np.ndarray:
    """Load an array; never Python objects."""
    try:
        with open_array(path, name) as file:
            file.seek(header.offset)
            values = np.frombuffer(file.read(header.size), header.dtype)
        return values.reshape(header.shape, order="F" if header.fortran else "C").copy("K")
    except Exception as e:  # zlib.error and its like
        raise UserError(
            f"expected a sound array {name} in {os.path.basename(path)}, found {str(e)[:100]}",
            "is the file complete?",
        ) from None


def encode_array(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=False)
    return out.getvalue()


def write_array(array: np.ndarray, target: Path) -> None:
    target.write_bytes(encode_array(array))

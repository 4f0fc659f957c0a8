"""NumPy's .npz, such as MedMNIST's and Keras's, and folders of .npy."""

from __future__ import annotations

import io
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.array_changes import change_labels
from assay.curation.formats.array_sets import PLAIN, ArrayInfo, list_arrays
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.zip_rewrite import rewrite_zip
from assay.curation.media.containers.npz import Header, open_array, read_headers
from assay.curation.media.files import BadMedia

if TYPE_CHECKING:
    import pandas as pd

MAGIC = {".npz": b"PK", ".npy": b"\x93NUMPY"}


class NumpyArrays:
    """Arrays of images and labels: x_train, y_train, ... in .npz, or .npy files in a folder."""

    name = "numpy"
    suffixes = (".npz", ".npy")

    def matches(self, path: Path) -> Match:
        if path.is_file() and path.suffix.lower() in MAGIC:
            with open(path, "rb") as file:
                start = MAGIC[path.suffix.lower()]
                if file.read(len(start)) == start:
                    return Match("sure", f"ends in {path.suffix}, and starts as NumPy writes it")
        if path.is_dir() and any(is_image_array(f) for f in list_npy(path)):
            return Match("sure", "has a .npy file with an array of images")
        return Match("no", "expects .npz, .npy, or a folder of .npy arrays")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        kind = "NumPy arrays" if path.is_dir() else f"{path.suffix[1:].lower()} arrays"
        return list_arrays(path, find_arrays(path), options, self.name, kind)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the arrays of labels alone; all other arrays keep their bytes."""
        arrays = find_arrays(source)
        changed, notes = change_labels(arrays, changes, options, source.name)
        if source.is_dir():
            rewritten = {f"{n}.npy": partial(write_array, array) for n, array in changed.items()}
        elif changed and source.suffix.lower() == ".npz":
            blobs = {f"{name}.npy": encode_array(array) for name, array in changed.items()}
            rewritten = {"": partial(rewrite_zip, source, contents=blobs)}
        else:
            rewritten = {}
        return Patch(rewritten, notes=notes)


FORMAT = NumpyArrays()


def list_npy(folder: Path) -> list[Path]:
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    return [folder / name for name in names if name.lower().endswith(".npy")]


def is_image_array(path: Path) -> bool:
    try:
        header = read_headers(str(path))[""]
    except (OSError, BadMedia):
        return False
    return header.dtype == np.uint8 and len(header.shape) in (3, 4) and header.shape[0] > 1


def find_arrays(path: Path) -> list[ArrayInfo]:
    """Find the arrays of a source, without loading one."""
    found = []
    files = list_npy(path) if path.is_dir() else [path]
    for file in files:
        try:
            headers = read_headers(str(file))
        except BadMedia as e:
            objects = "Python objects" in str(e)
            raise UserError(
                f"expected plain arrays in {file.name}, found that it {e}",
                f"where you trust it: {PLAIN}" if objects else "is the file complete?",
            ) from None
        for name, header in headers.items():
            shown = file.stem if path.is_dir() else name
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

"""MATLAB's .mat (version 5), as SVHN has it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.array_changes import change_arrays
from assay.curation.formats.array_names import ArrayInfo, list_named, split_of
from assay.curation.formats.array_sets import list_arrays
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.unreadable import find_data_set
from assay.curation.media.containers import mat
from assay.curation.media.files import BadMedia

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = ("double", "single", "logical", "int8", "int16", "int32", "int64")
TYPES = {"double": "f8", "single": "f4", "logical": "b1"}


class MatArrays:
    """MATLAB arrays: X (height, width, 3, n) and y (n, 1) in a .mat file, or several in a folder."""

    name = "mat"
    suffixes = (".mat",)

    def matches(self, path: Path) -> Match:
        files = [] if find_data_set(path) else list_files(path)
        if files:
            with open(files[0], "rb") as file:
                if file.read(6) == b"MATLAB":
                    return Match("sure", f"{files[0].name} starts as MATLAB writes it")
        return Match("no", "expects .mat files")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        return list_arrays(path, find_arrays(path), options, self.name, "MATLAB arrays")

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Write the files with changed arrays again.

        Each array keeps its type, and its shape but for rows that went or came.
        """
        changed, notes = change_arrays(find_arrays(source), changes, options, source.name)
        by_file: dict[str, dict[str, np.ndarray]] = {}
        for name, array in changed.items():
            file, _, inner = name.rpartition("/")
            by_file.setdefault(file, {})[inner] = array
        rewritten = {
            f"{file}.mat" if source.is_dir() else "": partial(
                write_mat, source / f"{file}.mat" if source.is_dir() else source, arrays
            )
            for file, arrays in by_file.items()
        }
        return Patch(rewritten, notes=notes)


FORMAT = MatArrays()


def list_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".mat" else []
    return list_named(path, (".mat",)) if path.is_dir() else []


def find_arrays(path: Path) -> list[ArrayInfo]:
    """Find the arrays of a source.

    Those of a folder are called FILE/NAME; the file's name says their split.
    """
    found = []
    for file in list_files(path):
        try:
            arrays = mat.list_arrays(str(file))
        except BadMedia as e:
            raise UserError(
                f"expected a .mat file of version 5, found {file.name}: it {e}",
                "scipy.io.savemat writes it, and MATLAB's save with -v7",
            ) from None
        plain = {n: a for n, a in arrays.items() if a[1] == "uint8" or a[1] in NUMBERS}
        for name, (shape, kind) in plain.items():
            dtype = np.dtype(TYPES.get(kind, kind))
            if len(shape) in (3, 4):  # the last axis counts images
                shape = (shape[-1], *shape[:-1])
            elif 1 in shape:
                shape = (max(shape),)
            shown = f"{file.stem}/{name}" if path.is_dir() else name
            info = ArrayInfo(shown, shape, dtype, partial(load, str(file), name), "")
            named = ArrayInfo(file.stem, shape, dtype, info.load)
            split = split_of(info, {}) or split_of(named, {})
            found.append(ArrayInfo(shown, shape, dtype, info.load, f"{file}::{name}/", split))
    return found


def load(path: str, name: str) -> np.ndarray:
    values = mat.load_array(path, name)
    if values.ndim in (3, 4):
        return np.moveaxis(values, -1, 0)  # the last axis counts images
    return values.reshape(-1) if 1 in values.shape and values.ndim == 2 else values


def write_mat(file: Path, arrays: dict[str, np.ndarray], target: Path) -> None:
    """Write a .mat file again with some arrays changed."""
    from scipy.io import loadmat, savemat

    known = {n: v for n, v in loadmat(file).items() if not n.startswith("__")}
    for name, values in arrays.items():
        old = known[name]
        if old.ndim in (3, 4):
            values = np.moveaxis(values, 0, -1)
        elif 1 in old.shape:
            values = values.reshape([1 if side == 1 else -1 for side in old.shape])
        known[name] = values.astype(old.dtype)
    with open(file, "rb") as opened:
        opened.seek(mat.HEADER)
        packed = opened.read(4) in (b"\x0f\0\0\0", b"\0\0\0\x0f")  # a compressed element
    with open(target, "wb") as out:
        savemat(out, known, do_compression=packed)

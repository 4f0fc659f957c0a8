"""IDX: MNIST's own files, as EMNIST, KMNIST and Fashion-MNIST have them."""

from __future__ import annotations

import gzip
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.array_changes import change_arrays
from assay.curation.formats.array_names import ArrayInfo, list_named
from assay.curation.formats.array_sets import list_arrays
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.media.containers.idx import SUFFIXES, IdxHeader, open_idx, read_idx_header
from assay.curation.media.files import BadMedia
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

KINDS = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
SPLITS = {"t10k": "test"}  # what MNIST calls its test set


class IdxFiles:
    """IDX files (MNIST): train-images-idx3-ubyte and train-labels-idx1-ubyte, gzipped or not."""

    name = "idx"
    suffixes = ("-ubyte", "-ubyte.gz", ".idx", ".idx.gz")

    def matches(self, path: Path) -> Match:
        files = list_idx(path)
        if files and any(is_idx(file) for file in files[:4]):
            return Match("sure", f"{files[0].name} is called and starts as IDX files do")
        if path.is_file() and files:
            return Match("maybe", "is called as IDX files are")
        return Match("no", "expects IDX files, such as train-images-idx3-ubyte")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        listing = list_arrays(path, find_arrays(path), options, self.name, "IDX files")
        return listing

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Write the files with changed labels or rows again."""
        folder = source if source.is_dir() else source.parent
        changed, notes = change_arrays(find_arrays(source), changes, options, source.name)
        files = {name_array(file): file for file in list_idx(folder)}
        if source.is_file() and changed:
            raise UserError(
                "expected the folder of both IDX files, to change the labels, found one file",
                f"import {folder} instead",
            )
        rewritten = {
            files[name].name: partial(write_idx, files[name], array)
            for name, array in changed.items()
        }
        return Patch(rewritten, notes=notes)


FORMAT = IdxFiles()


def list_idx(path: Path) -> list[Path]:
    """List the IDX files of a folder, or one and its labels."""
    if path.is_file():
        if not path.name.lower().endswith(SUFFIXES):
            return []
        labels = path.with_name(re.sub("idx[34]", "idx1", path.name.replace("images", "labels")))
        return [path, labels] if labels != path and labels.is_file() else [path]
    return list_named(path, SUFFIXES) if path.is_dir() else []


def is_idx(file: Path) -> bool:
    try:
        return bool(read_idx_header(str(file)).shape)
    except BadMedia:
        return False


def name_array(file: Path) -> str:
    """Name an array after its file: train-images."""
    return re.sub(r"[-.]idx\d-ubyte(\.gz)?$|\.idx(\.gz)?$", "", file.name, flags=re.IGNORECASE)


def find_arrays(path: Path) -> list[ArrayInfo]:
    """Find the arrays of a source.

    UserError where a file is no sound IDX file.
    """
    found: dict[str, ArrayInfo] = {}
    for file in list_idx(path):
        try:
            header = read_idx_header(str(file))
        except BadMedia as e:
            raise UserError(
                f"expected IDX files, found {file.name}: it {e}", "is the file complete?"
            ) from None
        name = name_array(file)
        if name in found:  # beside its own .gz
            continue
        split = next((SPLITS[w] for w in re.split("[-_.]", name) if w in SPLITS), None)
        dtype = np.dtype(KINDS.get(header.kind, "O"))
        load = partial(load_idx, file, header, dtype)
        found[name] = ArrayInfo(name, header.shape, dtype, load, f"{file}::", split)
    return list(found.values())


def load_idx(file: Path, header: IdxHeader, dtype: np.dtype) -> np.ndarray:
    """Load an array whole."""
    size = int(np.prod(header.shape)) * dtype.itemsize
    try:
        with open_idx(str(file)) as opened:
            opened.seek(header.offset)
            blob = opened.read(size + 1)
    except (OSError, EOFError) as e:
        raise UserError(
            f"expected a sound {file.name}, found {str(e)[:100]}", "is it complete?"
        ) from None
    if len(blob) != size:
        raise UserError(
            f"expected {format_count(size, 'byte')} of values in {file.name}, as its head says, found"
            f" {'more' if len(blob) > size else f'{len(blob):,}'}",
            "is the file complete?",
        )
    return np.frombuffer(blob, dtype).reshape(header.shape)


def write_idx(file: Path, array: np.ndarray, target: Path) -> None:
    """Write an array behind the head that its file has."""
    header = read_idx_header(str(file))
    with open_idx(str(file)) as opened:
        head = opened.read(header.offset)
    head = head[:4] + len(array).to_bytes(4, "big") + head[8:]  # how many there are
    blob = head + array.astype(array.dtype.newbyteorder(">")).tobytes()
    if file.name.lower().endswith(".gz"):
        with open(file, "rb") as old:
            start = old.read(10)
        when = int.from_bytes(start[4:8], "little")
        blob = gzip.compress(blob, mtime=when)
    target.write_bytes(blob)

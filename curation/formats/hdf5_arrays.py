"""HDF5 arrays, as PatchCamelyon and Keras examples have them."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.array_changes import change_arrays
from assay.curation.formats.array_names import ArrayInfo, list_named, split_of
from assay.curation.formats.array_sets import list_arrays
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.media.containers.hdf5 import SIGNATURE, list_datasets, open_hdf5
from assay.curation.media.files import BadMedia
from assay.curation.system.extras import require

if TYPE_CHECKING:
    import h5py
    import pandas as pd


class Hdf5Arrays:
    """HDF5 datasets of images and labels, in one file or a folder of them; needs h5py."""

    name = "hdf5"
    suffixes = (".h5", ".hdf5")

    def matches(self, path: Path) -> Match:
        if files := list_files(path):
            with open(files[0], "rb") as file:
                if file.read(len(SIGNATURE)) == SIGNATURE:
                    return Match("sure", f"{files[0].name} starts as HDF5 does")
        return Match("no", "expects .h5 or .hdf5 files")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        return list_arrays(path, find_arrays(path), options, self.name, "HDF5 arrays")

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change datasets of labels and rows in copies of their files."""
        changed, notes = change_arrays(find_arrays(source), changes, options, source.name)
        by_file: dict[str, dict[str, np.ndarray]] = {}
        for name, array in changed.items():
            file, _, inner = name.partition("/") if source.is_dir() else ("", "", name)
            by_file.setdefault(file, {})[inner] = array
        files = {file.stem: file for file in list_files(source)}
        rewritten = {
            files[file].name if file else "": partial(write_hdf5, files.get(file, source), arrays)
            for file, arrays in by_file.items()
        }
        return Patch(rewritten, notes=notes)


FORMAT = Hdf5Arrays()


def list_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() in FORMAT.suffixes else []
    return list_named(path, FORMAT.suffixes) if path.is_dir() else []


def find_arrays(path: Path) -> list[ArrayInfo]:
    """Find the datasets of a source, without loading one."""
    require("hdf5", "h5py")
    found = []
    for file in list_files(path):
        try:
            datasets = list_datasets(str(file))
        except (BadMedia, OSError) as e:
            raise UserError(
                f"expected a sound HDF5 file, found {file.name}: it {str(e)[:200]}",
                "is the file complete?",
            ) from None
        for name, (shape, dtype) in datasets.items():
            shown = f"{file.stem}/{name}" if path.is_dir() else name
            if shape[1:] and set(shape[1:]) == {1}:  # PatchCamelyon's labels: (n, 1, 1, 1)
                shape = shape[:1]
            fetch = partial(load, str(file), name)
            info = ArrayInfo(shown, shape, dtype, fetch)
            split = split_of(info, {})
            found.append(ArrayInfo(shown, shape, dtype, fetch, f"{file}::{name}/", split))
    return found


def load(path: str, name: str) -> np.ndarray:
    with open_hdf5(path) as file:
        values = file[name][:]
    if values.dtype.kind == "O":  # text of any length
        texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]
        values = np.array(texts)
    return values.reshape(-1) if values.size == len(values) else values


def write_hdf5(file: Path, arrays: dict[str, np.ndarray], target: Path) -> None:
    """Copy a file, and write the changed datasets into the copy."""
    import h5py

    with h5py.File(file, "r") as old:
        longer = any(len(values) != len(old[name]) for name, values in arrays.items())
        if longer:  # what is deleted in a file leaves its bytes there
            with h5py.File(target, "w", track_order=None) as new:
                copy_group(old, new, arrays, "")
            return
    shutil.copyfile(file, target)
    with h5py.File(target, "r+") as out:
        for name, values in arrays.items():
            dataset = out[name]
            dataset[...] = values.reshape(dataset.shape).astype(dataset.dtype)


def copy_group(old: h5py.Group, new: h5py.Group, arrays: dict[str, np.ndarray], below: str) -> None:
    """Copy a group with its links, attributes and changed arrays.

    A changed array takes the place of the old one.
    """
    import h5py

    for key, value in old.attrs.items():
        new.attrs[key] = value
    for name in old:
        link, path = old.get(name, getlink=True), f"{below}{name}"
        if not isinstance(link, h5py.HardLink):
            new[name] = link
        elif path in arrays:
            write_dataset(old[name], new, name, arrays[path])
        elif isinstance(old[name], h5py.Group):
            copy_group(old[name], new.create_group(name), arrays, f"{path}/")
        else:
            old.copy(name, new)


def write_dataset(old: h5py.Dataset, group: h5py.Group, name: str, values: np.ndarray) -> None:
    """Write other rows as a dataset, stored as the old one was."""
    shape = (len(values), *old.shape[1:])
    kept = {
        k: getattr(old, k) for k in ("compression", "compression_opts", "shuffle", "fletcher32")
    }
    if old.chunks:
        longest = (max(old.maxshape[0], len(values)) if old.maxshape[0] else None,)
        chunks = (max(1, min(old.chunks[0], len(values))), *old.chunks[1:])
        kept |= dict(chunks=chunks, maxshape=(*longest, *old.maxshape[1:]))
    data = values.reshape(shape)
    data = data.astype(object) if old.dtype.kind == "O" else data.astype(old.dtype)
    made = group.create_dataset(name, data=data, dtype=old.dtype, **kept)
    for key, value in old.attrs.items():
        made.attrs[key] = value

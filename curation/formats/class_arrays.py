"""A NumPy file for each class, as QuickDraw has: cat.npy, dog.npy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.array_names import list_named
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.numpy_arrays import find_arrays, is_class_set, write_array
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.containers.stacks import find_flat
from assay.curation.text import find_flaw, safe_name

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "full_numpy_bitmap_"  # of QuickDraw's files, as they are often called


class ClassArrays:
    """A .npy of images for each class: cat.npy and dog.npy, as QuickDraw has them.

    Rows of 784 numbers are read as 28 x 28.
    """

    name = "class-arrays"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if path.is_dir() and is_class_set(path):
            return Match("sure", "each .npy holds images, and is called as a class may be")
        return Match("no", "expects a folder with a .npy of images for each class")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the images of all files; the file's name is their label."""
        samples, left_out, notes = [], [], []
        for file, array in zip(list_named(path, (".npy",)), find_arrays(path), strict=True):
            label = None if options.pictures_only else name_class(file)
            if wrong := find_flaw(label or ""):
                left_out.append((file.name, f"has a name that {wrong}"))
                continue
            if square := find_flat(array.shape):
                notes.append(
                    f"rows of {array.shape[1]} numbers are images of {square[0]} x {square[1]}"
                )
            for i in range(array.shape[0]):
                key, uri = f"{file.stem}/{i}", f"{array.uri}{i}"
                samples.append(dict(key=key, uri=uri, label=label, split=None, meta={}))
        others = (f for f in sorted(path.iterdir()) if f.is_file() and f.suffix.lower() != ".npy")
        return Listing(
            self.name,
            "a NumPy file for each class",
            path.name,
            [samples],
            left_out,
            list(dict.fromkeys(notes)),
            {"label": "the name of each .npy", "image": "its rows"},
            list_unread(f.name for f in others),
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Move rows to the end of the file of their new class.

        A file whose rows all leave takes the name of a class that has none; UserError where there
        is no such file.
        """
        files = {file.stem: file for file in list_named(source, (".npy",))}
        by_class = {name_class(file): stem for stem, file in files.items()}
        gone: dict[str, list[int]] = {stem: [] for stem in files}
        come: dict[str, list[np.ndarray]] = {label: [] for label in by_class}
        arrays: dict[str, np.ndarray] = {}
        givers: dict[str, dict[str, None]] = {}  # new class -> the files that give to it
        notes = []
        for row in iter_changes(changes):
            stem, _, number = row.key.rpartition("/")
            if stem not in files or name_class(files[stem]) != row.given_label:
                raise UserError(
                    f"expected {row.key} among the {row.given_label} of {source.name}, found no such file",
                    "the source has changed since: import it again",
                )
            if row.split:
                notes.append("changed splits stay as they are: no file says a split")
            if not row.removed and row.label == row.given_label:
                continue
            if row.label is None and not row.removed:
                notes.append(f"{row.key}: no file there is of no label")
                continue
            array = arrays.setdefault(stem, np.load(files[stem], allow_pickle=False))
            gone[stem].append(int(number))
            if not row.removed:
                come.setdefault(row.label, []).append(array[int(number)])
                givers.setdefault(row.label, {})[stem] = None
        left = {stem for stem, array in arrays.items() if len(gone[stem]) == len(array)}
        left -= {stem for label, stem in by_class.items() if come[label]}
        moved: dict[str, str] = {}
        for label in (label for label in come if label not in by_class):
            stem = next((stem for stem in givers[label] if stem in left), None)
            if stem is None or label != safe_name(label):
                raise UserError(
                    f"expected a class that has a file in {source.name}, found {label}",
                    "a class gets a new file where all images of another become it; else --format manifest",
                )
            left.remove(stem)
            by_class[label] = stem
            begin = PREFIX if stem.startswith(PREFIX) else ""
            moved[files[stem].name] = f"{begin}{label}{files[stem].suffix}"
        new = {stem: come[label] for label, stem in by_class.items()}
        rewritten: dict[str, Callable[[Path], None]] = {}
        for stem, file in files.items():
            if gone[stem] or new[stem]:
                array = arrays.get(stem)
                array = np.load(file, allow_pickle=False) if array is None else array
                kept = np.delete(array, gone[stem], axis=0)
                added = np.stack([*new[stem]]) if new[stem] else kept[:0]
                if added.shape[1:] != kept.shape[1:]:
                    raise UserError(
                        f"expected images of one size in {source.name}, found {added.shape[1:]} for {file.name}",
                        "use --format manifest",
                    )
                rewritten[file.name] = partial(write_array, np.concatenate([kept, added]))
        return Patch(rewritten, moved, notes=list(dict.fromkeys(notes)))


FORMAT = ClassArrays()


def name_class(file: Path) -> str:
    return file.stem.removeprefix(PREFIX)

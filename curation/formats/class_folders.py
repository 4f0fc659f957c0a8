"""Class folders: class/image, or split/class/image."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from assay.curation.errors import UserError
from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch, Unread
from assay.curation.formats.copying import place_images
from assay.curation.formats.splits import SPLITS
from assay.curation.formats.table_columns import choose_image_column
from assay.curation.formats.table_files import TABLES, read_table
from assay.curation.formats.table_rows import list_samples
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import find_flaw, format_count, safe_name

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 120  # bytes of a key that a file's name keeps


class ClassFolders:
    """A folder for each class, which may lie inside folders of splits."""

    name = "folders"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        return Match("maybe", "a folder") if path.is_dir() else Match("no", "expects a folder")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the images of a folder.

        Where none has a label, the one table beside them is read instead.
        """
        files = list(list_files(str(path)))
        images = [f for f in files if f.lower().endswith(SUFFIXES)]
        splits = find_splits(images, options.split_map)
        exported = (path / "assay.json").is_file()
        samples, left_out = list_images(path, images, splits, exported)
        if not any(sample["label"] for sample in samples):
            if table := read_only_table(path, files, images, options):
                return table
        if not images:
            raise UserError(
                f"expected images in {path.name}, found {count_endings(files) or 'nothing'}",
                f"Assay reads {' '.join(SUFFIXES)}; of several manifests, import one by its path",
            )
        for option in (o for o, column in options.columns.items() if column):
            raise UserError(
                f"--{option}-column: {path.name} is a folder of images, without columns",
                "pass a CSV or Parquet file",
            )
        tops = Counter(f.split("/")[0] for f in images if "/" in f)
        notes = [
            f"{format_count(n, 'image')} in {top}/ without a label: a folder of this name holds what is unlabelled. "
            "If it is a class, rename the folder"
            for top, n in tops.items()
            if not splits and SPLITS.get(top.lower()) == "pool"
        ]
        ours = {f for f in files if exported and "/" not in f}
        unread = list_unread(f for f in files if not f.lower().endswith(SUFFIXES) and f not in ours)
        unlabelled = "class folders" if tops else "unlabelled images"
        kind = "split folders" if splits else unlabelled
        roles = (
            describe_folders(samples, splits) if tops else {"label": "none: no folders of classes"}
        )
        return Listing(self.name, kind, path.name, [samples], left_out, notes, roles, unread)

    def write(self, folder: Path, export: Export) -> None:
        """Write split/class/image, and unlabelled images into the split itself.

        A class is a `safe` name there, so that nothing leaves `folder` and import can read it.
        """

        def place(row: Any, suffix: str) -> Path:
            stem = safe_name(Path(row.key).stem).encode()[:LONGEST].decode(errors="ignore")
            label = safe_name(row.label) if row.label is not None else ""
            return folder / row.split / label / f"{stem}-{row.sample_id[:12]}{suffix}"

        place_images(export.samples, place, export.copy)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Move every image into the folder of its label.

        A name that is taken there gets a number.
        """
        moved: dict[str, str] = {}
        taken = set(list_files(str(source))) - set(changes.key)
        for row in changes[~changes.removed].itertuples():
            target = relabel_path(row.key, row.given_label, row.label)
            place, n = target, 1
            while str(place) in taken:
                n += 1
                place = target.with_name(f"{target.stem}-{n}{target.suffix}")
            taken.add(str(place))
            moved[row.key] = str(place)
        moved = {old: new for old, new in moved.items() if old != new}
        return Patch(moved=moved, removed=list(changes.key[changes.removed]))


FORMAT = ClassFolders()


def find_splits(images: list[str], split_map: dict[str, str]) -> bool:
    """Whether the top folders are splits, not classes.

    A class may be called train: then there are others beside it, and no folders inside.
    """
    tops = {f.split("/")[0] for f in images if "/" in f}
    named = {top for top in tops if top in split_map or top.lower() in SPLITS}
    deep = any(f.count("/") > 1 and f.split("/")[0] in named for f in images)
    return bool(named) and (named == tops or deep)


def list_images(
    root: Path, images: list[str], splits: bool, exported: bool
) -> tuple[list[dict], list[tuple[str, str]]]:
    """List the samples of image files, and (file, reason) of bad ones."""
    samples: list[dict] = []
    left_out = []
    for file in images:
        split, folders = None, file.split("/")[:-1]
        if splits and folders:
            split, *folders = folders
        elif not splits and SPLITS.get(file.split("/")[0].lower()) == "pool":
            split, folders = "pool", []  # whatever folders are inside, nothing there has a label
        label = folders[0] if folders else None
        if exported and label is not None:
            label = unquote(label)
        readable = file.encode(errors="replace").decode()
        if file != readable:
            left_out.append((readable, "has a name that is not UTF-8: rename it"))
        elif wrong := find_flaw(label or ""):
            left_out.append((file, f"has a label that {wrong}"))
        else:
            uri = f"{root}/{file}"
            samples.append({"key": file, "uri": uri, "label": label, "split": split, "meta": {}})
    return samples, left_out


def read_only_table(
    root: Path, files: list[str], images: list[str], options: ImportOptions
) -> Listing | None:
    """List the only table directly in a folder.

    Where images lie beside it, it must have a column of image paths or bytes.
    """
    tables = [f for f in files if "/" not in f and f.lower().endswith(TABLES)]
    if len(tables) != 1:
        return None
    path = root / tables[0]
    table = read_table(path)
    if images and not choose_image_column(table, None):
        return None
    listing = list_samples(path, table, replace(options, images=None))
    note = f"no class folders in {root.name}: read {path.name} in it"
    return replace(listing, name=root.name, notes=[note])


def describe_folders(samples: list[dict], splits: bool) -> dict[str, str]:
    """Say what became label and split of a folder's images."""
    classes = Counter(sample["label"] for sample in samples if sample["label"])
    roles = {
        "label": f"the {'second' if splits else 'top'} folder ({format_count(len(classes), 'class')})"
    }
    if splits:
        found = Counter(sample["split"] for sample in samples)
        roles["split"] = f"the top folder ({', '.join(f'{s} {n:,}' for s, n in found.items())})"
    return roles


def list_unread(files: Iterable[str]) -> list[Unread]:
    """Count the files that no reader took, by their ending."""
    by_ending: dict[str, list[str]] = {}
    for file in files:
        by_ending.setdefault(os.path.splitext(file)[1].lower(), []).append(file)
    return [Unread(ending, len(found), found[0]) for ending, found in sorted(by_ending.items())]


def count_endings(files: list[str]) -> str:
    endings = Counter(os.path.splitext(f)[1].lower() or "without an ending" for f in files)
    return ", ".join(f"{n:,} {ending}" for ending, n in endings.most_common(5))


def relabel_path(key: str, given: str | None, label: str | None) -> Path:
    """Put the label into the path of an image in its source."""
    parts = [part for part in Path(key).parts if part not in ("/", "..")]
    if given in parts[:-1]:
        at = parts.index(given)
    else:
        at = max(0, len(parts) - 2)
    if label and label != given and label.lower() in SPLITS:
        # no new folder of a class may look like a split
        parts[at] = f"%{ord(label[0]):02x}{label[1:]}"
    else:
        parts[at] = safe_name(label or parts[at])
    return Path(*parts)

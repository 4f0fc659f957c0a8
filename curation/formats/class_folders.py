"""Class folders: class/image, or split/class/image."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from assay.curation.errors import UserError
from assay.curation.formats.annotations import find_masks
from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_words import note_odd_classes
from assay.curation.formats.copying import place_images
from assay.curation.formats.file_names import ask_about_names
from assay.curation.formats.folder_moves import plan_moves
from assay.curation.formats.folder_plan import FolderPlan, Placed, plan_folders
from assay.curation.formats.table_columns import choose_image_column
from assay.curation.formats.table_files import TABLES, read_table
from assay.curation.formats.table_rows import list_samples
from assay.curation.formats.unreadable import WHY, explain_ending, find_reason, list_unread
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_NAME, MAX_TEXT, find_flaw, format_count, safe_name

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 120  # bytes of a key that a file's name keeps


class ClassFolders:
    """A folder for each class, which may lie inside folders of splits.

    Asked where two levels of folders could be the class, where folders lie beside those of splits, where
    folders are folds, and where images have no folders but names such as cat.0.jpg.
    """

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
        masks = set(find_masks(images))
        images = [f for f in images if f not in masks]
        exported = (path / "assay.json").is_file()
        plan = plan_export(images) if exported else plan_images(path.name, images, options)
        samples, left_out = list_images(path, images, plan, exported)
        if not any(sample["label"] for sample in samples):
            if table := read_only_table(path, files, images, options):
                return table
        if not images:
            raise refuse_files(path, files)
        for option in (o for o, column in options.columns.items() if column):
            raise UserError(
                f"--{option}-column: {path.name} is a folder of images, without columns",
                "pass a CSV or Parquet file",
            )
        labelled = any(sample["label"] for sample in samples)
        if not labelled and not exported and not options.pictures_only:
            ask_about_names(path.name, images)
        plan.notes += note_empty(path, plan)
        plan.notes += note_odd_classes(sample["label"] for sample in samples)
        ours = {f for f in files if exported and "/" not in f}
        others = (f for f in files if not f.lower().endswith(SUFFIXES) and f not in ours)
        unread = list_unread(others) + list_unread(sorted(masks), "masks of the images beside them")
        unlabelled = "class folders" if any(plan.placed) else "unlabelled images"
        kind = "split folders" if plan.splits else unlabelled
        return Listing(
            self.name,
            kind,
            path.name,
            [samples],
            left_out,
            plan.notes,
            plan.roles,
            unread,
            parents=plan.parents,
        )

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
        """Move every image into the folder of its label and split.

        A name that is taken there gets a number.
        """
        files = list(list_files(str(source)))
        images = [f for f in files if f.lower().endswith(SUFFIXES)]
        exported = (source / "assay.json").is_file()
        plan = plan_export(images) if exported else plan_images(source.name, images, options)
        return plan_moves(source.name, changes, plan, files, exported)


FORMAT = ClassFolders()


def plan_images(name: str, images: list[str], options: ImportOptions) -> FolderPlan:
    """Plan what the folders of images are; asked, where that can be read in two ways."""
    folders = Counter(tuple(f.split("/")[:-1]) for f in images)
    if options.pictures_only and not options.class_level:
        return FolderPlan({f: Placed() for f in folders}, roles={"label": "none, as asked"})
    return plan_folders(name, folders, options)


def plan_export(images: list[str]) -> FolderPlan:
    """Plan an export of Assay: split/class, and what is unlabelled in the split itself."""
    folders = Counter(tuple(f.split("/")[:-1]) for f in images)
    placed = {f: Placed(f[1] if len(f) > 1 else None, f[0] if f else None, {}) for f in folders}
    roles = {"label": "the second folder", "split": "the top folder"}
    return FolderPlan(
        placed,
        True,
        roles,
        class_at={f: 1 for f in folders if len(f) > 1},
        split_at={f: 0 for f in folders if f},
    )


def list_images(
    root: Path, images: list[str], plan: FolderPlan, exported: bool
) -> tuple[list[dict], list[tuple[str, str]]]:
    """List the samples of image files, and (file, reason) of bad ones."""
    samples: list[dict] = []
    left_out = []
    for file in images:
        label, split, meta = plan.placed[tuple(file.split("/")[:-1])].values()
        if exported and label is not None:
            label = unquote(label)
        readable = file.encode(errors="replace").decode()
        if file != readable:
            left_out.append((readable, "has a name that is not UTF-8: rename it"))
        elif wrong := find_flaw(label or ""):
            left_out.append((file, f"has a label that {wrong}"))
        elif wrong := find_flaw(file, MAX_TEXT):
            left_out.append((file[:MAX_NAME], f"has a path that {wrong}"))
        else:
            uri = f"{root}/{file}"
            samples.append({"key": file, "uri": uri, "label": label, "split": split, "meta": meta})
    return samples, left_out


def note_empty(root: Path, plan: FolderPlan) -> list[str]:
    """Note the folders beside those of the classes that hold no image."""
    above = {folder[:at] for folder, at in plan.class_at.items()}
    known = {folder[: at + 1] for folder, at in plan.class_at.items()}
    empty = []
    for folder in sorted(above):
        with os.scandir(os.path.join(root, *folder)) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
        beside = {f[: len(folder) + 1] for f in plan.placed}
        empty += [
            "/".join([*folder, name])
            for name in names
            if (*folder, name) not in known | beside and not name.startswith("__MACOSX")
        ]
    if not empty:
        return []
    shown = ", ".join(empty[:5]).encode(errors="replace").decode()
    return [f"{format_count(len(empty), 'folder')} beside the classes hold no image: {shown}"]


def refuse_files(root: Path, files: list[str]) -> UserError:
    """Refuse a folder without images, with a word about what is there."""
    reasons = [WHY[ending][0] for f in files[:50] if (ending := find_reason(root / f))]
    reasons = [*dict.fromkeys([*reasons, *filter(None, map(explain_ending, files))])][:3]
    packed = [f for f in files if f.lower().endswith((".tar", ".zip", ".tar.gz", ".tgz"))]
    if packed:
        reasons.append(f"import each archive by its path, such as {root.name}/{packed[0]}")
    hint = f"Assay reads {' '.join(SUFFIXES)}; of several manifests, import one by its path"
    return UserError(
        f"expected images in {root.name}, found {count_endings(files) or 'nothing'}",
        "; ".join([*reasons, hint]),
    )


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
    try:
        table = read_table(path)
        if images and not choose_image_column(table, None):
            return None
    except UserError:
        if images:  # some other JSON or workbook: it is told as not read
            return None
        raise
    listing = list_samples(path, table, replace(options, images=None))
    note = f"no class folders in {root.name}: read {path.name} in it"
    return replace(listing, name=root.name, notes=[note, *listing.notes])


def count_endings(files: list[str]) -> str:
    endings = Counter(os.path.splitext(f)[1].lower() or "without an ending" for f in files)
    return ", ".join(f"{n:,} {ending}" for ending, n in endings.most_common(5))

"""Class folders: class/image, or split/class/image; and of texts, class/text.txt."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from assay.curation.errors import UserError
from assay.curation.formats.annotations import find_masks
from assay.curation.formats.base import Export, ImportOptions, Listing, Match, Patch
from assay.curation.formats.class_names import ClassNames, find_class_names
from assay.curation.formats.class_words import note_odd_classes
from assay.curation.formats.copying import place_images
from assay.curation.formats.file_names import ask_about_names
from assay.curation.formats.folder_levels import Folder
from assay.curation.formats.folder_lists import FolderLists, find_folder_lists
from assay.curation.formats.folder_moves import add_classes, plan_moves
from assay.curation.formats.folder_plan import FolderPlan, Placed, plan_folders
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.table_columns import choose_image_column
from assay.curation.formats.table_files import (
    JSON,
    JSON_LINES,
    TABLES,
    TEXT_TABLES,
    read_header,
    read_table,
)
from assay.curation.formats.table_rows import list_samples, make_finder
from assay.curation.formats.unreadable import WHY, explain_ending, find_reason, list_unread
from assay.curation.media import texts as texts_media
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_NAME, MAX_TEXT, find_flaw, format_count, safe_name

if TYPE_CHECKING:
    import pandas as pd

BESIDE = (*TEXT_TABLES, *JSON_LINES, *JSON, ".txt", ".xml")
MOST_NAMES, MOST_TABLES = 200, 20  # of images and tables that are compared
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
        return self.read_files(path, list(list_files(str(path))), options)

    def read_files(self, path: Path, files: list[str], options: ImportOptions) -> Listing:
        """List the images among the files of a folder."""
        media, images = choose_files(files)
        if masks := set(find_masks(images)):
            images = [f for f in images if f not in masks]
        exported = (path / "assay.json").is_file()
        plan = plan_export(images) if exported else plan_images(path.name, images, options)
        names, lists = ClassNames(), FolderLists()
        if not exported:
            names = name_folders(path, plan)
            lists = find_folder_lists(path, files, images, plan, options, names)
        samples, left_out = list_images(path, images, plan, exported, names, lists)
        if not any(sample["label"] for sample in samples):
            if table := read_only_table(path, files, images, options):
                return table
        if not images:
            raise refuse_files(path, files)
        known = {"label"} if lists.lists else set()
        for option in (o for o, column in options.columns.items() if column and o not in known):
            raise UserError(
                f"--{option}-column: {path.name} is a folder of images, without columns",
                "pass a CSV or Parquet file",
            )
        labelled = any(sample["label"] for sample in samples)
        if not labelled and not exported and not options.pictures_only:
            ask_about_names(path.name, images)
            refuse_beside(path, files, images)
        plan.notes += note_empty(path, plan)
        plan.notes += note_odd_classes(sample["label"] for sample in samples)
        ours = {f for f in files if exported and "/" not in f} | {names.file, *lists.names()}
        there = set(images)
        others = (f for f in files if f not in there | ours and not f.lower().endswith(SUFFIXES))
        unread = list_unread(others) + list_unread(sorted(masks), "masks of the images beside them")
        unlabelled = "class folders" if any(plan.placed) else f"unlabelled {media}s"
        kind = "split folders" if plan.splits else unlabelled
        return Listing(
            self.name,
            kind,
            path.name,
            [samples],
            left_out,
            [*plan.notes, *filter(None, [names.note])],
            plan.roles | describe_label(plan, names, lists),
            unread,
            names.names,
            {names.name(child): names.name(parent) for child, parent in plan.parents.items()},
            media,
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

        An image that a list labels is changed in that list instead. A name that is taken there gets
        a number.
        """
        files = list(list_files(str(source)))
        _, images = choose_files(files)
        exported = (source / "assay.json").is_file()
        plan = plan_export(images) if exported else plan_images(source.name, images, options)
        if exported:
            return plan_moves(source.name, changes, plan, files, exported)
        names = name_folders(source, plan)
        lists = find_folder_lists(source, files, images, plan, options, names)
        add_classes(names, changes)
        listed, done = lists.patch(iter_changes(changes), names)
        rest = changes[~changes.key.isin(done)]
        moves = plan_moves(source.name, rest, plan, files, exported, names)
        removed = [*moves.removed, *listed.removed]
        named = {}
        if names.fresh:
            left = [moves.moved.get(f, f) for f in images if f not in set(removed)]
            then = plan_images(source.name, left, options)
            named = names.plan(source, list_marks(then), most=True)
        return Patch(
            listed.rewritten | named,
            moves.moved,
            removed,
            [*moves.notes, *listed.notes, *names.describe_fresh(), *note_unlisted(names, changes)],
        )


FORMAT = ClassFolders()


def choose_files(files: list[str]) -> tuple[str, list[str]]:
    """Choose the files that are samples: (media type, their names).

    Texts are those in folders, where nothing is an image: beside images they say something of them.
    """
    images = [f for f in files if f.lower().endswith(SUFFIXES)]
    texts = [f for f in files if "/" in f and f.lower().endswith(texts_media.SUFFIXES)]
    return ("text", texts) if texts and not images else ("image", images)


def note_unlisted(names: ClassNames, changes: pd.DataFrame) -> list[str]:
    """Note new labels that the file of class names does not list.

    They have a folder all the same.
    """
    known = {*names.names, *names.fresh}
    new = sorted({row.label for row in iter_changes(changes) if row.label} - known)
    if not names.file or not new:
        return []
    return [f"{names.file} does not list {', '.join(new)}, which has a folder: add it by hand"]


def plan_images(name: str, images: list[str], options: ImportOptions) -> FolderPlan:
    """Plan what the folders of images are: classes, splits or neither.

    AmbiguousSource where they can be read in two ways.
    """
    folders = count_folders(images)
    if options.pictures_only and not options.class_level:
        return FolderPlan({f: Placed() for f in folders}, roles={"label": "none, as asked"})
    return plan_folders(name, folders, options)


def count_folders(images: list[str]) -> Counter[Folder]:
    """Count the images of each folder."""
    counts = Counter(f.rpartition("/")[0] for f in images)
    return Counter({tuple(f.split("/")) if f else (): n for f, n in counts.items()})


def plan_export(images: list[str]) -> FolderPlan:
    """Plan the folders of an export of Assay: split/class.

    What is unlabelled lies in the split's own folder.
    """
    folders = count_folders(images)
    placed = {f: Placed(f[1] if len(f) > 1 else None, f[0] if f else None, {}) for f in folders}
    roles = {"label": "the second folder", "split": "the top folder"}
    return FolderPlan(
        placed,
        True,
        roles,
        class_at={f: 1 for f in folders if len(f) > 1},
        split_at={f: 0 for f in folders if f},
    )


def name_folders(root: Path, plan: FolderPlan) -> ClassNames:
    """Find the file that names the folders' classes and their order."""
    return find_class_names(root, ("", "meta", "annotations"), list_marks(plan), (), most=True)


def list_marks(plan: FolderPlan) -> set[str]:
    """List the folders of classes."""
    return {placed.label for placed in plan.placed.values() if placed.label is not None}


def describe_label(plan: FolderPlan, names: ClassNames, lists: FolderLists) -> dict[str, str]:
    """Say what names the classes, and which lists say more of them."""
    label = plan.roles.get("label", "")
    if any(mark != name for mark, name in names.of_mark.items()):
        label += f", named by {names.file}"
    elif names.file:
        label += f", in the order of {names.file}"
    for found in lists.lists:
        label += f"; of {format_count(len(found.marks), 'image')}: {found.name}"
    return {"label": label} if label else {}


def list_images(
    root: Path,
    images: list[str],
    plan: FolderPlan,
    exported: bool,
    names: ClassNames,
    lists: FolderLists,
) -> tuple[list[dict], list[tuple[str, str]]]:
    """List the samples of image files, and (file, reason) of bad ones."""
    samples: list[dict] = []
    left_out = []
    known: dict[str, tuple[str | None, str | None, dict, str | None]] = {}  # of each folder
    for file in images:
        folder = file.rpartition("/")[0]
        if folder not in known:
            label, split, meta = plan.placed[tuple(folder.split("/")) if folder else ()].values()
            if label is not None:
                label = names.name(unquote(label) if exported else label)
            known[folder] = label, split, meta, find_flaw(label or "")
        label, split, meta, wrong_label = known[folder]
        if label is None and (listed := lists.find(file)):
            label = listed.folder(file)
            label = label if label is None else names.name(label)
            wrong_label = find_flaw(label or "")
        readable = file if file.isascii() else file.encode(errors="replace").decode()
        if file != readable:
            left_out.append((readable, "has a name that is not UTF-8: rename it"))
        elif wrong_label:
            left_out.append((file, f"has a label that {wrong_label}"))
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
        if images and not choose_image_column(table, None, make_finder(root, options.images)):
            return None
    except UserError:
        if images:  # some other JSON or workbook: it is told as not read
            return None
        raise
    listing = list_samples(path, table, replace(options, images=None))
    note = f"no class folders in {root.name}: read {path.name} in it"
    return replace(listing, name=root.name, notes=[note, *listing.notes])


def refuse_beside(root: Path, files: list[str], images: list[str]) -> None:
    """Refuse images without labels where a table or text names them.

    It lies beside the images, and may hold the labels.
    """
    names = {os.path.basename(f) for f in images[:MOST_NAMES]}
    # a number may be something else
    names |= {stem for n in names if len(stem := os.path.splitext(n)[0]) > 3 and not stem.isdigit()}
    for file in [f for f in files if "/" not in f and f.lower().endswith(BESIDE)][:MOST_TABLES]:
        words = set(re.findall(r"[^\s,;|\"'/\\:]+", read_header(root / file)))
        if names & words:
            raise UserError(
                f"expected folders of classes in {root.name}, found none, and {file}, which names the"
                " images and could not be read as their labels",
                f"assay import {root.name}/{file} says what keeps it; --pictures-only imports the"
                " images without labels",
            )


def count_endings(files: list[str]) -> str:
    endings = Counter(os.path.splitext(f)[1].lower() or "without an ending" for f in files)
    return ", ".join(f"{n:,} {ending}" for ending, n in endings.most_common(5))

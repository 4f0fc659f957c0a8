"""A table of labels beside folders of images, as on Kaggle."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.csv_files import BadCsv, read_rows
from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.annotations import find_masks
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch, note_lost_splits
from assay.curation.formats.datalab import TABLE
from assay.curation.formats.folder_levels import show_names
from assay.curation.formats.label_sheets import (
    could_name_images,
    guess_table_split,
    read_sheet,
)
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.table_patches import write_table
from assay.curation.formats.text_patches import Cells
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import MAX_TEXT, find_flaw, format_count

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv")
NOT_LABELS = ("sample_submission", "samplesubmission", "submission", "metadata.", "_classes.csv")
# meta.csv: GTSRB's signs; the others list boxes, and class folders take the class from them
NOT_LABELS += ("meta.csv", "loc_train_solution", "loc_val_solution", "loc_sample_submission")
HEAD = 1 << 14  # bytes that are read to see whether a table names images
TRIED = 5  # rows whose images are looked for


class Kaggle:
    """A CSV of ids or file names and labels beside folders of images.

    Such as train.csv beside train/. Asked where several columns could be the label, and where folders
    say other classes than the table. Boxes, masks and one column for each class are refused.
    sample_submission.csv is no table of labels.
    """

    name = "kaggle"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        no = Match("no", "expects a folder with a CSV that names images beside it")
        exported = (path / "assay.json").exists() and not (path / TABLE).exists()
        if not path.is_dir() or exported:
            return no
        found = [t for t in list_tables(path) if names_images(path, t)]
        return Match("sure", f"{found[0]} names images beside it") if found else no

    def read(self, path: Path, options: ImportOptions) -> Listing:
        """List the rows of tables that name images, and other images.

        The others have no label.
        """
        files = list(list_files(str(path)))
        masks = set(find_masks([f for f in files if f.lower().endswith(SUFFIXES)]))
        index = ImageIndex(f for f in files if f not in masks)
        samples: list[dict] = []
        left_out: list[tuple[str, str]] = []
        roles: dict[str, str] = {}
        used: list[str] = []
        splits: dict[str | None, list[dict]] = {}
        for name in list_tables(path):
            sheet = read_sheet(path, name, index, options)
            if sheet is None:
                continue
            used.append(name)
            splits[guess_table_split(name)] = sheet.samples
            samples += sheet.samples
            left_out += sheet.left_out
            roles |= sheet.roles
        if not used:
            raise UserError(
                f"expected a table of images and labels in {path.name}, found none",
                "--label-column and --image-column name its columns",
            )
        if len(splits) > 1 and None not in splits:
            for split, found in splits.items():
                for sample in found:
                    sample["split"] = sample["split"] or split
            roles.setdefault("split", f"the table: {', '.join(used)}")
        else:
            read_split_folders(samples, roles)
        first: dict[str, str] = {}
        for sample in samples:
            if first.setdefault(sample["key"], sample["label"]) != sample["label"]:
                left_out.append((sample["key"], "has two labels in the tables"))
        bad = {key for key, _ in left_out}
        samples = [s for s in {s["key"]: s for s in samples}.values() if s["key"] not in bad]
        ask_about_folders(path.name, samples, options)
        rest = [f for f in index.images if f not in first and f not in bad]
        notes = [f"read {', '.join(used)} in {path.name}: the labels are those of the table"]
        for file in rest:
            if find_flaw(file, MAX_TEXT):
                left_out.append((file.encode(errors="replace").decode(), "is no plain name"))
            else:
                samples.append(
                    dict(key=file, uri=f"{path}/{file}", label=None, split=None, meta={})
                )
        if rest:
            tops = Counter(f.split("/")[0] if "/" in f else "." for f in rest)
            notes.append(
                f"{format_count(len(rest), 'image', 'has', 'have')} no row, and no label: {show_names(tops)}"
            )
        others = (f for f in files if not f.lower().endswith(SUFFIXES) and f not in used)
        unread = list_unread(others) + list_unread(sorted(masks), "masks of other images")
        return Listing(
            self.name,
            f"images and {', '.join(used)}",
            path.name,
            [samples],
            left_out,
            notes,
            roles,
            unread,
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change labels in the tables; remove images with their row.

        An image without a row would be read as one without a label.
        """
        files = list(list_files(str(source)))
        index = ImageIndex(files)
        wanted = {row.key: row for row in iter_changes(changes)}
        rewritten, said = {}, set()
        for name in list_tables(source):
            sheet = read_sheet(source, name, index, options)
            if sheet is None:
                continue
            cells: Cells = {}
            gone: set[int] = set()
            for key, row in sheet.rows:
                if (change := wanted.get(key)) is None:
                    continue
                said.add(key)
                sheet.change(row, change, cells, gone)
            if cells or gone:
                rewritten[name] = partial(write_table, source / name, options, cells, gone)
        gone_files = [k for k, change in wanted.items() if change.removed and k in set(files)]
        lost = [k for k in wanted if k not in said and k not in gone_files]
        notes = (
            [
                f"{format_count(len(lost), 'image', 'has', 'have')} no row in a table, first {lost[0]}"
            ]
            if lost
            else []
        )
        notes += note_lost_splits(changes, "a column")
        return Patch(rewritten=rewritten, removed=gone_files, notes=notes)


FORMAT = Kaggle()


def read_split_folders(samples: list[dict], roles: dict[str, str]) -> None:
    """Give samples the split of their folder, where no column has it.

    Only where they lie in several splits.
    """
    words = {}
    for sample in samples:
        folders = os.path.dirname(sample["key"]).split("/")
        found = [split for split in map(guess_split, folders) if split]
        words[sample["key"]] = found[0] if found else None
    if len(set(words.values())) > 1 and not any(sample["split"] for sample in samples):
        for sample in samples:
            sample["split"] = words[sample["key"]]
        counts = Counter(words[sample["key"]] for sample in samples)
        found = ", ".join(f"{split or 'none'} {n:,}" for split, n in counts.items())
        roles["split"] = f"the folder of each image ({found})"


def in_split(key: str) -> bool:
    """Whether an image's own folder is named as a split.

    Then no class folder lies below it.
    """
    return bool(guess_split(os.path.basename(os.path.dirname(key))))


def list_tables(path: Path) -> list[str]:
    """List the tables in a folder that may hold labels.

    They lie at its top, in annotations/, labels/ or csv/, or in the folder of a split.
    """
    found = []
    tops = sorted(e.name for e in os.scandir(path) if e.is_dir() and not e.is_symlink())
    likely = [f"{top}/" for top in tops if top.lower() in ("annotations", "labels", "csv")]
    for below in ("", *likely, *(f"{top}/" for top in tops if guess_split(top))):
        try:
            names = sorted(os.listdir(path / below))
        except OSError:
            continue
        found += [
            f"{below}{name}"
            for name in names
            if name.lower().endswith(ENDINGS)
            and not name.startswith(".")
            and not name.lower().replace("-", "_").startswith(NOT_LABELS)
        ]
    return found[:50]


def names_images(path: Path, table: str) -> bool:
    """Whether the first rows of a table name images beside it.

    They must say something of the images, too.
    """
    file = path / table
    if not file.is_file():
        return False
    with open(file, "rb") as opened:
        head = opened.read(HEAD).decode("utf-8", "replace").removeprefix("\ufeff")
    head = head.rpartition("\n")[0] or head
    try:
        rows = [cells for _, cells in islice(read_rows(head), TRIED + 1)]
    except BadCsv:
        return False
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    with os.scandir(path) as entries:
        folders = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    places = [f"{f}/" for f in folders[:50]]
    for inside in folders[:10]:
        with os.scandir(path / inside) as entries:
            below = sorted(e.name for e in entries if e.is_dir())[:10]
        places += [f"{inside}/{name}/" for name in below]
    values = {
        cell.strip()
        for row in rows[1:]
        for name, cell in zip(rows[0], row)
        if could_name_images(name, [cell])
    }
    return any(
        os.path.isfile(f"{path}/{place}{value}{suffix}")
        for value in values
        if value and len(value) < 250 and "\0" not in value and not value.startswith("/")
        for place in ("", *places)
        for suffix in ("", ".jpg", ".png", ".jpeg", ".tif", ".tiff", ".JPG", ".JPEG")
        if (value + suffix).lower().endswith(SUFFIXES)
    )


def ask_about_folders(name: str, samples: list[dict], options: ImportOptions) -> None:
    """Ask where both folders and a table could be the classes."""
    if options.format or options.columns.get("label") or options.pictures_only:
        return
    samples = [s for s in samples if "/" in s["key"] and not in_split(s["key"])]
    folders = Counter(os.path.basename(os.path.dirname(s["key"])) for s in samples)
    classes = set(folders)
    labels = Counter(s["label"] for s in samples if s["label"])
    if len(classes) < 2 or len(classes) > len(samples) / 2:
        return
    agree = sum(s["label"] == os.path.basename(os.path.dirname(s["key"])) for s in samples)
    if agree == len(samples):
        return
    raise AmbiguousSource(
        f"expected labels of one kind in {name}, found folders and a table that differ",
        [
            Reading(f"the table's classes: {show_names(labels)}", "--format kaggle"),
            Reading(f"the folders are the classes: {show_names(folders)}", "--format folders"),
        ],
    )

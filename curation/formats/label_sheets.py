"""Tables of labels beside images: their columns, and each cell's place."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from assay.curation.csv_files import BadCsv, read_rows
from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.table_columns import as_texts
from assay.curation.formats.table_files import Table
from assay.curation.formats.table_labels import (
    PLURALS,
    NoLabelColumn,
    choose_labels,
    plain_name,
    refuse_objects,
)
from assay.curation.formats.table_splits import choose_column
from assay.curation.formats.text_patches import Cells
from assay.curation.formats.text_tables import read_text
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES
from assay.curation.text import MAX_TEXT, find_flaw, format_count


class Row(NamedTuple):
    line: int  # on which it begins, from 1
    cells: list[str]


class Sheet:
    """One table of labels, with its rows and their lines."""

    def __init__(self, name: str, names: list[str], label: str) -> None:
        self.name, self.names, self.label = name, names, label
        self.samples: list[dict] = []
        self.left_out: list[tuple[str, str]] = []
        self.roles: dict[str, str] = {}
        self.rows: list[tuple[str, Row]] = []  # of each sample's key

    def change(self, row: Row, change: Any, cells: Cells, removed: set[int]) -> None:
        """Add the change of a row.

        UserError where the row does not say the given label any more.
        """
        if not self.label:
            return
        cell = row.cells[self.names.index(self.label)]
        if as_texts([cell], self.label)[0] != change.given_label and not same_number(
            cell, change.given_label
        ):
            raise UserError(
                f"expected the label {change.given_label} of {change.key} in "
                f"{self.name}, line {row.line}, found {cell}",
                "the source has changed since: import it again",
            )
        if change.removed:
            removed.add(row.line)
        elif change.label != change.given_label:
            cells[row.line] = {self.label: replace_padded(cell, change.label or "")}


def read_sheet_rows(file: Path) -> list[Row]:
    """Read the rows of a CSV; UserError where it is none."""
    try:
        return [Row(line, cells) for line, cells in read_rows(read_text(file))]
    except BadCsv as e:
        raise UserError(f"{file.name}, line {e.line}: {e}", 'write a quote in a cell as ""') from e


def replace_padded(cell: str, value: str) -> str:
    """Replace a cell's text, not the blanks around it."""
    bare = cell.strip()
    return cell.replace(bare, value) if bare else value


def same_number(cell: str, label: str | None) -> bool:
    """Whether a cell such as 3.0 was read as the label 3.

    A column of numbers with a gap has such cells.
    """
    return label is not None and cell.strip().split(".")[0] == label


def read_sheet(path: Path, name: str, index: ImageIndex, options: ImportOptions) -> Sheet | None:
    """Read a table of images and labels.

    None where it names no images, or has no column of labels.
    """
    rows = read_sheet_rows(path / name)
    names = [cell.strip() for cell in rows[0].cells] if rows else []
    whole = [row for row in rows[1:] if len(row.cells) == len(names)]
    if len(names) < 2 or not whole or len(set(names)) < len(names):
        return None
    columns = {n: [row.cells[i] or None for row in whole] for i, n in enumerate(names) if n}
    table = Table(columns, [f"line {row.line}" for row in whole])
    if not options.pictures_only and not options.columns.get("label"):
        refuse_objects(columns, name)
    stem = guess_table_split(name)
    bases = [os.path.dirname(name), *choose_bases(index, stem)]
    image = choose_column(table, "image", options.columns.get("image")) or find_image_column(
        columns, index, bases
    )
    if image is None:
        return None
    split = choose_column(table, "split", options.columns.get("split"), ("split", "subset", "set"))
    group = choose_column(table, "group", options.columns.get("group"))
    asked = options.columns.get("label")
    free = [n for n in columns if n not in (image, split, group)]
    if asked or options.pictures_only:
        label = choose_column(table, "label", asked or "none")
    elif len(free) == 1:
        label = free[0]
    else:
        label = guess_label_column(name, table, {image, split, group})
    if label is None and not options.pictures_only or label and not any(columns[label]):
        return None
    if label and not asked:
        ask_about_several(name, label, columns[label])
    sheet = Sheet(name, names, label or "")
    fill_sheet(sheet, path, name, whole, columns, (image, split, group), index, bases)
    bad_rows = [row for row in rows[1:] if len(row.cells) != len(names)]
    sheet.left_out += [
        (
            f"{name} line {row.line}",
            f"has {format_count(len(row.cells), 'cell')}, the header {len(names)}",
        )
        for row in bad_rows
    ]
    return sheet


def fill_sheet(
    sheet: Sheet,
    path: Path,
    name: str,
    rows: list[Row],
    columns: dict[str, list],
    chosen: tuple[str, str | None, str | None],
    index: ImageIndex,
    bases: list[str],
) -> None:
    """Fill in the samples of a table."""
    image, split, group = chosen
    labels = as_texts(columns[sheet.label], sheet.label) if sheet.label else [None] * len(rows)
    ids = columns[image]
    others = [n for n in columns if n not in (*chosen, sheet.label)]
    for i, row in enumerate(rows):
        file, wrong = index.find_one(ids[i] or "", *bases) if ids[i] else (None, f"has no {image}")
        if file is None or (wrong := find_flaw(labels[i] or "") or find_flaw(file, MAX_TEXT) or ""):
            sheet.left_out.append((ids[i] or f"{name} line {row.line}", f"{wrong} ({name})"))
            continue
        meta = {n: columns[n][i] for n in others if columns[n][i]}
        word = columns[split][i] if split else None
        sample = dict(key=file, uri=f"{path}/{file}", label=labels[i], split=word, meta=meta)
        if word and word not in ("train", "val", "test"):
            sample["split"] = guess_split(word) or word
        if group:
            sample["group"] = columns[group][i]
        sheet.samples.append(sample)
        sheet.rows.append((file, row))
    where = f"the column {sheet.label} of {name}" if sheet.label else "none, as asked"
    sheet.roles = {"label": where, "image": f"the column {image}"}
    if split:
        sheet.roles["split"] = f"the column {split}"
    if others:
        sheet.roles["metadata"] = f"{len(others)} columns: {', '.join(others[:10])}"


def guess_table_split(name: str) -> str | None:
    """Guess the split of a table by its name or folder.

    Such a name is train_labels.csv.
    """
    stem = os.path.splitext(os.path.basename(name))[0]
    words = re.sub(r"_?labels?|Labels?|_?v\d+$", "", stem)
    return guess_split(words) or guess_split(os.path.dirname(name))


def guess_label_column(name: str, table: Table, taken: set[str | None]) -> str | None:
    """Guess the column of labels; None where none can be one.

    AmbiguousSource where several can; UserError where they are marks of several labels.
    """
    try:
        found = choose_labels(table, None, taken, name)
    except NoLabelColumn:
        return None
    if found.several:
        raise UserError(
            f"expected one label a row in {name}, found several labels: {found.several}",
            f"import the table itself: assay import .../{name}; --pictures-only imports the images without labels",
        )
    if found.one_hot:
        raise UserError(
            f"expected one column of labels in {name}, found {len(found.one_hot)} of 0 and 1: "
            f"{', '.join(found.one_hot[:5])}",
            "--pictures-only imports the images without labels; --label-column NAME takes one",
        )
    return found.column


def ask_about_several(name: str, column: str, values: list[str | None]) -> None:
    """Ask whether cells of several words are several labels.

    Such cells are "haze primary" and "primary clear".
    """
    texts = {v for v in values if v}
    for separator in (" ", ",", ";", "|"):
        parts = {part.strip() for text in texts for part in text.split(separator)}
        several = sum(separator in text.strip() for text in texts)
        few = several * 2 >= len(texts) > 3 and len(parts) < len(texts)
        if few or several and plain_name(column) in PLURALS:
            raise AmbiguousSource(
                f"expected one label for each image in {name}, found cells of several words in "
                f"{column}, such as {min(texts)!r}",
                [
                    Reading(
                        f"each of the {len(texts):,} texts is a class of its own",
                        f"--label-column {shlex.quote(column)}",
                    ),
                    Reading(
                        "they are several labels each, which Assay does not read yet: the images "
                        "without labels",
                        "--pictures-only",
                    ),
                ],
            )


def choose_bases(index: ImageIndex, split: str | None) -> list[str]:
    """Choose the folders in which a table's images are looked for first.

    Ids may repeat in train/ and test/: those of train.csv lie in train/.
    """
    folders = sorted({os.path.dirname(f) for f in index.images})
    own = [f for f in folders if split and split in map(guess_split, f.split("/"))]
    if split is None:
        own = [f for f in folders if "train" in map(guess_split, f.split("/"))]
    return ["", *own]


def could_name_images(column: str, values: list[str]) -> bool:
    """Whether the values of a column may be names of images.

    Bare numbers may only where the column is called so.
    """
    words = ("id", "image", "img", "file", "path", "name", "photo", "picture", "key", "sample")
    named = any(word in column.lower() for word in words) or not column.strip()
    return named or not all(v.strip().isdecimal() for v in values)


def find_image_column(columns: dict[str, list], index: ImageIndex, bases: list[str]) -> str | None:
    """Find the column whose cells name images."""
    best, most = None, 0
    for name, values in columns.items():
        tried = [v for v in values if v][:20]
        if not could_name_images(name, tried):
            continue
        found = sum(index.find_one(v, *bases)[0] is not None for v in tried)
        # a number may be an image's name by chance, a name with its ending is none
        found = found * 2 + sum(v.lower().endswith(SUFFIXES) for v in tried) * bool(found)
        if found > most and found >= len(tried):
            best, most = name, found
    return best

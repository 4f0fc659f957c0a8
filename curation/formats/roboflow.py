"""Roboflow's classification export: a _classes.csv in each split's folder."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch, note_lost_splits
from assay.curation.formats.label_sheets import Row, read_sheet_rows, replace_padded
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.split_words import guess_split
from assay.curation.formats.table_patches import write_table
from assay.curation.formats.text_patches import Cells
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.image_index import ImageIndex
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import find_flaw, format_count

if TYPE_CHECKING:
    import pandas as pd

SHEET = "_classes.csv"


class Roboflow:
    """Roboflow's _classes.csv: a column for each class, with one 1 a row.

    Rows with several are refused.
    """

    name = "roboflow"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if path.is_dir():
            with os.scandir(path) as entries:
                folders = sorted(e.name for e in entries if e.is_dir())[:100]
            for folder in ("", *(f"{f}/" for f in folders)):
                if (path / f"{folder}{SHEET}").is_file():
                    return Match("sure", f"{folder}{SHEET} has a column for each class")
        return Match("no", f"expects a folder with {SHEET} in it or in its split folders")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        files = list(list_files(str(path)))
        index = ImageIndex(files)
        samples: list[dict] = []
        left_out: list[tuple[str, str]] = []
        classes: dict[str, None] = {}
        several: list[str] = []
        sheets = [f for f in files if os.path.basename(f) == SHEET]
        for name in sheets:
            rows, names = read_names(path / name, name)
            classes |= dict.fromkeys(names)
            folder = os.path.dirname(name)
            for row in rows:
                key, labels, wrong = read_row(row, names, folder, index)
                if wrong or key is None:
                    left_out.append((row.cells[0].strip() or f"{name} line {row.line}", wrong))
                    continue
                several += [key] if len(labels) > 1 else []
                top = folder.split("/")[0]
                split = (top if top in options.split_map else guess_split(top) or top) or None
                label = labels[0] if len(labels) == 1 else None
                samples.append(
                    dict(key=key, uri=f"{path}/{key}", label=label, split=split, meta={})
                )
        if several and not options.pictures_only:
            raise UserError(
                f"expected one class for each image in {path.name}, found {format_count(len(several), 'image')} "
                f"with several, first {several[0]}: multi-label, which Assay does not read yet",
                "--pictures-only imports the images without labels",
            )
        listed = {sample["key"] for sample in samples} | {key for key, _ in left_out}
        rest = [f for f in index.images if f not in listed]
        unread = list_unread(
            f for f in files if not f.lower().endswith(SUFFIXES) and f not in sheets
        )
        unread += list_unread(rest, f"no row of a {SHEET} names them")
        splits = Counter(sample["split"] for sample in samples)
        roles = {"label": f"the column with a 1 in {SHEET} ({format_count(len(classes), 'class')})"}
        if set(splits) - {None}:
            found = ", ".join(f"{s} {n:,}" for s, n in splits.items())
            roles["split"] = f"the folder of each {SHEET} ({found})"
        bare = [s["key"] for s in samples if s["label"] is None and s["key"] not in several]
        notes = (
            [f"{format_count(len(bare), 'image', 'has', 'have')} no 1 in their row: no label"]
            if bare
            else []
        )
        kind = f"Roboflow's {SHEET}"
        return Listing(
            self.name,
            kind,
            path.name,
            [samples],
            left_out,
            notes,
            roles,
            unread,
            classes=list(classes),
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Move the 1 of each changed row to its new class.

        A removed image loses its row alone: its file stays.
        """
        files = list(list_files(str(source)))
        index = ImageIndex(files)
        wanted = {row.key: row for row in iter_changes(changes)}
        notes = []
        rewritten = {}
        sheets = [f for f in files if os.path.basename(f) == SHEET]
        known = {label for name in sheets for label in read_names(source / name, name)[1]}
        labels = [row.label for row in wanted.values() if row.label and not row.removed]
        fresh = [label for label in dict.fromkeys(labels) if label not in known]
        for name in sheets:
            rows, names = read_names(source / name, name)
            more = [*fresh, *(x for x in dict.fromkeys(labels) if x in known and x not in names)]
            ones: dict[int, str] = {}  # row -> its new column
            cells: Cells = {}
            gone: set[int] = set()
            for row in rows:
                key, labels, _ = read_row(row, names, os.path.dirname(name), index)
                if (change := wanted.get(key)) is None:
                    continue
                if labels != [change.given_label] * bool(change.given_label):
                    raise UserError(
                        f"expected {key} to be {change.given_label} in {name}, found {labels}",
                        "the source has changed since: import it again",
                    )
                if change.removed:
                    gone.add(row.line)
                elif change.label in more:
                    ones[row.line] = change.label
                if not change.removed and change.label != change.given_label:
                    for column, cell in zip(names, row.cells[1:]):
                        want = "1" if column == change.label else "0"
                        if cell.strip() != want and column in (*labels, change.label):
                            new = cells.setdefault(row.line, {})
                            new[column] = replace_padded(cell, want)
            if more:
                lines = {row.line for row in rows}
                text = add_columns(source / name, more, ones, lines)
                rewritten[name] = partial(write_wider, text, options, cells, gone)
                notes.append(f"{name} has new columns at its end: {', '.join(more)}")
            elif cells or gone:
                rewritten[name] = partial(write_table, source / name, options, cells, gone)
        notes += note_lost_splits(changes, SHEET)
        return Patch(rewritten=rewritten, notes=notes)


FORMAT = Roboflow()


def read_names(sheet: Path, name: str) -> tuple[list[Row], list[str]]:
    """Read the rows of a sheet, and its classes."""
    rows = read_sheet_rows(sheet)
    names = [cell.strip() for cell in rows[0].cells[1:]] if rows else []
    if not names or len(set(names)) < len(names):
        raise UserError(
            f"expected filename and a column for each class in {name}, found "
            f"{'one name twice' if names else 'no class'}",
            "export it again",
        )
    return rows[1:], names


def add_columns(sheet: Path, more: list[str], ones: dict[int, str], lines: set[int]) -> bytes:
    """Add a column at a sheet's end for each new class.

    ones: line -> the column that has its 1. lines: those where a row begins.
    """
    text = sheet.read_bytes().decode("utf-8")
    whole = text.splitlines(keepends=True)
    pad = " " if ", " in whole[0] else ""
    starts = sorted({1, *lines})
    ends = {start: end - 1 for start, end in zip(starts, [*starts[1:], len(whole) + 1])}
    for start, end in ends.items():
        while end > start and not whole[end - 1].strip():  # empty lines behind the last row
            end -= 1
        body = whole[end - 1].rstrip("\r\n")
        said = more if start == 1 else ["1" if ones.get(start) == name else "0" for name in more]
        new = "".join(f",{pad}{quote_cell(cell)}" for cell in said)
        whole[end - 1] = body + new + whole[end - 1][len(body) :]
    return "".join(whole).encode("utf-8")


def quote_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text


def write_wider(
    text: bytes, options: ImportOptions, cells: Cells, gone: set[int], target: Path
) -> None:
    """Write a sheet with new columns, changed."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        wide = Path(folder, SHEET)
        wide.write_bytes(text)
        write_table(wide, options, cells, gone, target)


def read_row(
    row: Row, names: list[str], folder: str, index: ImageIndex
) -> tuple[str | None, list[str], str]:
    """Read a row: (its image, its classes, what is wrong)."""
    if len(row.cells) != len(names) + 1:
        return None, [], f"has {format_count(len(row.cells), 'cell')}, the header {len(names) + 1}"
    key, wrong = index.find_one(row.cells[0], folder)
    marks = [cell.strip() for cell in row.cells[1:]]
    if odd := set(marks) - {"0", "1", "0.0", "1.0", ""}:
        return key, [], f"has {odd.pop()[:50]!r} where 0 or 1 is expected"
    labels = [name for name, mark in zip(names, marks) if mark[:1] == "1"]
    return key, labels, wrong or next(filter(None, map(find_flaw, labels)), "") or ""

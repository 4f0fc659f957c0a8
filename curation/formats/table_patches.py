"""Bring changes to a table: which cells say what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Patch
from assay.curation.formats.column_files import ARROW, PARQUET
from assay.curation.formats.column_patches import patch_columns_file
from assay.curation.formats.excel_patches import patch_excel
from assay.curation.formats.excel_tables import EXCEL
from assay.curation.formats.json_class_patches import add_names, check_names, number_cells
from assay.curation.formats.json_tables import find_shape
from assay.curation.formats.json_text import parse_json
from assay.curation.formats.moves import none_of
from assay.curation.formats.split_words import read_split_word
from assay.curation.formats.table_cells import Shard, Table
from assay.curation.formats.table_columns import as_row_labels, as_texts, as_written
from assay.curation.formats.table_files import JSON, JSON_LINES, read_table
from assay.curation.formats.table_labels import ONES, WHOLE
from assay.curation.formats.table_rows import read_rows
from assay.curation.formats.table_words import Rows
from assay.curation.formats.text_patches import (
    Cells,
    patch_csv,
    patch_json,
    patch_json_lines,
    rewrite_text,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class TableChanges:
    """The new cells of a table by row, from 0, and the rows that go."""

    table: Table
    cells: Cells = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    labels: dict[int, str | None] = field(default_factory=dict)  # what people say, by row
    notes: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)  # classes that the file's own list must get

    @property
    def names(self) -> tuple[str | None, list[str]]:
        return self.table.class_list, self.fresh

    def of(self, shard: Shard) -> tuple[Cells, set[int]]:
        """Take the changes of one shard, by its own row numbers.

        Returns (cells, removed rows).
        """
        there = range(shard.start, shard.start + shard.rows)
        cells = {n - shard.start: row for n, row in self.cells.items() if n in there}
        return cells, {n - shard.start for n in self.removed if n in there}


def plan_patch(path: Path, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
    """Plan how the table at `path` of a source takes over changes."""
    found = find_changes(path, changes, options)
    rewritten: dict[str, Callable[[Path], None]] = {}
    if found.table.shards:
        for shard in found.table.shards:
            cells, removed = found.of(shard)
            if cells or removed:
                file = path / shard.name
                rewritten[shard.name] = partial(write_table, file, options, cells, removed)
    elif found.cells or found.removed:
        name = "" if path == source else str(path.relative_to(source))
        rows = number_rows(found.table, found.cells), number_rows(found.table, found.removed)
        rewritten[name] = partial(write_table, path, options, *rows, names=found.names)
        found.notes += check_names(path, found.table, found.fresh, rewritten[name])
    return Patch(rewritten, notes=found.notes)


def write_changed_rows(
    path: Path, changes: pd.DataFrame, options: ImportOptions, out: Path
) -> None:
    """Write the changed rows of a table as a small one.

    Rows that are to go are written beside them, into a file called .removed.
    """
    found = find_changes(path, changes, options)
    kept = set(found.cells), found.removed
    for rows, place in zip(kept, (out, out.with_name(f"{out.stem}.removed{out.suffix}"))):
        if not rows:
            continue
        shards = found.table.shards or [Shard("", 0, len(found.table.places))]
        for shard in shards:
            there = range(shard.start, shard.start + shard.rows)
            mine = {n for n in rows if n in there}
            if not mine:
                continue
            numbers = {n - shard.start for n in mine}
            cells = {n - shard.start: row for n, row in found.cells.items() if n in mine}
            removed = set(range(shard.rows)) - numbers
            target = place / shard.name if shard.name else place
            target.parent.mkdir(parents=True, exist_ok=True)
            if not found.table.shards:
                cells, removed = number_rows(found.table, cells), number_rows(found.table, removed)
            file = path / shard.name if shard.name else path
            write_table(file, options, cells, removed, target, found.names)


def number_rows(table: Table, rows: Any) -> Any:
    """Number rows as their file does."""
    numbers = table.places.numbers
    if isinstance(rows, set):
        return {numbers[n] for n in rows}
    return {numbers[n]: row for n, row in rows.items()}


def write_table(
    path: Path,
    options: ImportOptions,
    cells: Cells,
    removed: set[int],
    target: Path,
    names: tuple[str | None, list[str]] = (None, []),
) -> None:
    """Write a table again at `target` with changed cells and removed rows.

    names: of a list in JSON, and what comes to its end.
    """
    suffix = path.suffix.lower()
    if suffix in (*PARQUET, *ARROW):
        return patch_columns_file(path, target, cells, removed)
    if suffix in EXCEL:
        return patch_excel(path, target, options.sheet, cells, removed)

    def change(text: str) -> str:
        if suffix in JSON_LINES:
            return patch_json_lines(text, cells, removed)
        if suffix in JSON:
            shape = find_shape(parse_json(text, path.name), path.name)
            text = patch_json(text, shape, cells, removed)
            return add_names(text, names[0], names[1]) if names[0] and names[1] else text
        return patch_csv(text, cells, removed)

    rewrite_text(path, target, change)


def find_changes(path: Path, changes: pd.DataFrame, options: ImportOptions) -> TableChanges:
    """Find the cells of a table that must change.

    UserError where it does not hold the samples any more, or gives them another label by now.
    """
    table = read_table(path, options.sheet, options.skip_bad)
    rows = read_rows(path, table, options)
    found = TableChanges(table)
    at = find_rows(table, rows, changes)
    unsaid: Counter[str] = Counter()
    cells = CellWriter(table, rows, options)
    for change in changes.itertuples():
        those = at.get(change.Index if rows.exported else change.key, [])
        if change.removed:
            found.removed.update(those)
            continue
        if not those:
            raise changed_since(path, f"no row {change.key}")
        n = those[0]
        given, label = none_of(change.given_label), none_of(change.label)
        if label != given and rows.labels[n] not in (label, given):
            raise changed_since(path, f"the label {rows.labels[n]} where {change.key} had {given}")
        for n in those:  # an image that is listed again says the same everywhere
            new: dict[str, Any] = {}
            if label != given and rows.labels[n] != label:
                new |= cells.label_cells(n, label, unsaid)
                found.labels[n] = label
            if split := none_of(change.split):
                new |= cells.split_cells(n, split, unsaid)
            if new:
                found.cells[n] = new
    refuse_misread(path, found, rows)
    found.fresh = number_cells(found.cells, table)
    found.notes += [f"{count:,} {what}" for what, count in unsaid.items()]
    return found


def refuse_misread(path: Path, found: TableChanges, rows: Rows) -> None:
    """Refuse labels that the table would read as something else.

    Such are a blank, nan, and numbers that read as others.
    """
    column = rows.roles.labels.column
    if column is None:
        return
    cells = list(found.table.columns[column])
    want = list(rows.labels)
    for n, new in found.cells.items():
        if column in new:
            cells[n] = new[column]
            want[n] = None if new[column] is None else found.labels[n]
    texts = as_written if rows.exported else as_texts
    texts = as_row_labels if rows.roles.columns else texts
    for n, (text, label) in enumerate(zip(texts(cells, column), want)):
        if text != label:
            raise UserError(
                f"expected labels that {path.name} can say, found {label!r:.100} on "
                f"{found.table.places[n]}, which would be read as {text!r:.100}",
                "rename the class, or use --format manifest",
            )


def find_rows(table: Table, rows: Rows, changes: pd.DataFrame) -> dict[str, list[int]]:
    """Find the rows of each key, or of each sample's id.

    The first is the one that was read.
    """
    found: dict[str, list[int]] = {}
    if rows.exported:
        for i, sample in enumerate(table.columns["sample_id"]):
            found.setdefault(str(sample), []).append(i)
        return found
    wanted = set(changes.key)
    for i in range(len(table.places)):
        if (key := rows.key(i)) in wanted:
            found.setdefault(key, []).append(i)
    return found


def changed_since(path: Path, found: str) -> UserError:
    return UserError(
        f"expected {path.name} to say what it said when it was imported, found {found}",
        "it has changed since: import it again first",
    )


class CellWriter:
    """Say labels and splits in a table's own words and types."""

    def __init__(self, table: Table, rows: Rows, options: ImportOptions) -> None:
        self.table, self.rows, self.options = table, rows, options
        self.numbers: dict[str, Any] | None = None  # class -> its number, where a column has them

    def label_cells(self, n: int, label: str | None, unsaid: Counter[str]) -> dict[str, Any]:
        """The cells that give row `n` a label."""
        labels, columns = self.rows.roles.labels, self.table.columns
        if labels.one_hot:
            return self.one_hot_cells(n, label)
        if labels.column is None:
            unsaid["labels cannot be said: the table has no column of labels"] += 1
            return {}
        cells = columns[labels.column]
        # a blank before each word stays there
        blank = self.rows.roles.columns and label and all_begin_blank(cells)
        new = {labels.column: f" {label}" if blank else form_cell(cells, label)}
        if labels.index:
            new[labels.index] = label and self.number_class(label, unsaid)
        return new

    def number_class(self, label: str, unsaid: Counter[str]) -> Any:
        """The number of a class; the next one where it is new."""
        labels, columns = self.rows.roles.labels, self.table.columns
        numbers = columns[labels.index]
        if self.numbers is None:
            self.numbers = dict(zip(self.rows.labels, numbers))
        if label not in self.numbers:
            known = [int(float(v)) for v in self.numbers.values() if v is not None]
            self.numbers[label] = form_cell(numbers, str(max(known) + 1))
            unsaid[f"class is new in {labels.index}: {label} is {self.numbers[label]}"] += 1
        return self.numbers[label]

    def one_hot_cells(self, n: int, label: str | None) -> dict[str, Any]:
        """The cells of a row that has one of several columns set."""
        names = self.rows.roles.labels.one_hot
        if label is not None and label not in names:
            raise UserError(
                f"expected one of the classes {', '.join(names)[:300]}, found {label}",
                "such a class has no column in this table: export another, --format manifest",
            )
        cells = [cell for name in names for cell in self.table.columns[name]]
        one = next((cell for cell in cells if str(cell) in ONES), "1")
        zero = next((cell for cell in cells if str(cell) not in ONES), "0")
        old = self.rows.labels[n]
        return ({old: zero} if old else {}) | ({label: one} if label else {})

    def split_cells(self, n: int, split: str, unsaid: Counter[str]) -> dict[str, Any]:
        """The cells that put row `n` into a split."""
        roles, mapped = self.rows.roles, self.options.split_map
        if roles.split is None:
            unsaid["splits cannot be said: the table has no column of splits"] += 1
            return {}
        cells = self.table.columns[roles.split]
        if read_split_word(self.rows.splits[n] or "", mapped) == split:
            return {}
        words = Counter(
            word
            for word in map(none_of, self.rows.splits)
            if word and read_split_word(word, mapped) == split
        )
        if roles.flag:
            flags = [word for word, meant in roles.flag.items() if meant == split]
            if not flags:
                unsaid[f"splits cannot be said: {roles.split} knows no {split}"] += 1
                return {}
            return {roles.split: next(cell for cell in cells if str(cell) == flags[0])}
        word = words.most_common(1)[0][0] if words else split
        return {roles.split: form_cell(cells, word)}


def all_begin_blank(cells: list) -> bool:
    """Whether each word of a column has a blank before it, as census files have."""
    words = [cell for cell in cells if isinstance(cell, str)]
    return bool(words) and all(word.startswith(" ") for word in words)


def form_cell(cells: list, text: str | None) -> Any:
    """Say a text in the type and form of a column's cells."""
    known = [cell for cell in cells if cell is not None and cell == cell]
    if text is None or not known:
        return text
    if all(isinstance(cell, bool) for cell in known):
        return {"true": True, "false": False}.get(text.lower(), text)
    if all(isinstance(cell, int | float) for cell in known) and WHOLE.fullmatch(text):
        return float(text) if any(isinstance(cell, float) for cell in known) else int(text)
    floats = all(isinstance(cell, str) and re.fullmatch(r"-?\d+\.0+", cell) for cell in known)
    return f"{text}.0" if floats and re.fullmatch(r"-?\d+", text) else text

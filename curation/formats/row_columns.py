"""Tables whose rows are the samples: which column labels them, and what the others hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.decimal_commas import choose_marks, find_marks, read_commas
from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_labels import (
    NAMED,
    Labels,
    NoLabelColumn,
    count_values,
    holds_classes,
    name_option,
    plain_name,
)
from assay.curation.media.row_cells import (
    ColumnKind,
    describe_kinds,
    encode_row,
    infer_kind,
    is_number,
    read_cell,
    read_column,
)
from assay.curation.text import format_count

DESCRIBING = ("number", "category", "date")  # kinds of columns that vectors are made of
OF_IMAGES = ("image", "img", "photo", "picture", "fileid", "filename", "slide")  # begin such names
MANY_NUMBERS = 20  # different numbers, from which on fractions are no classes
SHOWN = 3  # odd cells in a note


@dataclass(frozen=True)
class RowColumns:
    """The columns of a table whose rows are samples."""

    kinds: dict[str, ColumnKind]  # of the features, in the order of the table
    cells: dict[str, list[Any]] = field(repr=False)  # their cells, as they are stored
    notes: tuple[str, ...] = ()  # how their numbers are written

    def texts(self) -> Iterator[str]:
        """Give each row as its JSON."""
        names = list(self.cells)
        for row in zip(*self.cells.values()):
            text = encode_row(dict(zip(names, row)))
            yield "" if text == "{}" else text  # a row of nothing is none

    def count_missing(self) -> int:
        return sum(column.count(None) for column in self.cells.values())


def read_row_columns(
    table: Table, taken: set[str | None], decimal: str | None, file: str
) -> RowColumns:
    """Read the columns that describe rows: all but those taken.

    decimal: the mark of decimals, where it was said. AmbiguousSource where a column does not tell.
    """
    free = {name: values for name, values in table.columns.items() if name not in taken}
    marks, notes = choose_marks(free, decimal, file)
    free |= {name: read_commas(free[name], mark) for name, mark in marks.items()}
    cells = {name: read_column(values) for name, values in free.items()}
    kinds = {name: infer_kind(name, column) for name, column in cells.items()}
    return RowColumns(kinds, cells, tuple(notes))


def restore_columns(texts: Sequence[str | None]) -> RowColumns:
    """Restore columns of rows that Assay exported as JSON."""
    rows = [json.loads(text or "{}") for text in texts]
    names = dict.fromkeys(name for row in rows for name in row)
    cells = {name: [row.get(name) for row in rows] for name in names}
    return RowColumns({name: infer_kind(name, column) for name, column in cells.items()}, cells)


def names_images(table: Table) -> bool:
    """Whether a column is called as images are, though none is found by it."""
    plain = map(plain_name, table.columns)
    return bool(table.byte_columns) or any(name.startswith(OF_IMAGES) for name in plain)


def choose_row_label(table: Table, asked: str | None, taken: set[str | None], file: str) -> Labels:
    """Choose the column that labels the rows: asked for, or named so; else it is asked.

    Any column of a table may be what somebody wants to predict, so none is guessed: AmbiguousSource proposes those
    that could be it, the last of the table first. NoLabelColumn where none could.
    """
    if asked == "none":
        return Labels()
    free = {name: values for name, values in table.columns.items() if name not in taken}
    named = [name for name in free if plain_name(name) in NAMED]
    if asked or len(named) == 1:
        column = asked or named[0]
        refuse_numbers(column, table.columns[column], file)
        return Labels(column, classes=table.categories.get(column, []))
    could = [name for name in named or free if holds_classes(free[name])][::-1]
    if not could:
        raise NoLabelColumn(
            f"expected a column that labels the rows in {file}, found {', '.join(table.columns)}",
            "say which: --label-column NAME, or none for a pool",
        )
    raise AmbiguousSource(
        f"expected one column that labels the rows in {file}, found {len(could)} that could be it: {', '.join(could)}",
        [
            *(Reading(count_values(free[name]), name_option(name)) for name in could[:8]),
            Reading("none for a pool", "--label-column none"),
        ],
    )


def refuse_numbers(column: str, values: Sequence[Any], file: str) -> None:
    """Refuse a target that is no class: a number to predict, or another for each row."""
    if marks := find_marks(values):
        values = read_commas(values, "," if marks.comma else ".")
    cells = [cell for cell in read_column(values) if cell is not None]
    distinct, numbers = len(set(cells)), [cell for cell in cells if is_number(cell)]
    fractions = any(isinstance(cell, float) for cell in numbers)
    several = distinct > MANY_NUMBERS and (distinct * 2 > len(cells) or fractions)
    if len(numbers) * 2 > len(cells) and several:
        raise UserError(
            f"expected classes in the column {column} of {file}, found {format_count(distinct, 'different number')}: it"
            " looks like a number to predict, and regression is not supported",
            "name another column, or write ranges as classes: low, middle, high",
        )
    if distinct > MANY_NUMBERS and distinct * 10 > len(cells) * 9:
        raise UserError(
            f"expected classes in the column {column} of {file}, found another value in nearly every row:"
            f" {distinct:,} of {len(cells):,}",
            "name another column: --label-column NAME",
        )


def describe_columns(columns: RowColumns) -> str:
    """Say what the columns of rows were taken for, in a line."""
    kinds = {name: found.kind for name, found in columns.kinds.items()}
    said = f"{format_count(len(kinds), 'column')}: {describe_kinds(kinds)}"
    if missing := columns.count_missing():
        said += f"; {format_count(missing, 'value')} missing"
    return said


def note_columns(table: Table, columns: RowColumns) -> Iterator[str]:
    """Say what of the columns is odd, or is not used."""
    yield from columns.notes
    words: Counter[str] = Counter()
    for name in columns.cells:
        counts = Counter(v for v in table.columns[name] if isinstance(v, str))
        words.update(
            {v.strip(): n for v, n in counts.items() if read_cell(v) is None and v.strip()}
        )
    if words:
        said = ", ".join(f"{word!r} ({n:,})" for word, n in words.most_common(SHOWN))
        yield f"{said} {'is' if len(words) == 1 else 'are'} taken for missing values"
    for name, found in columns.kinds.items():
        if found.odd:
            yield describe_odd(table, columns, name, found)
    for kind in ("identifier", "text"):
        if names := [name for name, found in columns.kinds.items() if found.kind == kind]:
            why = "another value in each row" if kind == "identifier" else "sentences"
            yield f"left out of the vectors: {', '.join(names)} ({why})"


def describe_odd(table: Table, columns: RowColumns, name: str, found: ColumnKind) -> str:
    """Say which cells of a column are of another kind than the others."""
    shown = ", ".join(
        f"{str(columns.cells[name][i])[:40]!r} on {table.places[i]}" for i in found.odd[:SHOWN]
    )
    if found.kind == "category":
        return f"{name} mixes words and numbers ({shown}): all are taken as categories"
    cells = f"{len(found.odd):,} cell{'s are' if len(found.odd) > 1 else ' is'}"
    return f"{name} holds {found.kind}s, and {cells} none: {shown}; in the vectors they count as missing"

"""Read a sheet of an Excel workbook, through openpyxl."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UnknownName, UserError
from assay.curation.formats.table_cells import (
    REPEATED,
    Places,
    Table,
    describe_repeated,
    name_columns,
    repeats_header,
)

EXCEL = (".xlsx", ".xlsm")
MOST_BYTES = 1 << 30  # of a workbook, unpacked


def read_excel(path: Path, sheet: str | None = None, skip_bad: bool = False) -> Table:
    """Read the sheet asked for, or the only one with rows.

    skip_bad: of columns with one name read the first."""
    sheets = {name: rows for name, rows in load_sheets(path).items() if rows}
    name = choose_sheet(path, sheets, sheet)
    rows = iter(sheets[name])
    _, names = next(rows)
    header = name_columns(names, path.name, skip_bad)
    numbers, columns, left_out = [], {name: [] for name in header if name}, []
    for number, cells in rows:
        if repeats_header(cells, names):
            left_out.append((f"row {number}", REPEATED))
            continue
        numbers.append(number)
        for j, column in enumerate(header):
            if column:
                cell = cells[j] if j < len(cells) else None
                columns[column].append(None if cell == "" else cell)
    others = [other for other in sheets if other != name]
    notes = [f"not read: the sheets {', '.join(others)}"] if others else []
    notes += describe_repeated(names, header)
    nameless = sum(name is None or not str(name).strip() for name in names)
    return Table(columns, Places("row", numbers), left_out, notes=notes, nameless=nameless)


def load_sheets(path: Path) -> dict[str, list[tuple[int, tuple[Any, ...]]]]:
    """Load the rows of every sheet, with Excel's numbers."""
    from zipfile import BadZipFile, ZipFile

    try:
        from openpyxl import load_workbook
    except ImportError:
        raise UserError(
            f"expected openpyxl to read {path.name}, found that it is not installed",
            "pip install 'assay[excel]', or save the sheet as CSV",
        ) from None
    try:
        with ZipFile(path) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if size > MOST_BYTES:
            raise UserError(
                f"expected a workbook of at most {MOST_BYTES >> 20:,} MB, found {size >> 20:,} MB "
                f"packed in {path.name}",
                "save the sheet as CSV",
            )
        book = load_workbook(path, read_only=True, data_only=True)
        with_rows = {
            sheet.title: [
                (number, row)
                for number, row in enumerate(sheet.iter_rows(values_only=True), 1)
                if any(cell is not None and cell != "" for cell in row)
            ]
            for sheet in book.worksheets
        }
        book.close()
        return with_rows
    except (BadZipFile, KeyError, ValueError, OSError, TypeError, SyntaxError) as e:
        raise UserError(
            f"{path.name} cannot be read as an Excel workbook ({str(e).splitlines()[0]})",
            "is the file complete, and without a password?",
        ) from e


def choose_sheet(path: Path, sheets: dict[str, list], asked: str | None) -> str:
    """Choose the sheet asked for, or the only one."""
    if asked is not None and asked not in sheets:
        raise UnknownName(
            f"expected a sheet {asked} with rows in {path.name}, found {', '.join(sheets) or 'none'}",
            "--sheet takes one of these",
            asked,
            sheets,
        )
    if not sheets:
        raise UserError(f"expected rows in {path.name}, found nothing", "add rows")
    if asked is not None or len(sheets) == 1:
        return asked if asked is not None else next(iter(sheets))
    raise AmbiguousSource(
        f"expected one sheet with rows in {path.name}, found {len(sheets)}",
        [
            Reading(
                f"{len(rows) - 1:,} rows: {', '.join(str(c) for c in rows[0][1][:6] if c is not None)}",
                f"--sheet {shlex.quote(name)}",
            )
            for name, rows in sheets.items()
        ],
    )

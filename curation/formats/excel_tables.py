"""Read a sheet of an Excel workbook, through openpyxl."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading, UnknownName, UserError
from assay.curation.formats.table_cells import Places, Table, check_width

EXCEL = (".xlsx", ".xlsm")
MOST_BYTES = 1 << 30  # of a workbook, unpacked


def read_excel(path: Path, sheet: str | None = None) -> Table:
    """Read the sheet asked for, or the only one with rows."""
    sheets = {name: rows for name, rows in load_sheets(path).items() if rows}
    name = choose_sheet(path, sheets, sheet)
    rows = iter(sheets[name])
    _, cells = next(rows)
    header = ["" if cell is None else str(cell).strip() for cell in cells]
    check_width(len(header), path.name)
    if twice := [name for name, n in Counter(header).items() if n > 1 and name]:
        raise UserError(f"{path.name} has two columns named {twice[0]}", "rename one of them")
    numbers, columns = [], {name: [] for name in header if name}
    for number, cells in rows:
        numbers.append(number)
        for j, column in enumerate(header):
            if column:
                cell = cells[j] if j < len(cells) else None
                columns[column].append(None if cell == "" else cell)
    others = [other for other in sheets if other != name]
    notes = [f"not read: the sheets {', '.join(others)}"] if others else []
    nameless = sum(not column for column in header)
    return Table(columns, Places("row", numbers), notes=notes, nameless=nameless)


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

"""Read the cells of a table, as its file's name says how."""

from __future__ import annotations

import re
from pathlib import Path

from assay.curation.csv_files import read_rows
from assay.curation.errors import UserError
from assay.curation.formats.column_files import (
    ARROW,
    PARQUET,
    list_shards,
    read_columns,
    read_schema,
    read_shards,
)
from assay.curation.formats.excel_tables import EXCEL, read_excel
from assay.curation.formats.json_tables import read_json, read_json_lines
from assay.curation.formats.table_cells import Table
from assay.curation.formats.text_tables import guess_encoding, read_csv

TEXT_TABLES = (".csv", ".tsv")
JSON_LINES = (".jsonl", ".ndjson")
JSON = (".json",)
TABLES = (*TEXT_TABLES, *JSON_LINES, *JSON, *PARQUET, *ARROW, *EXCEL)
HEADER_BYTES = 1 << 16  # read of a text table to see its header
FIRST_NAME = re.compile(r'[\s\[]*\{\s*"((?:[^"\\]|\\.)*)"\s*:')


def read_table(path: Path, sheet: str | None = None, skip_bad: bool = False) -> Table:
    """Read a table.

    sheet: which one of a workbook. skip_bad: leave out rows that cannot be decoded."""
    if path.is_dir():
        return read_shards(path, list_shards(path))
    suffix = path.suffix.lower()
    if sheet is not None and suffix not in EXCEL:
        raise UserError(f"--sheet: {path.name} is no workbook", "leave it out")
    if suffix in EXCEL:
        return read_excel(path, sheet, skip_bad)
    if suffix in (*PARQUET, *ARROW):
        return read_columns(path)
    if suffix in JSON_LINES:
        return read_json_lines(path, skip_bad)
    return read_json(path) if suffix in JSON else read_csv(path, skip_bad)


def read_first_column(path: Path) -> str:
    """Read the first column's name from a table's header.

    "" where it cannot be told.
    """
    suffix = path.suffix.lower()
    if suffix in EXCEL:
        return ""
    try:
        if suffix in (*PARQUET, *ARROW):
            return next(iter(read_schema(path).names), "")
        text = read_header(path)
        if suffix in (*JSON_LINES, *JSON):
            found = FIRST_NAME.match(text)
            return found[1] if found else ""
        _, cells = next(read_rows(text), (1, [""]))
        return cells[0].strip()
    except (OSError, ValueError, UserError):  # read() says in words what is wrong
        return ""


def read_header(path: Path) -> str:
    """Read the first bytes of a text file, as text.

    OSError for a pipe, which nobody could read to its end.
    """
    if not path.is_file():
        raise OSError(f"{path} is no file")
    with open(path, "rb") as file:
        blob = file.read(HEADER_BYTES)
    return blob.decode(guess_encoding(blob), "replace")

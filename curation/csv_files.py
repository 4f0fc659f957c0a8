"""CSV and its relatives: rows of separated cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator


class BadCsv(ValueError):
    """Why a text is no CSV, and on which line the row begins that breaks it."""

    def __init__(self, why: object, line: int):
        super().__init__(str(why))
        self.line = line


def read_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Read the rows of a CSV, each with its line.

    The line is that on which the row begins. The separator is the comma, tab or semicolon that is most
    frequent in the first line: a spreadsheet writes ; in many countries. Blank lines are no rows. Raises
    BadCsv."""
    separator = max(",\t;", key=text.partition("\n")[0].count)
    rows, line = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 1
    try:
        for cells in rows:
            if cells:
                yield line, cells
            line = rows.line_num + 1  # a quoted cell may hold line breaks
    except csv.Error as e:
        raise BadCsv(e, line) from e

"""CSV and its relatives: rows of separated cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

SEPARATORS = ",\t;|"
# characters of a cell; csv's own limit of 131,072 refuses a whole file for one long text
csv.field_size_limit(100_000_000)
TOLD = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)  # a first line that Excel reads


class BadCsv(ValueError):
    """Why a text is no CSV, and on which line the row begins that breaks it."""

    def __init__(self, why: object, line: int):
        super().__init__(str(why))
        self.line = line


def guess_separator(text: str) -> str:
    """Guess the separator: the most frequent of the first line.

    A spreadsheet writes ; in many countries. A line sep=; before it tells which it is.
    """
    if told := TOLD.match(text):
        return told[1]
    return max(SEPARATORS, key=text.partition("\n")[0].count)


def read_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Read the rows of a CSV, each with its line.

    The line is that on which the row begins. Blank lines are no rows. Raises BadCsv."""
    return ((first, cells) for first, _, cells in read_lines(text))


def read_lines(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Read the rows of a CSV, each with its line numbers.

    Yields (first line, last line, cells). A quoted cell may hold line breaks. Raises BadCsv.
    """
    file = io.StringIO(text, newline="")
    rows, line = csv.reader(file, delimiter=guess_separator(text), strict=True), 1
    try:
        for cells in rows:
            if cells and not (line == 1 and TOLD.match(text)):
                yield line, rows.line_num, cells
            line = rows.line_num + 1
    except csv.Error as e:
        raise BadCsv(e, line) from e

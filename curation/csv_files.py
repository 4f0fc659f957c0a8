"""CSV and its relatives: rows of separated cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

SEPARATORS = ",\t;|"
# characters of a cell; csv's own limit of 131,072 refuses a whole file for one long text
csv.field_size_limit(100_000_000)
MOST_BAD = 100  # lines that break a CSV, from which on it is none
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


def read_rows(text: str, bad: list[BadCsv] | None = None) -> Iterator[tuple[int, list[str]]]:
    """Read the rows of a CSV, each with its line.

    The line is that on which the row begins. Blank lines are no rows. bad: see read_lines."""
    return ((first, cells) for first, _, cells in read_lines(text, bad))


def read_lines(text: str, bad: list[BadCsv] | None = None) -> Iterator[tuple[int, int, list[str]]]:
    """Read the rows of a CSV, each with its line numbers.

    Yields (first line, last line, cells). A quoted cell may hold line breaks. Raises BadCsv; where `bad` is given, it
    takes up to MOST_BAD of them instead, and reading goes on with the line after the one that broke.
    """
    separator, line = guess_separator(text), 1
    file: Iterator[str] = io.StringIO(text, newline="")
    while True:
        before = line - 1
        rows = csv.reader(file, delimiter=separator, strict=True)
        try:
            for cells in rows:
                if cells and not (line == 1 and TOLD.match(text)):
                    yield line, before + rows.line_num, cells
                line = before + rows.line_num + 1
            return
        except csv.Error as e:
            if bad is None or len(bad) >= MOST_BAD or line == 1:
                raise BadCsv(e, line) from e
            bad.append(BadCsv(e, line))
            file = islice(io.StringIO(text, newline=""), line, None)
            line += 1

"""Cells of a row as they are stored, and what kind of column they make.

A cell is a number, a word, true or false; what is missing is left out. One form for every file format: 39 in a CSV and
39 in Parquet are one number, ` State-gov` is State-gov.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

MISSING = ("", "?", "na", "n/a", "#n/a", "nan", "null", "<na>")  # however they are spelt
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
CODE = re.compile(r"[+-]?0\d+")  # 007 is a name: as a number it would lose its zeros
EXACT = 2**53  # of a larger whole number a float loses digits: it is a name, too
DATE = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}([T ]\d{1,2}:\d\d.*)?|\d{1,2}([./-])\d{1,2}\3\d{4}([T ]\d{1,2}:\d\d.*)?"
)
KINDS = ("number", "category", "date", "text", "identifier")
MOSTLY = 0.9  # of the cells: from so many on, a column is of their kind
SHOWN = 10  # names of columns in a line
ENOUGH = 20  # rows, from which on a column of different values names them
BLANKS = 3  # in most cells, from which on a column holds sentences
ID_NAME = re.compile(r"(^|[\W_])(id|uuid|guid|key|nr|no|number|index|code|unnamed: ?\d+)$", re.I)


class ColumnKind(NamedTuple):
    """What a column holds."""

    kind: str  # one of KINDS
    odd: tuple[int, ...] = ()  # rows whose cell is of another kind


def read_cell(value: Any) -> Any:
    """Read a cell in its one form: None where it is missing."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return int(value) if value.is_integer() and abs(value) <= EXACT else value
    if not isinstance(value, str | list | dict):
        return read_cell(str(value))  # a date, a decimal
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    text = value.strip()
    if text.casefold() in MISSING:
        return None
    if NUMBER.fullmatch(text) and not CODE.fullmatch(text):
        number = float(text)
        return read_cell(number) if abs(number) <= EXACT else text
    return text


def read_column(values: Sequence[Any]) -> list[Any]:
    """Read the cells of a column; equal ones once."""
    known: dict[tuple[type, Any], Any] = {}
    out = []
    for value in values:
        if isinstance(value, list | dict):
            out.append(read_cell(value))
            continue
        cell = (type(value), value)
        if cell not in known:
            known[cell] = read_cell(value)
        out.append(known[cell])
    return out


def encode_row(cells: dict[str, Any]) -> str:
    """Write a row as JSON; equal rows give equal texts, whatever their columns' order."""
    there = {name: cell for name, cell in cells.items() if cell is not None}
    return json.dumps(there, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def infer_kind(name: str, cells: Sequence[Any]) -> ColumnKind:
    """Infer what a column holds; cells as read_column returns them."""
    there = [(i, cell) for i, cell in enumerate(cells) if cell is not None]
    if not there:
        return ColumnKind("category")
    words = [(i, str(cell)) for i, cell in there if not is_number(cell)]
    distinct = len({cell for _, cell in there})
    names_rows = distinct >= ENOUGH and distinct == len(there)
    if len(there) - len(words) >= MOSTLY * len(there):
        if names_rows and not words and counts_rows(name, [cell for _, cell in there]):
            return ColumnKind("identifier")
        return ColumnKind("number", tuple(i for i, _ in words))
    odd = tuple(i for i, cell in there if not isinstance(cell, str) or not read_date(cell))
    if len(there) - len(odd) >= MOSTLY * len(there):
        return ColumnKind("date", odd)
    numbers = tuple(i for i, cell in there if is_number(cell))
    many = distinct >= ENOUGH and distinct > MOSTLY * len(there)
    if many and sum(word.count(" ") >= BLANKS for _, word in words) * 2 > len(words):
        return ColumnKind("text")
    if many:
        return ColumnKind("identifier")
    return ColumnKind("category", numbers if len(numbers) * 10 > len(there) else ())


def counts_rows(name: str, cells: list[Any]) -> bool:
    """Whether different numbers name rows: by the column's name, or as 1, 2, 3 do."""
    if any(isinstance(cell, float) for cell in cells):
        return False
    steps = {b - a for a, b in zip(cells, cells[1:])}
    return steps == {1} or bool(ID_NAME.search(name))


def read_date(text: str) -> datetime | None:
    """Read a date: 2024-03-31, with a time or without; 31.3.2024, 3/31/2024."""
    if not DATE.fullmatch(text):
        return None
    day, _, time = text.replace("T", " ").partition(" ")
    a, b, c = (int(part) for part in re.split(r"[-/.]", day))
    if a > 31:
        orders = [(a, b, c)]
    else:  # with slashes the month comes first, where it can
        orders = [(c, a, b), (c, b, a)] if "/" in day else [(c, b, a), (c, a, b)]
    for year, month, of_month in orders:
        try:
            found = datetime(year, month, of_month)
        except ValueError:
            continue
        clock = re.match(r"(\d{1,2}):(\d\d)", time)
        if clock and int(clock[1]) < 24 and int(clock[2]) < 60:
            found = found.replace(hour=int(clock[1]), minute=int(clock[2]))
        return found
    return None


def describe_kinds(kinds: dict[str, str]) -> str:
    """Count and name columns by kind: "2 numbers (age, income), 1 category (city)"."""
    from assay.curation.text import format_count

    said = []
    for kind in KINDS:
        some = [name for name, of in kinds.items() if of == kind]
        if some:
            several = kind == "category" and len(some) > 1
            count = f"{len(some):,} categories" if several else format_count(len(some), kind)
            said.append(f"{count} ({', '.join(some[:SHOWN])}{', ...' * (len(some) > SHOWN)})")
    return ", ".join(said)

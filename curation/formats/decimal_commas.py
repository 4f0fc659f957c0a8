"""Tell decimal commas from commas between thousands, in columns of text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.curation.errors import AmbiguousSource, Reading
from assay.curation.media.row_cells import MOSTLY, NUMBER, is_number, read_cell

EXPONENT = r"([eE][+-]?\d{1,3})?"
# 3,5 and 1.234,56 and 1 234,56
COMMA = re.compile(r"[+-]?([1-9]\d{0,2}([.\u00a0\u202f ']\d{3})+|\d+),\d+" + EXPONENT)
# 1,234 and 1,234.56
POINT = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?" + EXPONENT)
# 1.234 and 1.234.567: a decimal point, or points between thousands
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
BETWEEN = re.compile(r"[\u00a0\u202f ']")  # thousands, whatever the decimal mark
OTHER = {",": ".", ".": ","}


@dataclass(frozen=True)
class Marks:
    """How the numbers of a column are written: an example for each way, or None."""

    comma: str | None  # a number that only a decimal comma makes
    point: str | None  # one that only a decimal point makes
    either: str | None  # one that is a number both ways, and another one each way


def find_marks(cells: Sequence[Any]) -> Marks | None:
    """Find how the numbers of a column are written; None where it holds none, or other words."""
    texts = {cell.strip() for cell in cells if isinstance(cell, str)}
    if not any("." in text or "," in text for text in texts):
        return None
    texts = {text for text in texts if read_cell(text) is not None}
    comma = {text for text in texts if COMMA.fullmatch(text)}
    point = {text for text in texts if POINT.fullmatch(text)}
    plain = {text for text in texts if NUMBER.fullmatch(text)}
    grouped = {text for text in texts if GROUPED.fullmatch(text)}
    if len(comma | point | plain | grouped) < MOSTLY * len(texts):
        return None
    decimal = {text for text in plain - grouped if "." in text}
    several = {text for text in grouped if text.count(".") > 1 and comma}
    return Marks(
        min(comma - point | several, default=None),
        min(point - comma | decimal, default=None),
        min(comma & point or grouped - several, default=None),
    )


def choose_marks(
    columns: dict[str, Sequence[Any]], asked: str | None, file: str
) -> tuple[dict[str, str], list[str]]:
    """Choose the decimal mark of each column that holds commas, and say which was chosen.

    asked: "," or "." for all. A column that does not tell is read as the others of its file are; where these do not
    tell either, AmbiguousSource asks. Returns ({column: mark}, notes); what is written both ways is left as words.
    """
    found = {name: marks for name, cells in columns.items() if (marks := find_marks(cells))}
    commas = [name for name, marks in found.items() if marks.comma]
    points = [name for name, marks in found.items() if marks.point]
    marks, notes = {}, []
    for name, here in found.items():
        if asked:
            marks[name] = asked
        elif here.comma and here.point:
            notes.append(
                f"{name} is written both ways, {here.comma!r} and {here.point!r}: those with a comma are"
                " words (--decimal , or --decimal . reads them)"
            )
        elif here.comma or here.point:
            marks[name] = "," if here.comma else "."
        elif bool(commas) != bool(points):
            marks[name] = "," if commas else "."
        elif "," in str(here.either):
            raise ask_mark(name, str(here.either), file)
    # a decimal point without commas is how numbers are written everywhere: no news
    told = {
        name: mark
        for name, mark in marks.items()
        if (found[name].comma or found[name].either if mark == "," else holds_comma(columns[name]))
    }
    return told, [*notes, *(describe_mark(n, told[n], found[n], bool(asked)) for n in told)]


def holds_comma(cells: Sequence[Any]) -> bool:
    return any(isinstance(cell, str) and "," in cell for cell in cells)


def ask_mark(name: str, example: str, file: str) -> AmbiguousSource:
    """Ask what the comma in a number means."""
    return AmbiguousSource(
        f"expected one way to read {example!r} in the column {name} of {file}, found two",
        [
            Reading(f"{example!r} is {read_marked(example, mark)}", f"--decimal {mark}")
            for mark in (",", ".")
        ],
    )


def describe_mark(name: str, mark: str, marks: Marks, asked: bool) -> str:
    """Say how the numbers of a column are read. asked: it was said how."""
    own = marks.comma if mark == "," else marks.point
    example = own if own and "," in own else marks.either or marks.comma or marks.point or ""
    said = f"{name}: {example!r} is read as {read_marked(example, mark)}"
    if own or asked or not marks.either:
        return said
    return f"{said}, as other columns are written (--decimal {OTHER[mark]} reads it otherwise)"


def read_marked(cell: Any, mark: str) -> Any:
    """Read a cell by its decimal mark: a number where it is one, else as it is."""
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    patterns = (COMMA, GROUPED) if mark == "," else (POINT,)
    if not any(pattern.fullmatch(text) for pattern in patterns):
        return cell
    bare = BETWEEN.sub("", text).replace(OTHER[mark], "").replace(mark, ".")
    number = read_cell(bare)
    return number if is_number(number) else cell


def read_commas(cells: Sequence[Any], mark: str) -> list[Any]:
    """Read the cells of a column by its decimal mark; equal ones once."""
    known = {cell: read_marked(cell, mark) for cell in set(filter(is_text, cells))}
    return [known[cell] if is_text(cell) else cell for cell in cells]


def is_text(cell: Any) -> bool:
    return isinstance(cell, str)

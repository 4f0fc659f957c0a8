"""Change a few places of a text file, and no other byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from assay.curation.errors import UserError

MOST = 1 << 30  # bytes of a text that is read whole


class Cell(NamedTuple):
    """A cell of a CSV, and where it stands in the text."""

    start: int
    end: int  # without the separator
    value: str


class Row(NamedTuple):
    start: int
    end: int  # with its line end
    line: int  # from 1
    cells: list[Cell]


@dataclass(frozen=True)
class Text:
    """A text file as it is: its line ends and its mark are in `text`."""

    path: Path
    text: str
    encoding: str

    def edit(self, edits: Iterable[tuple[int, int, str]]) -> Callable[[Path], None]:
        """Make what writes the text with spans replaced: (start, end, new text)."""
        pieces, at = [], 0
        for start, end, new in sorted(edits):
            assert start >= at, "edits may not overlap"
            pieces += [self.text[at:start], new]
            at = end
        blob = "".join([*pieces, self.text[at:]]).encode(self.encoding)

        def write(target: Path) -> None:
            target.write_bytes(blob)

        return write


def read_whole(path: Path) -> Text:
    """Read a text so that it can be written again to the byte; UserError where it is none."""
    if path.stat().st_size > MOST:
        raise UserError(f"expected a text of at most 1 GB, found {path.name}", "cut it")
    blob = path.read_bytes()
    for encoding in ("utf-8", "utf-16-le" if blob[:2] == b"\xff\xfe" else "utf-16-be"):
        if encoding != "utf-8" and blob[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            break
        try:
            text = blob.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return Text(path, text, encoding)
    raise UserError(
        f"expected UTF-8 text in {path.name}, found other bytes",
        f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8.txt, with the encoding that it has",
    )


def read_cells(text: str, separator: str) -> list[Row]:
    """Read the rows of a CSV with the place of every cell; blank lines are no rows."""
    sep = re.escape(separator)
    cell = re.compile(rf'[ ]*"((?:[^"]|"")*)"[ ]*(?={sep}|\r|\n|\Z)|([^{sep}\r\n]*)')
    end = re.compile(rf"{sep}|\r\n|\n|\r|\Z")
    rows: list[Row] = []
    at, start, line, row_line = (1 if text[:1] == "\ufeff" else 0), 0, 1, 1
    start, cells = at, []
    while at <= len(text):
        found = cell.match(text, at)
        quoted = found[1] is not None
        value = found[1].replace('""', '"') if quoted else found[2]
        cells.append(Cell(at, found.end(), value))
        line += found[0].count("\n") if quoted else 0
        closed = end.match(text, found.end())
        if closed is None:  # a quote in the middle of a cell
            raise UserError(
                f"expected cells apart on line {line}, found text after a quote", 'write " as ""'
            )
        at = closed.end()
        if closed[0] == separator:
            continue
        if len(cells) > 1 or cells[0].value.strip():
            rows.append(Row(start, at, row_line, cells))
        line += 1
        start, cells, row_line = at, [], line
        if at >= len(text):
            break
    return rows


def choose_separator(text: str) -> str:
    return max(",\t;|", key=text.partition("\n")[0].count)


def write_cell(text: str, cell: Cell, value: str, separator: str) -> tuple[int, int, str]:
    """Make the edit that gives a cell another value, quoted and padded as it was."""
    raw = text[cell.start : cell.end]
    bare = raw.strip(" ")
    left = raw[: len(raw) - len(raw.lstrip(" "))] if bare else ""
    right = raw[len(raw.rstrip(" ")) :] if bare else ""
    needs = any(c in value for c in f'"{separator}\r\n') or value != value.strip()
    if bare.startswith('"') or needs:
        value = '"' + value.replace('"', '""') + '"'
    return cell.start, cell.end, f"{left}{value}{right}"

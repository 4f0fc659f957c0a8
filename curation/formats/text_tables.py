"""Read CSV and its relatives, and decode text files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assay.curation.csv_files import BadCsv, read_rows
from assay.curation.errors import UserError, shorten
from assay.curation.formats.table_cells import (
    REPEATED,
    Places,
    Table,
    describe_repeated,
    name_columns,
    repeats_header,
)
from assay.curation.media.images import SUFFIXES
from assay.curation.text import format_count

BOMS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
BROKEN = re.compile("[\0\udc80-\udcff]")  # what surrogateescape makes of bytes, and NUL
MANY = 10_000  # different cells of a column beyond which they are not shared


def read_csv(path: Path, skip_bad: bool = False) -> Table:
    """Read a CSV: its first row has the columns' names.

    skip_bad: leave out rows that break the CSV or hold bytes of another encoding, instead of refusing all."""
    text = read_text(path, skip_bad)
    try:
        bad: list[BadCsv] | None = [] if skip_bad else None
        table = fill_table(path, read_rows(text, bad), bool(BROKEN.search(text)), skip_bad)
        broken = [(f"line {e.line}", f"is no row: {e}") for e in bad or []]
        return replace(table, left_out=[*table.left_out, *broken])
    except BadCsv as e:
        raise UserError(
            f"{path.name}, line {e.line}: {e}",
            'close the quote that opens there, write a quote in it as "", and cut what is very long'
            + ("" if e.line == 1 or skip_bad else "; or leave out such rows with --skip-bad"),
        ) from e


def fill_table(
    path: Path, rows: Iterator[tuple[int, list[str]]], broken: bool = False, skip_bad: bool = False
) -> Table:
    """Fill a table with rows, of which the first is the header.

    broken: some hold bytes that could not be decoded. skip_bad: of columns with one name read the first."""
    names: list[str] = next(rows, (0, []))[1]
    header = name_columns(names, path.name, skip_bad)
    if any(name.lower().endswith(SUFFIXES) for name in header):
        raise UserError(
            f"expected the columns' names in the first line of {path.name}, "
            f"found an image: {shorten(', '.join(header), 200)}",
            "write a first line such as path,label",
        )
    cells: list[list] = [[] for _ in header]
    # equal cells are one object, or a million labels take as much memory as a million paths
    shared: list[dict[str, str | None]] = [{"": None} for _ in header]
    numbers: list[int] = []
    left_out = []
    for line, row in rows:
        if len(row) != len(header):
            left_out.append(
                (f"line {line}", f"has {format_count(len(row), 'cell')}, the header {len(header)}")
            )
            continue
        if broken and (wrong := find_broken(" ".join(row))):
            left_out.append((f"line {line}", wrong))
            continue
        if row[0].strip() == names[0].strip() and repeats_header(row, names):
            left_out.append((f"line {line}", REPEATED))
            continue
        numbers.append(line)
        for column, known, cell in zip(cells, shared, row):
            column.append(known.setdefault(cell, cell) if len(known) < MANY else cell or None)
    columns = {name: values for name, values in zip(header, cells) if name}
    nameless = sum(not name.strip() for name in names)
    notes = describe_repeated(names, header)
    return Table(columns, Places("line", numbers), left_out, notes=notes, nameless=nameless)


def split_encoding(blob: bytes) -> tuple[bytes, str]:
    """Find the mark that a text begins with, and its encoding."""
    return next(((mark, name) for mark, name in BOMS.items() if blob.startswith(mark)), (b"", ""))


def guess_encoding(blob: bytes) -> str:
    return "utf-16" if blob[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def read_text(path: Path, skip_bad: bool = False) -> str:
    """Read a file in UTF-8, or in UTF-16 with its mark.

    UserError names the first byte that is neither; with skip_bad only where the first line has
    it: later ones stay in the text, and find_broken finds them."""
    blob = path.read_bytes()
    encoding = guess_encoding(blob)
    try:
        text = blob.decode(encoding, "surrogateescape" if skip_bad else "strict")
        if not BROKEN.search(text, 0, text.find("\n") if skip_bad else len(text)):
            return text
        bad = blob.index(0)  # UTF-16 without its mark is valid UTF-8, full of zeros
    except UnicodeDecodeError as e:
        bad = e.start
    except ValueError:  # the first line has no zero
        bad = next(i for i, byte in enumerate(blob) if byte > 127)
    line = blob[:bad].decode(encoding, "replace").count("\n") + 1
    raise UserError(
        f"expected UTF-8 (or UTF-16 with its mark) in {path.name}, "
        f"found byte 0x{blob[bad]:02x} on line {line}",
        "in Excel: Save as, CSV UTF-8; or, with the encoding that it has, "
        f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8.csv, then import utf8.csv"
        f"{'' if line == 1 else '; or leave out such rows with --skip-bad'}",
    )


def find_broken(text: str) -> str | None:
    """Say which byte of a text could not be decoded; None where all could."""
    if not (found := BROKEN.search(text)):
        return None
    code = ord(found[0])
    return (
        "holds a NUL character" if not code else f"holds the byte 0x{code - 0xDC00:02x}, no UTF-8"
    )

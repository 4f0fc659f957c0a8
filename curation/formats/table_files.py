"""Read the cells of a table: CSV and its relatives, or Parquet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.curation.csv_files import BadCsv, read_rows
from assay.curation.errors import UserError
from assay.curation.media.files import byte_columns, image_column
from assay.curation.text import format_count

TEXT_TABLES = (".csv", ".tsv")
PARQUET = (".parquet", ".pq")
TABLES = (*TEXT_TABLES, *PARQUET)
HEADER_BYTES = 1 << 16  # read of a text table to see its header


@dataclass(frozen=True)
class Table:
    """The cells of a table, but for columns of bytes."""

    columns: dict[str, list[Any]]
    places: list[str]  # where each row is, in words: "line 7", "row 6"
    left_out: list[tuple[str, str]] = field(default_factory=list)  # (place, reason) of bad rows
    byte_columns: list[str] = field(default_factory=list)  # names of columns that hold images
    image_column: str | None = None  # the likely one of these


def read_table(path: Path) -> Table:
    """Read a table, as its file's name says how."""
    if path.suffix.lower() in PARQUET:
        return read_parquet(path)
    text = read_text(path)
    try:
        rows = list(read_rows(text))
    except BadCsv as e:
        raise UserError(
            f"{path.name}, line {e.line}: {e}",
            'close the quote that opens there, write a quote in it as "", and cut what is very long',
        ) from e
    header = [name.strip() for name in rows[0][1]] if rows else []
    if twice := [name for name, n in Counter(header).items() if n > 1 and name]:
        raise UserError(f"{path.name} has two columns named {twice[0]}", "rename one of them")
    left_out = [
        (f"line {n}", f"has {format_count(len(cells), 'cell')}, the header {len(header)}")
        for n, cells in rows
        if len(cells) != len(header)
    ]
    rows = [(n, cells) for n, cells in rows[1:] if len(cells) == len(header)]
    columns = {
        name: [cells[j] or None for _, cells in rows] for j, name in enumerate(header) if name
    }
    return Table(columns, [f"line {n}" for n, _ in rows], left_out)


def read_first_column(path: Path) -> str:
    """Read the first column's name from a table's header.

    "" where it cannot be told.
    """
    try:
        if path.suffix.lower() in PARQUET:
            import pyarrow.parquet as pq

            return next(iter(pq.read_schema(path).names), "")
        with open(path, "rb") as file:
            blob = file.read(HEADER_BYTES)
        _, cells = next(read_rows(blob.decode(guess_encoding(blob), "replace")), (1, [""]))
        return cells[0].strip()
    except (OSError, ValueError):  # read() says in words what is wrong
        return ""


def guess_encoding(blob: bytes) -> str:
    return "utf-16" if blob[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def read_text(path: Path) -> str:
    """Read a file in UTF-8, or in UTF-16 with its mark.

    UserError names the first byte that is neither.
    """
    blob = path.read_bytes()
    encoding = guess_encoding(blob)
    try:
        text = blob.decode(encoding)
        if "\0" not in text:
            return text
        bad = blob.index(0)  # UTF-16 without its mark is valid UTF-8, full of zeros
    except UnicodeDecodeError as e:
        bad = e.start
    line = blob[:bad].decode(encoding, "replace").count("\n") + 1
    raise UserError(
        f"expected UTF-8 (or UTF-16 with its mark) in {path.name}, "
        f"found byte 0x{blob[bad]:02x} on line {line}",
        f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8.csv, with the encoding that it has, "
        "then import utf8.csv",
    )


def read_parquet(path: Path) -> Table:
    """Read a Parquet file, without its columns of bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            held = byte_columns(file.schema_arrow)
            read = file.read([c for c in file.schema_arrow.names if c not in held])
            n = read.num_rows if read.num_columns else file.metadata.num_rows
            columns = {c: read[c].to_pylist() for c in read.column_names}
            likely = image_column(file.schema_arrow)
            return Table(columns, [f"row {i}" for i in range(n)], [], held, likely)
    except (OSError, ValueError, pa.ArrowException) as e:
        raise UserError(
            f"{path.name} cannot be read as Parquet ({str(e).splitlines()[0]})",
            "is the file complete?",
        ) from e

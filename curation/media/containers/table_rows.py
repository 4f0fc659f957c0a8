"""Images in the cells of a table's rows.

A member is ROW, or ROW::COLUMN where image_column would not guess it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from assay.curation.media.containers.base import Wanted
from assay.curation.media.files import BadMedia, byte_columns, image_column

if TYPE_CHECKING:
    import pyarrow as pa

MEMBER = re.compile(r"(\d+)(?:::(.+))?", re.DOTALL)
Answers = Iterator[tuple[int, bytes | BadMedia]]


def list_cells(schema: pa.Schema, n: int) -> list[str]:
    """List every cell of image bytes in n rows, column by column."""
    guessed = image_column(schema)
    endings = ["" if column == guessed else f"::{column}" for column in byte_columns(schema)]
    return [f"{i}{ending}" for ending in endings for i in range(n)]


def read_cells(
    path: str,
    wanted: list[Wanted],
    read_rows: Callable[[str, str | None, list[tuple[int, int]]], Answers],
) -> Answers:
    """Read the wanted cells, a column at a time.

    read_rows: reads (row, index) pairs, sorted by row, of one column; None: of the likely one.
    """
    rows: dict[str | None, list[tuple[int, int]]] = {}
    for member, i in wanted:
        if match := MEMBER.fullmatch(member):
            rows.setdefault(match[2], []).append((int(match[1]), i))
        else:
            yield i, BadMedia(f"names no row of {path}")
    for column, asked in rows.items():
        yield from read_rows(path, column, sorted(asked))

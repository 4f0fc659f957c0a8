"""The media type of table rows: stored as JSON objects, one form for every file format."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from assay.curation.media.base import Decoded, Similarities
from assay.curation.media.conversion import UNDECIDED, Conversion
from assay.curation.media.files import BadMedia
from assay.curation.media.row_cells import encode_row, is_number, read_cell
from assay.curation.media.texts import WIDE, TextMedia, Texts, draw_lines
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards

COLUMNS = "columns"  # the key in the table meta: {column: kind}, in the order of the first import
DIGITS = 4  # two numbers that agree in so many are near


class RowMedia(TextMedia):
    """Rows of a table: a JSON object each, stored as texts are; a missing cell is left out."""

    name, folder, column = "row", "rows", "row"
    in_cell, has_words, embedders = False, False, ("columns",)

    def decode(
        self,
        raw: bytes,
        side: int | None = None,
        conversion: Conversion = UNDECIDED,
        stored: bool = False,
    ) -> Decoded:
        """Decode a JSON object. The size is (characters, lines) of its text, the array its UTF-8."""
        try:
            cells = json.loads(raw)
        except ValueError:
            raise BadMedia("is no JSON object") from None
        if not isinstance(cells, dict):
            raise BadMedia("is no JSON object")
        text = encode_row({name: read_cell(cell) for name, cell in cells.items()})
        if text == "{}":
            raise BadMedia("is empty: no column has a value")
        return super().decode(text.encode(), side, conversion, stored)

    def preview(self, raw: bytes, side: int, traits: Shards | None = None) -> bytes:
        """Draw a row as a card: a line for each column."""
        return draw_row(bytes(self.decode(raw).array).decode(), side)

    def give(self, shards: Shards, hashes: Iterable[str]) -> list[dict[str, Any]]:
        """Give rows as dicts {column: cell}."""
        return read_rows(self.read(shards, hashes))

    def similarity(
        self, shards: Shards, hashes: np.ndarray, pairs: np.ndarray, neighbours: np.ndarray
    ) -> Similarities:
        """Compare pairs of rows by the share of their columns that say the same.

        Near duplicates say the same in every column, but for capitals and the last digits of numbers."""
        needed, pairs = np.unique(pairs, return_inverse=True)
        pairs = pairs.reshape(-1, 2)
        rows = [
            {name: round_cell(cell) for name, cell in json.loads(text).items()}
            for text in Texts(shards, hashes).take(needed)
        ]
        alike = np.array([share_equal(rows[a], rows[b]) for a, b in pairs.tolist()])
        return Similarities(alike, 1.0)


MEDIA_TYPE = RowMedia()


def share_equal(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Compute the share of columns in which two rows say the same."""
    names = a.keys() | b.keys()
    return sum(a.get(name) == b.get(name) for name in names) / max(1, len(names))


def round_cell(cell: Any) -> Any:
    """Round what may differ between near duplicates."""
    if is_number(cell):
        return float(f"{cell:.{DIGITS}g}")
    return cell.casefold() if isinstance(cell, str) else cell


def draw_row(text: str, side: int) -> bytes:
    """Draw a row, given as its JSON, as a card of (side, side) at most."""
    lines = [f"{name}: {cell}" for name, cell in json.loads(text).items()]
    return draw_lines([x if len(x) <= WIDE else f"{x[: WIDE - 1]}…" for x in lines], side)


def read_column_kinds(bench: Bench) -> dict[str, str]:
    """Read the kinds of a bench's columns, {column: kind}; {} where it holds no rows."""
    kept = bench.rows("select value from meta where key = ?", [COLUMNS])
    return json.loads(kept[0][0]) if kept else {}


def read_rows(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Read rows {column: cell} of their stored texts."""
    return [json.loads(text) for text in texts]

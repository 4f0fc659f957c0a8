"""Columns of a table as numbers: what the probe, neighbours and boosted trees read of a row.

A number is its place among the others (a normal score, so that no tail is heavy) and one of up to 32 ranges; a category
one of its words, rare ones pooled; a date a number, its month, weekday and hour; what is missing says so. Ranges and
words are fitted once to the open samples and kept in the bench, so that one new row costs one row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np

from assay.curation.media.base import load_stored, media_of
from assay.curation.media.row_cells import is_number, read_date
from assay.curation.media.rows import read_column_kinds, read_rows
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench

FILE = "columns.npz"  # in arrays/
CODE = 1  # counted up when the same rows would get other vectors
FITTED_ON = 50_000  # rows, at most: drawn by content alone
GROWTH = 2
# ranges of a number. With 32 the probe finds as much as boosted trees (adult income, 12,000 rows, 10 % planted:
# average precision 8 ranges .684, 16 .696, 32 .711; plain .677; logistic regression on plain columns .698)
RANGES = 32
WORDS = 60  # of a category; the others are pooled
LEAST = 10  # rows of a word that is not pooled; of a small table 1 % of its rows
WIDEST = 2_000  # numbers of a vector, about: more columns get fewer ranges and words
NEAR = 0.1  # a range's weight beside the number's own, for neighbours alone: the probe scales every column
GRID = 257  # places at which a number's distribution is kept


@dataclass(frozen=True)
class ColumnCode:
    """How one column becomes numbers."""

    name: str
    kind: str  # number, category or date
    part: str = ""  # of a date: "", month, weekday or hour
    missing: bool = False  # whether any row had none
    grid: list[float] = field(default_factory=list)  # quantiles of a number
    cuts: list[float] = field(default_factory=list)  # inner ends of its ranges
    words: list[str] = field(default_factory=list)  # of a category, the most frequent first
    rare: bool = False  # whether there were others

    @property
    def width(self) -> int:
        own = len(self.words) + self.rare if self.kind == "category" else 2 + len(self.cuts)
        return own + self.missing

    def values(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Read the column's values: floats or words, None where missing."""
        cells = (row.get(self.name) for row in rows)
        if self.kind == "date" or self.part:
            return [read_part(cell, self.part) for cell in cells]
        if self.kind == "number":
            return [float(cell) if is_number(cell) else None for cell in cells]
        return [None if cell is None else str(cell) for cell in cells]

    def encode(self, rows: Sequence[dict[str, Any]]) -> np.ndarray:
        """Encode the column, (n, width)."""
        values, out = self.values(rows), np.zeros((len(rows), self.width), "f4")
        there = np.array([value is not None for value in values], bool)
        at = np.flatnonzero(there)
        if self.missing:
            out[~there, -1] = 1
        if not len(at):
            return out
        if self.kind != "category":
            numbers = np.array([values[i] for i in at.tolist()])
            out[at, 0] = self.normal_scores(numbers)
            out[at, 1 + np.searchsorted(self.cuts, numbers, "right")] = NEAR
        else:
            place = {word: i for i, word in enumerate(self.words)}
            words = [place.get(values[i], len(place)) for i in at.tolist()]
            known = np.array(words) < len(place) + self.rare
            out[at[known], np.array(words)[known]] = 1
        return out

    def normal_scores(self, numbers: np.ndarray) -> np.ndarray:
        """Compute the normal score of each number's rank; between ranks the line."""
        from scipy.special import ndtri

        grid = np.array(self.grid)
        low, high = np.searchsorted(grid, numbers, "left"), np.searchsorted(grid, numbers, "right")
        n = len(grid)
        # a value that many rows have stands in the middle of them
        place = np.where(low < high, (low + high - 1) / 2, low - 0.5)
        inside = (low == high) & (low > 0) & (low < n)
        left, right = grid[np.maximum(low - 1, 0)], grid[np.minimum(low, n - 1)]
        step = (numbers - left) / np.where(right > left, right - left, 1)
        place = np.where(inside, low - 1 + step, place)
        return ndtri(np.clip((place + 0.5) / n, 0.5 / n, 1 - 0.5 / n))

    def cells(self, rows: Sequence[dict[str, Any]]) -> np.ndarray:
        """Give the column as one number a row, (n,): NaN where missing; a word's rank in frequency."""
        values = self.values(rows)
        if self.kind != "category":
            return np.array([np.nan if v is None else v for v in values], "f4")
        place = {word: i for i, word in enumerate(self.words)}
        return np.array([np.nan if v is None else place.get(v, len(place)) for v in values], "f4")


def read_part(cell: Any, part: str) -> Any:
    """Read a part of a date cell; its days since 1970 for none."""
    found = read_date(cell) if isinstance(cell, str) else None
    if found is None:
        return None
    if part:
        return str(found.weekday() if part == "weekday" else getattr(found, part))
    return found.toordinal() - 719_163 + (found.hour * 60 + found.minute) / 1440


@dataclass(frozen=True)
class FittedColumns:
    """The columns of a bench as numbers."""

    codes: list[ColumnCode]
    fitted_on: int  # how many rows there were

    name, media, side, own_process = "columns", "row", None, False
    batch = 4096

    def engine(self) -> None:
        return None

    def version(self) -> str:
        made = json.dumps([asdict(code) for code in self.codes], sort_keys=True)
        return f"columns-{CODE}-{sha256(made.encode()).hexdigest()[:12]}"

    def load(self) -> Callable[[list[str]], np.ndarray]:
        return lambda texts: self.encode(read_rows(texts))

    def encode(self, rows: Sequence[dict[str, Any]]) -> np.ndarray:
        """Encode rows as vectors (n, d)."""
        return np.concatenate([code.encode(rows) for code in self.codes], 1)

    def cells(self, rows: Sequence[dict[str, Any]]) -> np.ndarray:
        """Give rows (n, c) with one number a column, for trees: NaN where missing."""
        return np.stack([code.cells(rows) for code in self.codes if not code.part], 1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        codes = json.dumps([asdict(code) for code in self.codes])
        return dict(codes=np.array(codes), fitted_on=np.array(self.fitted_on))


class ColumnsEmbedder:
    """Columns as the table of a bench needs them."""

    name, media, side, own_process = "columns", "row", None, False

    def engine(self) -> None:
        return None

    def fit(self, bench: Bench) -> FittedColumns:
        """Fit to the rows outside of test and guard, or take what was fitted."""
        state = bench.state()
        hashes = np.unique(state.content_hash[state.keep & ~state.split.isin(LOCKED)])
        kept = load_fitted(bench)
        if kept is not None and len(hashes) < GROWTH * kept.fitted_on:
            return kept
        lots = [sha256(b"columns" + h.encode()).hexdigest() for h in hashes]
        drawn = hashes[np.sort(np.argsort(lots)[:FITTED_ON])]
        rows = read_rows(media_of(bench).read(load_stored(bench), drawn))
        fitted = FittedColumns(fit_columns(rows, read_column_kinds(bench)), len(hashes))
        save_arrays(bench.arrays / FILE, **fitted.to_arrays())
        return fitted


EMBEDDER = ColumnsEmbedder()


def load_fitted(bench: Bench) -> FittedColumns | None:
    """Load what was fitted to the columns of a bench; None before its first scan."""
    kept = load_arrays(bench.arrays / FILE)
    if kept is None:
        return None
    codes = [ColumnCode(**code) for code in json.loads(str(kept["codes"]))]
    return FittedColumns(codes, int(kept["fitted_on"]))


def load_cells(bench: Bench, hashes: Sequence[str]) -> np.ndarray:
    """Load rows as trees read them, (n, c): see FittedColumns.cells."""
    fitted = load_fitted(bench) or EMBEDDER.fit(bench)
    hashes, at = np.unique(np.asarray(hashes, "S32"), return_inverse=True)
    return fitted.cells(read_rows(media_of(bench).read(load_stored(bench), hashes)))[at]


def fit_columns(rows: Sequence[dict[str, Any]], kinds: dict[str, str]) -> list[ColumnCode]:
    """Fit how each column becomes numbers; of columns that say one thing there is nothing to fit."""
    used = [(name, kind) for name, kind in kinds.items() if kind in ("number", "category", "date")]
    used = used[:WIDEST]
    most = max(1, WIDEST // max(1, len(used)))
    codes = []
    for name, kind in used:
        if kind == "category":
            codes.append(fit_words(ColumnCode(name, kind), rows, most))
            continue
        codes.append(fit_number(ColumnCode(name, kind), rows, most))
        if kind == "date":
            parts = (ColumnCode(name, "category", part) for part in ("month", "weekday", "hour"))
            codes += [fit_words(part, rows, most) for part in parts]
    told = [code for code in codes if code.width > 1 + (code.kind != "category")]
    return told or codes[:1]


def fit_number(code: ColumnCode, rows: Sequence[dict[str, Any]], most: int) -> ColumnCode:
    """Fit the distribution and the ranges of a column of numbers."""
    values = code.values(rows)
    there = np.array([v for v in values if v is not None], "f8")
    about = asdict(code) | dict(missing=len(there) < len(values))
    if not len(there):
        return ColumnCode(**about | dict(grid=[0.0]))
    different = np.unique(there)
    ranges = min(RANGES, most)
    if len(different) <= ranges:
        cuts = (different[1:] + different[:-1]) / 2
    else:
        cuts = np.unique(np.quantile(there, np.linspace(0, 1, ranges + 1)[1:-1]))
    grid = np.quantile(there, np.linspace(0, 1, GRID))
    return ColumnCode(**about | dict(grid=grid.tolist(), cuts=cuts.tolist()))


def fit_words(code: ColumnCode, rows: Sequence[dict[str, Any]], most: int) -> ColumnCode:
    """Fit the words of a column of categories."""
    values = code.values(rows)
    counts = Counter(v for v in values if v is not None)
    least = min(LEAST, max(2, len(rows) // 100))
    words = sorted((w for w in counts if counts[w] >= least), key=lambda w: (-counts[w], w))
    words = words[: min(WORDS, most)]
    about = asdict(code) | dict(words=words, rare=len(words) < len(counts))
    return ColumnCode(**about | dict(missing=None in values))

"""Say what is unusual in a row: each value beside those of its class and of the suggested one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.media.base import read_texts
from assay.curation.media.row_cells import is_number, read_date
from assay.curation.media.rows import read_column_kinds

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

RARE = 0.02  # of a class: a word that fewer have is unusual in it
TAIL = 0.025  # of a class, on either side: a number so far out is unusual in it
FEWEST = 20  # rows of a class, below which nothing is said
LONGEST = 200  # characters of a value that are sent
MOST = 200  # columns that are sent


class RowEvidence:
    """The rows of a bench by class, at one position of the log; each class is read when first asked for."""

    def __init__(
        self,
        bench: Bench,
        state: pd.DataFrame,
        read_text: Callable[[str], str],
        among: pd.DataFrame | None = None,
    ) -> None:
        """among: the samples that values are compared with, where they are not the state's."""
        self.bench, self.state, self.read_text = bench, state, read_text
        self.among = state if among is None else among
        self.kinds = dict(list(read_column_kinds(bench).items())[:MOST])
        self.by_class: dict[tuple[str, str], np.ndarray | Counter] = {}

    def read(self, content_hash: str) -> dict[str, Any]:
        """Read the cells of a row."""
        return json.loads(self.read_text(content_hash))

    @cached_property
    def rows_by_label(self) -> dict[str, list[dict[str, Any]]]:
        """The kept train and val rows of each class: none of test or guard."""
        part = self.among[neighbor_graph.labelled_rows(self.among)]
        texts = read_texts(self.bench, part.content_hash) or []
        rows: dict[str, list[dict[str, Any]]] = {}
        for label, text in zip(part.label, texts):
            rows.setdefault(label, []).append(json.loads(text))
        return rows

    def values(self, column: str, label: str) -> np.ndarray | Counter:
        """Read a class's values of a column: numbers or dates, sorted, or counts of words, None for missing."""
        key = column, label
        if key not in self.by_class:
            cells = [row.get(column) for row in self.rows_by_label.get(label, [])]
            if self.kinds.get(column) in ("number", "date"):
                self.by_class[key] = np.sort([n for c in cells if (n := to_number(c)) is not None])
            else:
                self.by_class[key] = Counter(cells)
        return self.by_class[key]

    def place(self, column: str, cell: Any, label: str | None) -> tuple[str, bool]:
        """Say where a cell stands in a class, and whether that is unusual; "" where too few are there."""
        if label is None or len(self.rows_by_label.get(label, [])) < FEWEST:
            return "", False
        values = self.values(column, label)
        if isinstance(values, Counter):
            share = values[cell] / values.total()
            return (
                f"{share:.1%} have it" if cell is not None else f"{share:.1%} lack it",
                share < RARE,
            )
        number = to_number(cell)
        if number is None or not len(values):
            return "", False
        below, upto = (np.searchsorted(values, number, side) for side in ("left", "right"))
        low, high = below / len(values), 1 - upto / len(values)
        if low >= high:
            return f"above {low:.0%}", bool(high < TAIL and below == upto)
        return f"below {high:.0%}", bool(low < TAIL and below == upto)

    def describe(self, i: int, given: str | None, suggested: str | None) -> dict:
        """Describe row i: {cells: [column, value, in the given class, in the suggested, unusual], text}."""
        row = self.read(self.state.content_hash.iloc[i])
        cells = []
        for column in self.kinds:
            mine, odd = self.place(column, row.get(column), given)
            theirs, _ = self.place(column, row.get(column), suggested)
            cells.append([column, show_cell(row.get(column)), mine, theirs, odd])
        return dict(cells=cells, text=join_cells(row, self.kinds), cut=0)

    def describe_near(self, i: int, j: int) -> dict:
        """Describe neighbour j of row i: {cells: [column, value, differs], text}; what differs first."""
        mine, near = (self.read(self.state.content_hash.iloc[n]) for n in (i, j))
        cells = [[c, show_cell(near.get(c)), near.get(c) != mine.get(c)] for c in self.kinds]
        cells.sort(key=lambda cell: not cell[2])
        return dict(cells=cells, text=join_cells(near, self.kinds), cut=0)


def to_number(cell: Any) -> float | None:
    """Read a number, or a date as its seconds; None for anything else."""
    if is_number(cell):
        return float(cell)
    found = read_date(cell) if isinstance(cell, str) else None
    return None if found is None else found.timestamp()


def show_cell(cell: Any) -> str | None:
    """Write a cell as a page shows it; None where it is missing."""
    if cell is None:
        return None
    return f"{cell:,}" if is_number(cell) else str(cell)[:LONGEST]


def join_cells(row: dict[str, Any], kinds: dict[str, str]) -> str:
    """Write a row in one line, for those who hear it."""
    return "; ".join(f"{name} {str(row[name])[:60]}" for name in kinds if name in row)[:1_000]

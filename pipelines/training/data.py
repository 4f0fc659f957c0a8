"""What a network trains on: rows and labels, read when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class LazyRows(Protocol):
    """Rows that may stay on disk: an array, a memory map, pixels or vectors of a bench."""

    shape: tuple[int, ...]

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any) -> np.ndarray: ...


@dataclass(frozen=True)
class TrainingData:
    """Labelled rows of one training."""

    rows: LazyRows  # uint8 (n, h, w, 3), float (n, d), or hashes of words (n, pieces) int32
    labels: np.ndarray  # (n,) in 0..n_classes-1
    n_classes: int
    groups: np.ndarray | None = None  # (n,) copies of one image share a group

    def take(self, keep: np.ndarray) -> TrainingData:
        """Select rows by number; they are still read when asked for."""
        groups = None if self.groups is None else self.groups[keep]
        return TrainingData(RowSubset(self.rows, keep), self.labels[keep], self.n_classes, groups)


class RowSubset:
    """Some rows of others, read when asked for."""

    def __init__(self, rows: LazyRows, keep: np.ndarray):
        self.rows, self.keep, self.shape = rows, keep, (len(keep), *rows.shape[1:])

    def __len__(self) -> int:
        return len(self.keep)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self.rows[self.keep[rows]]


class RowUnion:
    """Rows and then others, read when asked for."""

    def __init__(self, first: LazyRows, second: LazyRows):
        self.first, self.second = first, second
        self.shape = (len(first) + len(second), *first.shape[1:])

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        of_first = rows < len(self.first)
        if of_first.all():
            return self.first[rows]
        if not of_first.any():
            return self.second[rows - len(self.first)]
        parts = self.first[rows[of_first]], self.second[rows[~of_first] - len(self.first)]
        # back into the order in which they were asked for
        return np.concatenate(parts)[np.argsort(np.argsort(~of_first, kind="stable"))]

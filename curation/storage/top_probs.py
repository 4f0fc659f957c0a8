"""Probabilities of the likeliest classes stand for those of thousands.

A table of 500,000 samples by 5,600 classes takes 22 GB, and all but a few of its numbers are next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MANY = 256  # classes, above which no table of samples by classes is made
TOP = 32  # classes of each sample that are kept then
DENSE = 50_000_000  # numbers of a whole table, above which it is refused: rows are meant


class TopProbs:
    """Probabilities (n, k) of which each row keeps the highest, and is 0 elsewhere.

    It is read as an array is: probs[rows], probs[rows, classes], argmax, max. The rows of an array of it sum to less
    than 1 by what the other classes have.
    """

    ndim = 2

    def __init__(self, at: np.ndarray, p: np.ndarray, k: int) -> None:
        """at, p (n, t): classes, and their probabilities; of a class that is there twice they add up."""
        self.at, self.p, self.k = at, p, k

    @classmethod
    def keep_highest(cls, probs: np.ndarray, labels: np.ndarray) -> TopProbs:
        """Keep the highest of probs (n, k), and that of each row's label (n,); -1 for none."""
        first = max(0, probs.shape[1] - TOP)
        at = np.argpartition(probs, first, axis=1)[:, first:].astype("i4")
        p = np.take_along_axis(probs, at, 1)
        lost = np.flatnonzero((labels >= 0) & (at != labels[:, None]).all(1))
        least = p[lost].argmin(1)
        at[lost, least], p[lost, least] = labels[lost], probs[lost, labels[lost]]
        return cls(at, p.astype("f4"), probs.shape[1])

    @classmethod
    def concatenate(cls, parts: list[TopProbs]) -> TopProbs:
        at, p = (np.concatenate([getattr(part, name) for part in parts]) for name in ("at", "p"))
        return cls(at, p, parts[0].k)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.at), self.k

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, key: Any) -> Any:
        """Give a row (k,), the numbers at (rows, classes), or some rows as TopProbs."""
        if isinstance(key, tuple):
            rows, classes = key
            here = self.at[rows] == np.asarray(classes)[..., None]
            return np.where(here, self.p[rows], 0).sum(-1)
        if np.ndim(key) == 0 and not isinstance(key, slice):
            return np.asarray(TopProbs(self.at[None, key], self.p[None, key], self.k))[0]
        return TopProbs(self.at[key], self.p[key], self.k)

    def __array__(self, dtype: np.typing.DTypeLike = None, copy: bool | None = None) -> np.ndarray:
        if len(self) * self.k > DENSE:
            raise MemoryError(f"expected some rows of the probabilities, found all {self.shape}")
        out = np.zeros(self.shape, dtype or self.p.dtype)
        np.add.at(out, (np.arange(len(self))[:, None], self.at), self.p)
        return out

    def argmax(self, axis: int = 1) -> np.ndarray:
        return np.take_along_axis(self.at, self.p.argmax(1)[:, None], 1)[:, 0]

    def max(self, axis: int = 1) -> np.ndarray:
        return self.p.max(1)

    def to_frame(self, index: pd.Index, classes: list[str]) -> pd.DataFrame:
        """Make a frame of sparse columns, one a class."""
        import pandas as pd
        from scipy.sparse import csr_array

        n, t = self.at.shape
        table = csr_array((self.p.ravel(), self.at.ravel(), np.arange(0, n * t + 1, t)), self.shape)
        return pd.DataFrame.sparse.from_spmatrix(table, index, classes)

    def astype(self, dtype: np.typing.DTypeLike) -> TopProbs:
        return TopProbs(self.at, self.p.astype(dtype), self.k)

    def without(self, few: np.ndarray) -> TopProbs:
        """Ask no class of few (k,) bool: the others share what these have."""
        p = np.where(few[self.at], 0, self.p)
        gone = self.p.sum(1, dtype="f8") - p.sum(1, dtype="f8")
        return TopProbs(self.at, p / np.maximum(1 - gone, 1e-12)[:, None], self.k)

    def rename(self, column: np.ndarray, k: int) -> TopProbs:
        """Say the classes by other columns (old k,), of k; those that become one are summed."""
        at, p = column[self.at], self.p
        order = np.argsort(at, axis=1, kind="stable")
        at, p = np.take_along_axis(at, order, 1), np.take_along_axis(p, order, 1).copy()
        for j in range(at.shape[1] - 1, 0, -1):  # into the first of equals
            same = at[:, j] == at[:, j - 1]
            p[same, j - 1] += p[same, j]
            p[same, j] = 0
        return TopProbs(at, p, k)


def collect_probs(parts: Iterable[np.ndarray]) -> np.ndarray | TopProbs:
    """Put probabilities (b, k) of rows together; of many classes the likeliest of each row."""
    kept = [
        TopProbs.keep_highest(part, np.full(len(part), -1)) if part.shape[1] > MANY else part
        for part in parts
    ]
    return TopProbs.concatenate(kept) if isinstance(kept[0], TopProbs) else np.concatenate(kept)


def name_arrays(name: str, probs: np.ndarray | TopProbs) -> dict[str, np.ndarray]:
    """Name the arrays that a file keeps of probabilities: see read_probs."""
    if isinstance(probs, TopProbs):
        return {name: probs.p, f"{name}_at": probs.at}
    return {name: probs}


def read_probs(name: str, kept: dict[str, np.ndarray], k: int) -> Any:
    """Read probabilities (n, k) from the arrays of a file; None where it has none."""
    at, probs = kept.get(f"{name}_at"), kept.get(name)
    return probs if at is None else TopProbs(at, probs, k)


def ask_others(probs: np.ndarray | TopProbs, few: np.ndarray) -> Any:
    """Ask no class of few (k,) bool: the others share its probability."""
    if isinstance(probs, TopProbs):
        return probs.without(few)
    p = np.where(few, 0, probs)
    return p / np.maximum(p.sum(1, keepdims=True), 1e-12)


def sum_squares(probs: np.ndarray | TopProbs) -> np.ndarray:
    """Sum the squares of each row's probabilities: (n,)."""
    return ((probs.p if isinstance(probs, TopProbs) else probs) ** 2).sum(1)


def find_likeliest(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Find the likeliest column of each row, and its probability: (n,) each.

    frame: as Bench.pred_probs gives it, sparse or not.
    """
    import pandas as pd

    if len(frame.columns) and isinstance(frame.dtypes.iloc[0], pd.SparseDtype):
        table = frame.sparse.to_coo().tocsr()
        return np.asarray(table.argmax(axis=1)).ravel(), table.max(axis=1).toarray().ravel()
    return frame.to_numpy().argmax(1), frame.to_numpy().max(1)


def drop_classes(probs: np.ndarray | TopProbs, few: np.ndarray) -> Any:
    """Set the probabilities (n, k) of some classes to 0: few (k,) bool."""
    if isinstance(probs, TopProbs):
        return TopProbs(probs.at, np.where(few[probs.at], 0, probs.p), probs.k)
    return np.where(few, 0, probs)

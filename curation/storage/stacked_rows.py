"""Read several arrays as one, a row at a time or many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class StackedRows:
    """The rows of arrays (m_i, ...), numbered through.

    `rows[ids]` is a fresh array; ids (m,) ascending. Each array may be a memory map: what is not asked for is not
    read.
    """

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self.arrays = arrays
        self.starts = np.r_[0, np.cumsum([len(array) for array in arrays])].astype("i8")
        self.shape = (int(self.starts[-1]), *arrays[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, ids: np.ndarray) -> np.ndarray:
        out = np.empty((len(ids), *self.shape[1:]), self.arrays[0].dtype)
        cuts = np.searchsorted(ids, self.starts)
        for array, start, a, b in zip(self.arrays, self.starts, cuts, cuts[1:]):
            if b > a:
                out[a:b] = array[ids[a:b] - start]
        return out

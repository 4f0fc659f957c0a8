"""Column moments and eigenvectors, as the probe needs them."""

from __future__ import annotations

import numpy as np

from assay.curation.label_quality.leave_group_out import BLOCK, row_blocks
from assay.curation.storage.shards import Rows


def column_moments(X: np.ndarray | Rows, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation (d,) of the columns.

    Over `rows`, in fp64, streamed. A constant column gets scale 1.
    """
    n, total, squares = len(rows), 0.0, 0.0
    # near the mean, so that squares do not cancel
    origin = np.asarray(X[rows[:BLOCK]], "f8").mean(0)
    for part in row_blocks(n):
        B = X[rows[part]] - origin
        total, squares = total + B.sum(0), squares + np.einsum("ij,ij->j", B, B)
    mean = total / n
    var = np.maximum(squares / n - mean**2, 0)
    return mean + origin, np.where(var > 1e-12 * max(var.max(), 1e-30), np.sqrt(var), 1)


def decompose(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decompose a symmetric matrix by numpy's eigh, single-threaded.

    Its threads wait by spinning, and beside a busy process that took 11 s instead of 1 (d = 1,169).
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return np.linalg.eigh(A)

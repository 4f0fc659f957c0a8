"""Column moments and eigenvectors, as the probe needs them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from assay.curation.storage.shards import Rows
from assay.curation.storage.stages import Arrays, stage, sum_rows
from assay.curation.storage.top_probs import MANY


def column_moments(X: np.ndarray | Rows, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation (d,) of the columns.

    Over `rows`, ascending, in fp64, streamed. A constant column gets scale 1.
    """
    use = np.zeros(len(X), bool)
    use[rows] = True
    # near the mean, so that squares do not cancel
    origin = np.asarray(X[rows[:BLOCK]], "f8").mean(0)
    sums = sum_rows(X, sum_columns, dict(use=use), origin=origin)
    n, mean = len(rows), sums["total"] / len(rows)
    var = np.maximum(sums["squares"] / n - mean**2, 0)
    return mean + origin, np.where(var > 1e-12 * max(var.max(), 1e-30), np.sqrt(var), 1)


@stage(1)
def sum_columns(X: np.ndarray | Rows, use: np.ndarray, origin: np.ndarray) -> Arrays:
    """Sum columns, and their squares, over the rows in use (n,) bool: about an origin (d,)."""
    total, squares, rows = np.zeros(X.shape[1]), np.zeros(X.shape[1]), np.flatnonzero(use)
    for part in row_blocks(len(rows)):
        B = X[rows[part]] - origin
        total, squares = total + B.sum(0), squares + np.einsum("ij,ij->j", B, B)
    return dict(total=total, squares=squares)


def decompose(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decompose a symmetric matrix by numpy's eigh, single-threaded.

    Its threads wait by spinning, and beside a busy process that took 11 s instead of 1 (d = 1,169).
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return np.linalg.eigh(A)


BLOCK = 4096  # rows at once: memory is X plus one block


def leave_out(H: np.ndarray, p: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Score rows without their own group: (b, g, k).

    Of b groups of g rows each. The block formula p_-g = y_g - (I - H_gg)^-1 (y_g - p_g). H = Z A^-1 Z' (b, g, g); p:
    in-sample scores, Y: targets, both (b, g, k).
    """
    return Y - np.linalg.solve(np.eye(H.shape[1]) - H, Y - p)


def stack_groups(groups: np.ndarray, fitted: np.ndarray) -> Iterator[np.ndarray]:
    """Stack the groups of each size g: index arrays (b, g).

    Groups of two or more fitted members. groups (n,), fitted (n,) bool. About BLOCK rows at once.
    """
    rows = np.flatnonzero(fitted)
    _, name, count = np.unique(groups[rows], return_inverse=True, return_counts=True)
    rows, name = rows[count[name] > 1], name[count[name] > 1]
    rows, size = rows[np.argsort(name, kind="stable")], count[np.sort(name)]
    for g in np.unique(size):
        stacked = rows[size == g].reshape(-1, g)
        for part in row_blocks(len(stacked), max(1, BLOCK // g)):
            yield stacked[part]


def sample_groups(groups: np.ndarray, fitted: np.ndarray, most: int) -> np.ndarray:
    """Sample whole groups, about `most` fitted rows in all.

    They are the first groups in a fixed shuffle.
    """
    rows = np.flatnonzero(fitted)
    _, name, size = np.unique(groups[rows], return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(size))
    chosen = np.zeros(len(size), bool)
    chosen[order[: max(1, np.searchsorted(np.cumsum(size[order]), most))]] = True
    return rows[chosen[name]][: 4 * most]


def one_hot(y: np.ndarray, k: int) -> np.ndarray:
    """Turn class indices (n,), or members (n, k), into targets (n, k); -1 is zeros."""
    y = np.asarray(y)
    if y.ndim == 2:
        return np.maximum(y, 0).astype("f8")
    return (y[:, None] == np.arange(k)).astype("f8")


def sum_classes(Z: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """Sum rows Z (n, d) by class indices y (n,): (d, k)."""
    if k <= MANY:
        return Z.T @ one_hot(y, k)
    from scipy.sparse import csr_array

    has = np.flatnonzero(y >= 0)
    table = csr_array((np.ones(len(has)), (y[has], has)), (k, len(y)))
    return (table @ Z).T


def is_labelled(y: np.ndarray) -> np.ndarray:
    """Mark the rows of class indices (n,) or members (n, k) that are not -1: bool (n,)."""
    return (y if y.ndim == 1 else y.max(1, initial=-1)) >= 0


def row_blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Cut n rows into blocks."""
    return (slice(i, min(i + size, n)) for i in range(0, n, size))

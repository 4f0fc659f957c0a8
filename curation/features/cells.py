"""Divide vectors into cells, and compare those of a cell with each other.

Two levels of k-means, fitted on a sample: a vector is looked up in a few coarse cells instead of in all fine ones.
Each vector is in its EACH nearest cells. Nothing here depends on threads, or on which vectors come in one call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from assay.curation.features.candidate_lists import (
    NONE,
    candidate_ids,
    measure_cosines,
    pack_candidates,
    take_best,
)
from assay.curation.features.reduction import normalize_rows

SIZE = 300  # vectors whose nearest cell a cell is, on average
EACH = 8  # cells of a vector
PROBED = 12  # coarse cells in which the fine ones are looked up
FITTED = 50  # vectors of the sample for each cell,
COARSE = 1000  # and for each coarse cell at most
LARGEST = 4000  # members of a cell; a larger one is cut, or its pairs would be too many
ROUNDS = 10  # of k-means
POLISHED = 3  # rounds of k-means over all fine cells together


class Cells(NamedTuple):
    """Centroids in two levels: unit vectors."""

    coarse: np.ndarray  # (c, p)
    fine: np.ndarray  # (k, p), those of the first coarse cell first
    starts: np.ndarray  # (c + 1,) where the fine cells of each coarse one begin


def sample_rows(n: int, count: int) -> np.ndarray:
    """Draw those of n rows on which `count` cells are fitted, ascending."""
    return np.sort(np.random.default_rng(0).permutation(n)[: FITTED * count])


def arrange_cells(coarse: np.ndarray, fine: np.ndarray) -> Cells:
    """Sort fine centroids (k, p) by the nearest coarse one, and centre these anew."""
    nearest = candidate_ids(find_centroids(fine, coarse, 1))[:, 0]
    order = np.argsort(nearest, kind="stable")
    some, starts = np.unique(nearest[order], return_index=True)
    coarse = average_members(coarse, *sum_members(fine, nearest))[some]
    return Cells(coarse, fine[order], np.r_[starts, len(fine)])


def sum_members(V: np.ndarray, nearest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum the unit vectors V (m, p) of each centroid: (those with any (s,), sums (s, p)).

    nearest (m,): which centroid is whose."""
    order = np.argsort(nearest, kind="stable")
    some, starts = np.unique(nearest[order], return_index=True)
    return some, np.add.reduceat(V[order], starts, axis=0, dtype="f8")


def average_members(centroids: np.ndarray, some: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Give the centroids (k, p) anew of sums (s, p) of the members of `some` (s,); the others stay."""
    means = centroids.copy()
    means[some] = normalize_rows(sums)
    return means


def fit_centroids(sample: np.ndarray, count: int) -> np.ndarray:
    """Fit at most `count` different centroids (k, p) by spherical k-means."""
    import faiss

    count = min(max(count, 1), len(sample))
    few = dict(min_points_per_centroid=1, max_points_per_centroid=10**9)
    means = faiss.Kmeans(sample.shape[1], count, niter=ROUNDS, spherical=True, seed=0, **few)
    with one_thread():
        means.train(np.ascontiguousarray(sample))
    found = means.centroids
    # thousands of exact copies attract several centroids; einsum, since it uses no threads
    product = np.einsum("ip,jp->ij", found, found)
    squares = np.diag(product)
    same = squares[:, None] + squares - 2 * product < 2e-6
    return found[~np.triu(same, 1).any(0)]


def find_centroids(V: np.ndarray, centroids: np.ndarray, count: int) -> np.ndarray:
    """Find the `count` nearest centroids of each of V (m, p), as lists (m, count)."""
    import faiss

    # some more, which are then compared pair by pair: what is nearest must not hang on a last digit
    more = min(count + 3, len(centroids))
    with one_thread():
        ids = faiss.knn(V, centroids, more, metric=faiss.METRIC_INNER_PRODUCT)[1]
        return take_best(pack_candidates(ids, measure_cosines(V, centroids, ids)), count)


def assign_cells(V: np.ndarray, cells: Cells) -> np.ndarray:
    """Find the EACH nearest cells of each of V (m, p), unit vectors.

    Returns (m, EACH) int32, the nearest first; -1 where there are fewer."""
    V = np.ascontiguousarray(V, "f4")
    probed = candidate_ids(find_centroids(V, cells.coarse, PROBED))
    best = np.full((len(V), EACH), NONE)
    for i, (start, end) in enumerate(zip(cells.starts, cells.starts[1:])):
        rows = np.flatnonzero((probed == i).any(1))
        if len(rows):
            found = find_centroids(V[rows], cells.fine[start:end], EACH)
            found[found != NONE] += np.uint64(start)
            best[rows] = take_best(np.concatenate([best[rows], found], 1), EACH)
    return candidate_ids(best).astype("i4")


def group_members(assigned: np.ndarray, first: int = 0) -> np.ndarray:
    """Sort what assign_cells says of rows first, first + 1, ... by cell, then row.

    Returns (m,) uint64, cell * 2^32 + row. Those of several shards are merged by sorting."""
    rows = np.arange(first, first + len(assigned), dtype="u8")[:, None]
    members = np.maximum(assigned, 0).astype("u8") << np.uint64(32) | rows
    return np.sort(members[assigned >= 0])


def join_cell(rows: np.ndarray, V: np.ndarray, count: int) -> np.ndarray:
    """Find each member's `count` nearest others in its cell.

    rows (m,): ascending. V (m, p): their unit vectors. Returns lists (m, count)."""
    import faiss

    if len(rows) > LARGEST:
        lists = np.empty((len(rows), count), "u8")
        for part in cut_in_two(V):
            lists[part] = join_cell(rows[part], V[part], count)
        return lists
    V = np.ascontiguousarray(V, "f4")
    with one_thread():
        cosine, at = faiss.knn(V, V, min(count + 1, len(V)), metric=faiss.METRIC_INNER_PRODUCT)
    ids = rows[at]
    ids[at == np.arange(len(at))[:, None]] = -1
    return take_best(pack_candidates(ids, cosine), count)


def cut_in_two(V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Halve the rows of V (m, p) across where they spread; copies as they come.

    Returns the rows of each half, ascending."""
    one = V[np.argmin(np.einsum("ip,p->i", V, V.mean(0, dtype="f8")))]
    other = V[np.argmin(np.einsum("ip,p->i", V, one))]
    order = np.argsort(np.einsum("ip,p->i", V, one - other), kind="stable")
    return np.sort(order[: len(V) // 2]), np.sort(order[len(V) // 2 :])


@contextmanager
def one_thread() -> Iterator[None]:
    """Let faiss work with the calling thread alone: a product's last digits depend on how many."""
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)

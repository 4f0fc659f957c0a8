"""Keep, merge and refine lists of candidate neighbours.

A candidate is one uint64: 1 - cosine as a float32's bits, then the row's number. Candidates so sort by distance,
and equally near ones by number. NONE, the largest, fills a list that is short. Every function is pure: what it
returns for a row does not depend on which other rows are asked for with it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from assay.curation.features.reduction import normalize_rows

NONE = np.uint64(2**64 - 1)
LOW = np.uint64(2**32 - 1)  # the half that holds the row's number
WIDE = 20  # neighbours of how many neighbours a refinement looks at


class RowReader(Protocol):
    """Rows of an array that may lie in many files: reader[ids], ids (m,) ascending."""

    def __getitem__(self, ids: np.ndarray, /) -> np.ndarray: ...


def pack_candidates(ids: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Pack row numbers and cosines, both (m, c).

    Returns (m, c) uint64, NONE where an id is negative."""
    gap = np.maximum(np.float32(1) - cosine, np.float32(0))
    packed = gap.view("u4").astype("u8")
    packed <<= np.uint64(32)
    packed |= ids.astype("i8").view("u8")  # of -1 all bits are set: NONE
    return packed


def candidate_ids(lists: np.ndarray) -> np.ndarray:
    """Read the row numbers of lists (m, c), -1 for NONE."""
    return np.where(lists == NONE, -1, (lists & LOW).astype("i8"))


def candidate_distances(lists: np.ndarray) -> np.ndarray:
    """Read the distances of lists (m, c), inf for NONE."""
    gap = np.ascontiguousarray((lists >> np.uint64(32)).astype("u4")).view("f4")
    return np.where(lists == NONE, np.float32(np.inf), np.sqrt(2 * gap))


def merge_lists(lists: np.ndarray, count: int) -> np.ndarray:
    """Take the `count` best different candidates of each row of lists (m, c).

    Of a candidate that occurs twice the nearer one is kept, so lists may be merged in any order. Returns (m, count)
    ascending."""
    half = np.uint64(32)
    by_id = np.sort((lists << half) | (lists >> half), axis=1)
    by_id[:, 1:][(by_id[:, 1:] ^ by_id[:, :-1]) >> half == 0] = NONE
    return take_best((by_id << half) | (by_id >> half), count)


def take_best(lists: np.ndarray, count: int) -> np.ndarray:
    """Take the `count` smallest of each row of lists (m, c), ascending; NONE where there are fewer."""
    if lists.shape[1] <= count:
        fill = np.full((len(lists), count - lists.shape[1]), NONE)
        return np.sort(np.concatenate([lists, fill], 1), axis=1)
    return np.sort(np.partition(lists, count - 1, axis=1)[:, :count], axis=1)


def measure_cosines(Q: np.ndarray, V: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Multiply each row of Q (m, p) with the rows of V (h, p) that ids (m, c) name.

    Pair by pair, so that a cosine does not depend on what else is asked for: a matrix product's last digit does.
    Negative ids give -inf."""
    import faiss

    index = faiss.IndexFlatIP(V.shape[1])
    index.add(np.ascontiguousarray(V, "f4"))
    Q, ids = np.ascontiguousarray(Q, "f4"), np.ascontiguousarray(ids, "i8")
    cosine = np.empty(ids.shape, "f4")
    index.compute_distance_subset(
        len(ids), faiss.swig_ptr(Q), ids.shape[1], faiss.swig_ptr(cosine), faiss.swig_ptr(ids)
    )
    cosine[ids < 0] = -np.inf
    return cosine


def refine_lists(rows: np.ndarray, lists: RowReader, vectors: RowReader, count: int) -> np.ndarray:
    """Look for better candidates among the neighbours' neighbours.

    rows (m,): ascending. lists[ids] (h, c) and vectors[ids] (h, p) read what is there of other rows. Returns
    (m, count). Rows that lie near each other share what has to be read: order them by their cell."""
    mine = lists[rows]
    near = candidate_ids(mine[:, :WIDE])
    hood = np.unique(near)
    hood = hood[hood >= 0]
    if not len(hood):
        return take_best(mine, count)
    theirs = candidate_ids(lists[hood][:, :WIDE])
    everyone = np.unique(np.concatenate([rows, theirs[theirs >= 0]]))
    V = np.asarray(vectors[everyone], "f4")
    theirs = np.where(theirs < 0, -1, np.searchsorted(everyone, theirs)).astype("i4")
    me = np.searchsorted(everyone, rows).astype("i4")
    # places in `everyone`, which is sorted: they sort as the row numbers do
    at = theirs[np.searchsorted(hood, np.maximum(near, hood[0]))]
    at[near < 0] = -1
    at = np.sort(at.reshape(len(rows), -1), axis=1)
    at[:, 1:][at[:, 1:] == at[:, :-1]] = -1
    at[at == me[:, None]] = -1
    found = take_best(pack_candidates(at, measure_cosines(V[me], V, at)), count)
    at = candidate_ids(found)
    found = (found & ~LOW) | everyone[at].astype("u8")
    found[at < 0] = NONE
    return merge_lists(np.concatenate([mine, found], 1), count)


def rank_lists(
    rows: np.ndarray, lists: RowReader, X: RowReader, mean: np.ndarray, scale: np.ndarray, k: int
) -> np.ndarray:
    """Find the k nearest of each row's candidates by all numbers.

    rows (m,): ascending. X[ids] (h, d); mean, scale (d,): see reduction.Basis. Returns lists (m, k)."""
    ids = candidate_ids(lists[rows])
    everyone = np.unique(np.concatenate([rows, ids[ids >= 0]]))
    Z = normalize_rows((np.asarray(X[everyone], "f4") - mean) / scale)
    at = np.where(ids < 0, -1, np.searchsorted(everyone, np.maximum(ids, 0)))
    cosine = measure_cosines(Z[np.searchsorted(everyone, rows)], Z, at)
    return take_best(pack_candidates(ids, cosine), k)

"""Search neighbours by cells on one machine: many more vectors than an index would hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np

from assay.curation.features.candidate_lists import (
    NONE,
    RowReader,
    candidate_distances,
    candidate_ids,
    merge_lists,
    rank_lists,
    refine_lists,
)
from assay.curation.features.cells import (
    SIZE,
    assign_cells,
    fit_cells,
    group_members,
    join_cell,
    sample_rows,
)

JOINED = 20  # candidates that a cell gives each of its members
REFINEMENTS = 2  # rounds of neighbours' neighbours
SHARD = 100_000  # vectors that are assigned together
AT_ONCE = 4096  # rows that are refined or ranked together


def search_cells(V: RowReader, n: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Find `count` candidates for the neighbours of n unit vectors V.

    Returns lists (n, count), see candidate_lists, and the rows (n,) in the order of their cells."""
    number = max(1, round(n / SIZE))
    cells = fit_cells(V[sample_rows(n, number)], number)
    shards = [np.arange(i, min(i + SHARD, n)) for i in range(0, n, SHARD)]
    assigned = np.concatenate(list(in_threads(lambda rows: assign_cells(V[rows], cells), shards)))
    order = np.argsort(assigned[:, 0], kind="stable")
    lists = join_cells(V, group_members(assigned), n, count)
    for _ in range(REFINEMENTS):
        lists = refine_all(V, lists, order)
    return lists, order


def join_cells(V: RowReader, members: np.ndarray, n: int, count: int) -> np.ndarray:
    """Compare the members of each cell, and merge what each of n rows found.

    members: see group_members. Returns lists (n, count)."""
    lists, lock = np.full((n, count), NONE), Lock()
    bounds = np.flatnonzero(np.diff(members >> np.uint64(32), prepend=-1, append=-1))

    def join(bound: tuple[int, int]) -> None:
        rows = (members[slice(*bound)] & np.uint64(2**32 - 1)).astype("i8")
        found = join_cell(rows, V[rows], min(count, JOINED))
        with lock:
            lists[rows] = merge_lists(np.concatenate([lists[rows], found], 1), count)

    for _ in in_threads(join, zip(bounds, bounds[1:])):
        pass
    return lists


def refine_all(V: RowReader, lists: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Refine each of lists (n, c) once. order (n,): rows that lie near each other together."""
    refined = np.empty_like(lists)

    def refine(rows: np.ndarray) -> None:
        refined[rows] = refine_lists(rows, lists, V, lists.shape[1])

    for _ in in_threads(refine, near_rows(order)):
        pass
    return refined


def rank_all(
    X: RowReader, lists: np.ndarray, order: np.ndarray, mean: np.ndarray, scale: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest of each row's candidates by all numbers.

    X (n, d); lists, order: of search_cells. Returns rows (n, k) and distances (n, k), ascending."""
    near, far = np.empty((len(lists), k), "i8"), np.empty((len(lists), k), "f4")

    def rank(rows: np.ndarray) -> None:
        ranked = rank_lists(rows, lists, X, mean, scale, k)
        near[rows], far[rows] = candidate_ids(ranked), candidate_distances(ranked)

    for _ in in_threads(rank, near_rows(order)):
        pass
    return near, far


def near_rows(order: np.ndarray) -> Iterator[np.ndarray]:
    """Cut an order of rows in parts, each ascending."""
    return (np.sort(order[i : i + AT_ONCE]) for i in range(0, len(order), AT_ONCE))


def in_threads(work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
    """Do `work` on each part, as many at a time as faiss would use threads; results in order."""
    import faiss

    threads = faiss.omp_get_max_threads()
    with ThreadPoolExecutor(threads, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(work, parts)

"""Search neighbours by cells: of many more vectors than an index would hold, on one machine or by shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
    Cells,
    assign_cells,
    fit_cells,
    group_members,
    join_cell,
    sample_rows,
)
from assay.curation.storage.stages import Arrays, Part, Stages, stage

JOINED = 20  # candidates that a cell gives each of its members
REFINEMENTS = 2  # rounds of neighbours' neighbours
SHARD = 100_000  # vectors that are worked on together
AT_ONCE = 4096  # rows that are refined or ranked at once
ROW = np.uint64(2**32 - 1)  # the half of a member that holds its row


class CellSearch:
    """The search among n unit vectors V (n, p); with `stages` on their workers, else in threads."""

    def __init__(self, V: np.ndarray, stages: Stages | None = None) -> None:
        self.V, self.stages, n = V, stages, len(V)
        self.vectors = self.share(V)
        self.starts = range(0, n, SHARD)
        self.order = np.arange(n)  # rows that lie near each other together, once they have cells

    def share(self, array: np.ndarray) -> Any:
        """Let all workers read an array: as a file, where they are other processes."""
        return array if self.stages is None else self.stages.store(array)

    def each(self, work: Callable, parts: Iterable[Part], **shared: Any) -> Iterator[Arrays]:
        """Call a stage on each part; what they make, in order."""
        if self.stages is not None:
            yield from self.stages.run(work, parts, shared)
            return

        def call(part: Part) -> Arrays:
            return work(*([] if part.X is None else [part.X]), **part.inputs, **shared)

        yield from in_threads(call, parts)

    def find(self, count: int) -> np.ndarray:
        """Find `count` candidates for the neighbours of each vector: lists (n, count), see candidate_lists."""
        n = len(self.V)
        fitting = self.each(
            fit_sample, [Part({})], vectors=self.vectors, number=max(1, round(n / SIZE))
        )
        (cells,) = fitting
        shards = (
            Part(dict(start=np.array(i), end=np.array(min(i + SHARD, n)))) for i in self.starts
        )
        found = self.each(assign_rows, shards, vectors=self.vectors, **cells)
        assigned = np.concatenate([made["assigned"] for made in found])
        self.order = np.argsort(assigned[:, 0], kind="stable")
        lists = self.join(group_members(assigned), count)
        for _ in range(REFINEMENTS):
            lists = self.refine(lists)
        return lists

    def join(self, members: np.ndarray, count: int) -> np.ndarray:
        """Compare the members of each cell, and merge what each row found: lists (n, count)."""
        lists = np.full((len(self.V), count), NONE)
        ends = np.flatnonzero(np.diff(members >> np.uint64(32), append=2**32)) + 1
        cuts = ends[np.searchsorted(ends, [*range(0, len(members), SHARD)][1:])]
        bounds = np.unique(np.r_[0, cuts, len(members)])
        parts = (Part(dict(members=members[a:b])) for a, b in zip(bounds, bounds[1:]))
        joined = min(count, JOINED)
        for made in self.each(join_members, parts, vectors=self.vectors, count=joined):
            rows = made["rows"]
            lists[rows] = merge_lists(np.concatenate([lists[rows], made["lists"]], 1), count)
        return lists

    def refine(self, lists: np.ndarray) -> np.ndarray:
        """Look at the neighbours' neighbours of each row once: lists (n, c)."""
        refined, shared = np.empty_like(lists), self.share(lists)
        shards = [near_rows(self.order[i : i + SHARD]) for i in self.starts]
        parts = (Part(dict(rows=rows)) for rows in shards)
        found = self.each(refine_rows, parts, vectors=self.vectors, lists=shared)
        for rows, made in zip(shards, found):
            refined[rows] = made["lists"]
        return refined

    def rank(
        self, X: Any, lists: np.ndarray, mean: np.ndarray, scale: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the k nearest of each row's candidates by all numbers X (n, d).

        Returns rows (n, k) and distances (n, k), ascending."""
        near, far = np.empty((len(lists), k), "i8"), np.empty((len(lists), k), "f4")
        shards = [near_rows(self.order[i : i + SHARD]) for i in self.starts]

        def part(rows: np.ndarray) -> Part:
            candidates = candidate_ids(lists[rows])
            ids = np.unique(np.r_[rows, candidates[candidates >= 0]])
            some = X[ids] if isinstance(X, np.ndarray) else X.take(ids)
            return Part(dict(rows=rows, lists=lists[rows], ids=ids), some)

        found = self.each(rank_rows, map(part, shards), mean=mean, scale=scale, k=k)
        for rows, made in zip(shards, found):
            near[rows], far[rows] = made["near"], made["far"]
        return near, far


def near_rows(order: np.ndarray) -> np.ndarray:
    """Sort rows (m,) that lie near each other, AT_ONCE after AT_ONCE: each part is ascending."""
    parts = [np.sort(order[i : i + AT_ONCE]) for i in range(0, len(order), AT_ONCE)]
    return np.concatenate(parts)


def in_threads(work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
    """Do `work` on each part, as many at a time as faiss would use threads; results in order."""
    import faiss

    threads = faiss.omp_get_max_threads()
    with ThreadPoolExecutor(threads, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(work, parts)


# ---- stages


class Picked:
    """Some rows of an array, by their numbers in the whole."""

    def __init__(self, ids: np.ndarray, rows: RowReader) -> None:
        """ids (m,): ascending; rows (m, ...)."""
        self.ids, self.rows = ids, rows

    def __getitem__(self, ids: np.ndarray) -> np.ndarray:
        return self.rows[np.searchsorted(self.ids, ids)]


@stage(1)
def fit_sample(vectors: np.ndarray, number: int) -> Arrays:
    """Fit about so many cells on a sample of vectors (n, p): see cells.Cells."""
    return fit_cells(vectors[sample_rows(len(vectors), number)], number)._asdict()


@stage(1)
def assign_rows(
    start: int,
    end: int,
    vectors: np.ndarray,
    coarse: np.ndarray,
    fine: np.ndarray,
    starts: np.ndarray,
) -> Arrays:
    """Assign the rows from start to end to their cells: see assign_cells."""
    return dict(assigned=assign_cells(vectors[int(start) : int(end)], Cells(coarse, fine, starts)))


@stage(1)
def join_members(members: np.ndarray, vectors: np.ndarray, count: int) -> Arrays:
    """Compare the members of some whole cells: rows (m,), ascending, and their lists (m, count)."""
    rows, at = np.unique((members & ROW).astype("i8"), return_inverse=True)
    lists = np.full((len(rows), count), NONE)
    bounds = np.flatnonzero(np.diff(members >> np.uint64(32), prepend=-1, append=-1))
    for a, b in zip(bounds, bounds[1:]):
        mine = at[a:b]
        found = join_cell(rows[mine], vectors[rows[mine]], count)
        lists[mine] = merge_lists(np.concatenate([lists[mine], found], 1), count)
    return dict(rows=rows, lists=lists)


@stage(1)
def refine_rows(rows: np.ndarray, vectors: np.ndarray, lists: np.ndarray) -> Arrays:
    """Look at the neighbours' neighbours of rows (m,): see near_rows, refine_lists."""
    parts = (rows[i : i + AT_ONCE] for i in range(0, len(rows), AT_ONCE))
    found = [refine_lists(part, lists, vectors, lists.shape[1]) for part in parts]
    return dict(lists=np.concatenate(found))


@stage(1)
def rank_rows(
    X: RowReader,
    rows: np.ndarray,
    lists: np.ndarray,
    ids: np.ndarray,
    mean: np.ndarray,
    scale: np.ndarray,
    k: int,
) -> Arrays:
    """Find the k nearest of the candidates of rows (m,), lists (m, c), by all numbers X of the rows `ids`."""
    numbers, found = Picked(ids, X), []
    for i in range(0, len(rows), AT_ONCE):
        part = rows[i : i + AT_ONCE]
        mine = Picked(part, lists[i : i + AT_ONCE])
        found.append(rank_lists(part, mine, numbers, mean, scale, k))
    ranked = np.concatenate(found)
    return dict(near=candidate_ids(ranked), far=candidate_distances(ranked))

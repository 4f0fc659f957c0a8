"""Find the nearest neighbours of every vector.

Of the one neighbour graph duplicates, leakage, outliers, drift and evidence are all read. Up to 8,000 rows every
pair is compared; of more, an HNSW index finds candidates among principal components, beyond 200,000 cells do.
Candidates are compared by all numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.features.candidate_lists import NONE, candidate_distances
from assay.curation.features.cell_search import CellSearch
from assay.curation.features.reduction import (
    BLOCK,
    Basis,
    chord_distance,
    fit_basis,
    normalize_rows,
    project_vectors,
)

if TYPE_CHECKING:
    import faiss

K = 10  # neighbours of a sample
CANDIDATES = 50  # of which the K nearest by all numbers are kept: the components alone find 73 % of those on CIFAR-10
EXACT = 8_000  # up to here every pair is compared by all numbers
# up to here an HNSW index is built, beyond it cells are: of a million made vectors they find more (recall@10 1.000,
# .952) in a quarter of the time, see tests/benchmarks/graph.py
CELLS = 200_000
# of the HNSW graph: recall@10 of 0.985 and more on CIFAR-10, see tests/benchmarks/graph.py
LINKS, WIDTH, BREADTH = 16, 80, 112


@dataclass
class NeighborLists:
    """The neighbours of n vectors, and what it takes to extend them: arrays/lists.npz."""

    neighbours: np.ndarray  # (n, k) rows, nearest first; -1 where there are fewer
    distances: np.ndarray  # (n, k) of unit vectors, ascending; inf where there are fewer
    mean: np.ndarray  # (d,), the basis: see reduction.Basis
    scale: np.ndarray  # (d,)
    axes: np.ndarray  # (d, p)
    vectors: np.ndarray  # (n, p) unit vectors on this basis
    reach: np.ndarray  # (n,) similarity of the last candidate, -1 where every pair was compared
    built: np.ndarray  # () of how many rows the basis was made

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> NeighborLists:
        """Take the lists out of a file's arrays."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


class Found(NamedTuple):
    """What a search found for each of n rows."""

    neighbours: np.ndarray  # (n, k)
    distances: np.ndarray  # (n, k), ascending


def build_graph(X: np.ndarray) -> NeighborLists:
    """Find the K nearest neighbours of each row of X (n, d).

    X may stay on disk."""
    n, basis = len(X), fit_basis(X)
    sharding = getattr(X, "sharding", None)
    if n > CELLS or (sharding and sharding.stages.large):
        return build_in_cells(X, basis)
    vectors, reach = project_vectors(X, basis.mean, basis.axes), np.full(n, -1.0, "f4")
    k = min(K, n - 1)
    if k < 1:
        none = np.empty((n, 0), int), np.empty((n, 0), "f4")
        return NeighborLists(*none, *basis, vectors, reach, np.array(n))
    index = build_flat_index(X, basis.mean, basis.scale)
    if n <= EXACT:
        found = search_exactly(index, k)
    else:
        candidates, reach = search_approximately(vectors, CANDIDATES)
        found = rank_candidates(index, candidates)
    return NeighborLists(*found, *basis, vectors.astype("f2"), reach, np.array(n))


def build_in_cells(X: np.ndarray, basis: Basis) -> NeighborLists:
    """Find the K nearest neighbours of X (n, d) by cells: memory for no more than the lists and n x p float16."""
    # up to 128 numbers the components are a rotation of all of them: fewer candidates will do
    count = CANDIDATES if X.shape[1] > basis.axes.shape[1] else 2 * K
    sharding = getattr(X, "sharding", None)
    vectors = project_vectors(X, basis.mean, basis.axes, "f2")
    search = CellSearch(vectors, sharding and sharding.stages)
    del vectors
    lists = search.find(count)
    found = search.rank(X, lists, basis.mean, basis.scale, K)
    last = lists[:, -1:]
    reach = np.where(last == NONE, -1, 1 - candidate_distances(last) ** 2 / 2)[:, 0]
    return NeighborLists(*found, *basis, search.V, reach.astype("f4"), np.array(len(X)))


def graph_key(of: str, hashes: np.ndarray) -> str:
    """Hash what a graph is `of`, and its images.

    hashes (n,): of the images."""
    return sha256(of.encode() + hashes.tobytes()).hexdigest()


def build_flat_index(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> faiss.IndexFlatIP:
    """Build a faiss index that compares X exactly.

    Standardised, as unit vectors."""
    import faiss

    index = faiss.IndexFlatIP(X.shape[1])
    for i in range(0, len(X), BLOCK):
        block = np.asarray(X[np.arange(i, min(i + BLOCK, len(X)))], "f4")
        index.add(normalize_rows((block - mean) / scale))
    return index


def index_vectors(index: faiss.IndexFlatIP) -> np.ndarray:
    """View the vectors of a flat index (n, d), not copied."""
    import faiss

    return faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)


def search_exactly(index: faiss.IndexFlatIP, k: int) -> Found:
    """Find each row's k nearest by comparing all pairs."""
    cosine, near = index.search(index_vectors(index), k + 1)
    others = mask_itself(near)
    return Found(near[others].reshape(-1, k), chord_distance(cosine[others].reshape(-1, k)))


def search_approximately(V: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Find candidates (n, count) for neighbours in the reduced space.

    V (n, p): unit vectors. Also returns the similarity of each row's last candidate (n,). Built by one thread, or
    two scans of the same images would differ."""
    import faiss

    rows = order_by_proximity(V)
    V = V[rows]
    # by squared distance: by inner product it loses 1 %
    index = faiss.IndexHNSWSQ(V.shape[1], faiss.ScalarQuantizer.QT_fp16, LINKS)
    index.hnsw.efConstruction, index.hnsw.efSearch = WIDTH, BREADTH
    index.train(V[:1])
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index.add(V)
    finally:
        faiss.omp_set_num_threads(threads)
    squared, near = index.search(V, count + 1)
    near = near[mask_itself(near)].reshape(-1, count)
    candidates, last = np.empty((len(V), count), int), np.empty(len(V), "f4")
    candidates[rows], last[rows] = np.where(near < 0, -1, rows[near]), 1 - squared[:, -1] / 2
    return candidates, last


def order_by_proximity(V: np.ndarray, each: int = 500) -> np.ndarray:
    """Order rows of V (n, p) so that near ones are neighbours.

    Those nearest to one of n / 500 of them: what is asked one after the other then lies in the cache."""
    import faiss

    count = max(1, min(1000, len(V) // each))
    some = V[np.sort(np.random.default_rng(0).permutation(len(V))[:count])]
    return np.argsort(faiss.knn(V, some, 1)[1][:, 0], kind="stable")


def mask_itself(near: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Mask k others of each row of near (n, k + 1).

    The row itself is left out, or else the last.     rows (n,): whose lists they are, by default row by row."""
    others = near != (np.arange(len(near)) if rows is None else rows)[:, None]
    others[others.all(1), -1] = False  # more than k exact twins: the row itself was crowded out
    return others


def rank_candidates(index: faiss.IndexFlatIP, candidates: np.ndarray) -> Found:
    """Find the K nearest of candidates (n, c) by all numbers."""
    import faiss

    near, far = np.empty((len(candidates), K), int), np.empty((len(candidates), K), "f4")
    for i in range(0, len(candidates), BLOCK):
        ids = np.ascontiguousarray(candidates[i : i + BLOCK], "i8")
        query = np.ascontiguousarray(index_vectors(index)[i : i + BLOCK])
        cosine, known = np.empty(ids.shape, "f4"), np.maximum(ids, 0)
        index.compute_distance_subset(
            len(ids),
            faiss.swig_ptr(query),
            ids.shape[1],
            faiss.swig_ptr(cosine),
            faiss.swig_ptr(known),
        )
        distances = np.where(ids < 0, np.inf, chord_distance(cosine))
        near[i : i + BLOCK], far[i : i + BLOCK] = take_nearest(ids, distances)
    return Found(near, far)


def take_nearest(candidates: np.ndarray, distances: np.ndarray, k: int = K) -> Found:
    """Take the k nearest of candidates (m, c)."""
    first = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return Found(np.take_along_axis(candidates, first, 1), np.take_along_axis(distances, first, 1))

"""Extend neighbour lists when images come and go, without building them anew."""

from __future__ import annotations

import copy

import numpy as np

from assay.curation.features import knn
from assay.curation.features.knn import CANDIDATES, K, NeighborLists, mask_itself, take_nearest
from assay.curation.features.reduction import chord_distance, normalize_rows, project_vectors


def can_extend(kept: NeighborLists, was: np.ndarray) -> bool:
    """Tell whether extending `kept` beats building anew.

    was (n,): the row of `kept` that each image was, -1 for a new one."""
    n, built = len(was), int(kept.built)
    changed = (was < 0).sum() + len(kept.reach) - (was >= 0).sum()
    large = len(kept.reach) > knn.EXACT and n > knn.EXACT
    return bool(large and changed <= n / 10 and abs(n - built) <= built / 2)


def extend_graph(kept: NeighborLists, X: np.ndarray, was: np.ndarray) -> NeighborLists:
    """Make of `kept` what build_graph would make of X (n, d).

    On the basis of `kept`. was (n,): as of can_extend. New rows are compared with all, in the reduced space,
    exactly; they enter the lists of old ones that they are nearer to, and lists that lost a row are filled
    again."""
    import faiss

    out, new = carry_over(kept, was), was < 0
    out.vectors[new] = project_vectors(X[np.flatnonzero(new)], kept.mean, kept.axes)
    V = out.vectors.astype("f4")
    asked = np.flatnonzero(new | (out.neighbours < 0).any(1))
    reach, offers = np.empty(len(asked), "f4"), [np.empty((0, 2), int)]
    out.reach[asked] = np.inf  # who is asked anew is offered nothing
    step = max(16, 2**26 // len(V))
    for i in range(0, len(asked), step):
        rows = asked[i : i + step]
        similarity = V[rows] @ V.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        one, other = np.nonzero(similarity[new[rows]] > out.reach)
        offers.append(np.stack([other, rows[new[rows]][one]], 1))
        close, best = faiss.knn(V[rows], V, CANDIDATES + 1, metric=faiss.METRIC_INNER_PRODUCT)
        best = best[mask_itself(best, rows)].reshape(-1, CANDIDATES)
        reach[i : i + step] = close[:, -1]
        distances = measure_distances(X, kept, rows, best)
        out.neighbours[rows], out.distances[rows] = take_nearest(best, distances)
    out.reach[asked] = reach
    offer_pairs(out, np.concatenate(offers), X)
    return out


def carry_over(kept: NeighborLists, was: np.ndarray) -> NeighborLists:
    """Move the rows of `kept` to where they are now.

    A list that pointed to a row that left has -1 there, new rows have nothing but."""
    old = np.flatnonzero(was >= 0)
    # where each row is now; the last one says that no row is nowhere
    now = np.full(len(kept.reach) + 1, -1)
    now[was[old]] = old
    out = copy.copy(kept)
    for name, empty in dict(vectors=0, reach=0, neighbours=-1, distances=np.inf).items():
        rows = getattr(kept, name)
        moved = np.full((len(was), *rows.shape[1:]), empty, rows.dtype)
        moved[old] = rows[was[old]]
        setattr(out, name, moved)
    out.neighbours[old] = now[out.neighbours[old]]
    return out


def measure_distances(
    X: np.ndarray, lists: NeighborLists, rows: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Measure distances from rows (m,) to others (m, c) by all numbers.

    Returns (m, c)."""
    out = np.empty(others.shape, "f4")

    def scale_rows(at: np.ndarray) -> np.ndarray:
        return normalize_rows((np.asarray(X[at], "f4") - lists.mean) / lists.scale)

    for i in range(0, len(rows), 256):
        part = others[i : i + 256]
        theirs = scale_rows(part.ravel()).reshape(*part.shape, -1)
        cosine = np.einsum("ijk,ik->ij", theirs, scale_rows(rows[i : i + 256]))
        out[i : i + 256] = chord_distance(cosine)
    return out


def offer_pairs(lists: NeighborLists, pairs: np.ndarray, X: np.ndarray) -> None:
    """Put samples into the lists whose last neighbour is farther away.

    pairs (m, 2): whose list, and what it is offered.
    """
    if not len(pairs):
        return
    distance = measure_distances(X, lists, pairs[:, 0], pairs[:, 1:])[:, 0]
    nearer = distance < lists.distances[pairs[:, 0], -1]
    changed = np.unique(pairs[nearer, 0])
    whose = np.r_[np.repeat(changed, K), pairs[nearer, 0]]
    what = np.r_[lists.neighbours[changed].ravel(), pairs[nearer, 1]]
    far = np.r_[lists.distances[changed].ravel(), distance[nearer]]
    order = np.lexsort((far, whose))
    start = np.searchsorted(whose[order], changed)
    first = order[start[:, None] + np.arange(K)]  # every list has K and more to choose from
    lists.neighbours[changed], lists.distances[changed] = what[first], far[first]

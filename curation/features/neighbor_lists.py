"""What is read from neighbour lists: close pairs, groups of them, isolation."""

from __future__ import annotations

import numpy as np

# pairs closer than this share of the median nearest distance may be near duplicates: their pixels are looked at
NEAR = 1.0


def find_close_pairs(
    neighbours: np.ndarray, distances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find pairs close enough to be worth a look at their pixels.

    neighbours, distances (n, k). Returns pairs (m, 2), i < j, and their distances (m,), nearest first."""
    if not distances.size:
        return np.empty((0, 2), int), np.empty(0)
    nearest = distances[:, 0]
    limit = NEAR * np.median(nearest[nearest > 0]) if (nearest > 0).any() else 0
    i, at = np.nonzero((distances <= limit) & (neighbours >= 0))
    both = np.sort(np.stack([i, neighbours[i, at]], 1), axis=1)
    pairs, first = np.unique(both, axis=0, return_index=True)
    return pairs, distances[i, at][first].astype("f8")


def group_near_duplicates(n: int, pairs: np.ndarray) -> np.ndarray:
    """Number groups (n,): a sample joins the first near duplicate it can.

    One that is nobody's follower. Such stars do not chain, and hold what one sample's neighbour list holds, or a slow
    drift of images would become one group."""
    group = np.arange(n)
    leads, follows = np.zeros(n, bool), np.zeros(n, bool)
    for i, j in pairs:
        if not follows[i] and not follows[j] and not leads[j]:
            group[j], leads[i], follows[j] = i, True, True
    return group


def measure_isolation(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure how far each sample lies from its neighbours.

    Returns the mean distance (n,), and its robust z-score (n,): far above the others is an outlier."""
    if not distances.size:
        return np.zeros(len(distances)), np.zeros(len(distances))
    mean = distances.mean(1)
    finite = mean[np.isfinite(mean)]
    middle = np.median(finite)
    spread = 1.4826 * np.median(abs(finite - middle))
    return mean, (mean - middle) / max(spread, 1e-9)

"""Find samples far from all others."""

from __future__ import annotations

import numpy as np

from assay.curation.features.neighbor_graph import measure_isolation
from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView

SPREAD = 4  # robust z-scores above the median distance to its neighbours
THRESHOLD = float(np.exp(-1))


def score_outliers(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score every node by its neighbours' mean distance.

    Returns (score, mean distance, robust z-score), each (n,). distances (n, k): of the graph. The score falls from 1,
    and is 1/e where z is 4.
    """
    mean, z = measure_isolation(distances)
    return np.exp(-np.maximum(z, 0) / SPREAD), mean, z


def find_outliers(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    score, mean, z = (of[scan.node] for of in score_outliers(scan.graph.distances))
    return scan.issues_below(
        kind,
        np.where(scan.is_open, score, np.nan),
        THRESHOLD if threshold is None else threshold,
        lambda i: (
            f"mean distance {mean[i]:.2f} to its nearest neighbours, "
            f"{z[i]:.1f} robust deviations above the median"
        ),
    )


FINDER = IssueFinder(
    {"outlier": Kind("far from every other sample", THRESHOLD)}, find_outliers, order=60
)

"""Lay images on a plane that keeps neighbours near."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from assay.curation.features.reduction import principal_axes

BLOCK = 1_000_000  # vectors at a time


def principal_components(V: np.ndarray) -> np.ndarray:
    """Project V (n, d), which may stay on disk, on two principal components.

    Returns (n, 2) float32, each scaled to spread 1."""
    parts = [slice(start, start + BLOCK) for start in range(0, len(V), BLOCK)]
    share = [len(V[part]) / len(V) for part in parts]
    mean = sum(np.asarray(V[part], "f4").mean(0) * of for part, of in zip(parts, share))
    centred = (np.asarray(V[part], "f4") - mean for part in parts)
    axes = principal_axes(centred, 2)[:, ::-1].astype("f4")
    xy = np.concatenate([(np.asarray(V[part], "f4") - mean) @ axes for part in parts])
    xy = np.pad(xy, ((0, 0), (0, 2 - xy.shape[1])))
    return xy / np.maximum(xy.std(0), 1e-12)


def place_beside_neighbours(
    xy: np.ndarray, neighbours: np.ndarray, distances: np.ndarray
) -> np.ndarray:
    """Place every NaN row of xy beside its neighbours.

    xy (n, 2); neighbours, distances (n, k). The mean of those that have a place, near ones weighing more;
    those without any such neighbour after ten rounds go to the middle. Rows that have a place keep it."""
    xy = xy.copy()
    for _ in range(10):
        lost = np.flatnonzero(np.isnan(xy[:, 0]))
        if not len(lost):
            return xy
        near = neighbours[lost]
        weight = np.where((near >= 0) & np.isfinite(xy[near, 0]), 1 / (distances[lost] + 1e-3), 0)
        found = weight.sum(1) > 0
        weight = weight[found] / weight[found].sum(1, keepdims=True)
        xy[lost[found]] = (weight[:, :, None] * np.nan_to_num(xy[near[found]])).sum(1)
    xy[np.isnan(xy[:, 0])] = np.nanmean(xy, axis=0)
    return xy


class EpochReader:
    """Reads how many epochs are done of what tqdm writes."""

    form = "{n_fmt}/{total_fmt}"

    def __init__(self, tell: Callable[[int, int], Any]) -> None:
        self.tell = tell

    def write(self, text: str) -> None:
        """Read the epochs done from what tqdm writes."""
        if found := re.search(r"(\d+)/(\d+)", text):
            self.tell(int(found[1]), int(found[2]))

    def flush(self) -> None:
        """Do nothing: `write` has read it all."""


def run_umap(
    neighbours: np.ndarray,
    distances: np.ndarray,
    start: np.ndarray,
    tell: Callable[[int, int], Any] | None = None,
) -> np.ndarray:
    """Draw places (n, 2) by UMAP from neighbour lists (n, k).

    tell: hears (epochs done, of how many).

    start (n, 2): where everyone is now, so that a map drawn anew looks like the one before. [McInnes, Healy and
    Melville 2018, arXiv:1802.03426]"""
    n = len(neighbours)
    # each is its own first neighbour
    rows = np.c_[np.arange(n), neighbours].astype("i4")
    away = np.c_[np.zeros(n), distances].astype("f4")
    with warnings.catch_warnings():
        # on seeds and threads, and that it cannot place new images: place_beside_neighbours does
        warnings.simplefilter("ignore")
        from umap import UMAP

        fit = UMAP(
            n_neighbors=rows.shape[1],
            precomputed_knn=(rows, away, None),
            init=10 * (start - start.min(0)) / np.maximum(np.ptp(start, axis=0), 1e-9),
            random_state=0,
            verbose=tell is not None,
            tqdm_kwds=tell and dict(file=EpochReader(tell), bar_format=EpochReader.form),
        )
        # it asks for vectors, and looks at the lists alone
        drawn = fit.fit_transform(np.arange(2.0 * n, dtype="f4").reshape(n, 2))
    return drawn.astype("f4")

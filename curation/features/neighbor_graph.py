"""The last scan's neighbour graph: which images are alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import NotScanned
from assay.curation.features import knn, reduction
from assay.curation.features.scan_settings import read_settings
from assay.curation.storage.arrays import (
    file_stamp,
    load_arrays,
    locate_hashes,
    map_array,
    save_arrays,
)
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Graph:
    """The neighbour graph, one node for each different image: arrays/graph.npz."""

    key: str  # says of which images, by which embedding
    hashes: np.ndarray  # (n,) S32, sorted
    neighbours: np.ndarray  # (n, k) nodes, nearest first; -1 where there are fewer
    distances: np.ndarray  # (n, k) of unit vectors, ascending; inf where there are fewer
    pairs: np.ndarray  # (m, 2) near duplicates
    gaps: np.ndarray  # (m,) their distances
    groups: np.ndarray  # (n,) near duplicates share a number
    close: np.ndarray  # (c, 2) pairs whose pixels were compared
    alike: np.ndarray  # (c,) how alike these are, up to 1
    limit: float  # from which on two are near duplicates

    @classmethod
    def load(cls, path: Path) -> Graph | None:
        """Read a graph; None where there is no file.

        An older one compared no pixels of other pairs.
        """
        kept = load_arrays(path)
        if kept is None:
            return None
        if "close" not in kept:
            kept |= dict(close=kept["pairs"], alike=1 - kept["gaps"], limit=-1)
        names = cls.__dataclass_fields__
        found = {name: array for name, array in kept.items() if name in names}
        return cls(**found | dict(key=str(kept["key"]), limit=float(kept["limit"])))

    def save(self, path: Path) -> None:
        save_arrays(path, **vars(self) | dict(key=np.array(self.key), limit=np.array(self.limit)))


def load_key(bench: Bench) -> str | None:
    """Read the graph's key alone: the rest is large."""
    kept = load_arrays(bench.arrays / "graph.npz", ["key"])
    return kept and str(kept["key"])


def load_nodes(bench: Bench, state: pd.DataFrame) -> tuple[Graph, np.ndarray]:
    """Read the graph, and each sample's node (n,) in it.

    Equal images share one. What was asked for last is remembered: nobody writes into it. UserError where images are
    not scanned.
    """
    made = file_stamp(bench.arrays / "graph.npz")
    last = bench.nodes  # which another thread may replace meanwhile
    if last and last[0] == made and state.index.is_(last[1]):
        return last[2:]
    graph = Graph.load(bench.arrays / "graph.npz")
    if graph is None:
        raise NotScanned(
            "expected the neighbours of every image, found none",
            f"run: assay scan -b {bench.given}",
        )
    node = locate_hashes(graph.hashes, state.content_hash)
    if (node < 0).any():
        raise NotScanned(
            "expected every image scanned, found some imported since",
            f"run: assay scan -b {bench.given}",
        )
    bench.nodes = made, state.index, graph, node
    return graph, node


def load_vectors(bench: Bench, graph: Graph) -> np.ndarray:
    """Read the unit vectors of the graph's nodes: (n, <=128).

    As the graph compared them. They are those that the scan kept, in half precision and mapped from their file; of a
    small bench made anew, in single.
    """
    file = bench.arrays / "lists.npz"
    kept = load_arrays(file, ["of", "hashes"])
    if kept is not None and knn.graph_key(str(kept["of"]), kept["hashes"]) == graph.key:
        return map_array(file, "vectors")
    return reduction.reduce_vectors(
        Shards(bench.arrays / "embeddings" / read_settings(bench)["folder"]).rows(graph.hashes)
    )


# ---- labelled neighbours as evidence


def labelled_rows(state: pd.DataFrame) -> np.ndarray:
    """Mark the rows (n,) whose labels may be shown as evidence.

    Kept and labelled ones of train and val, never of test or guard.
    """
    return (state.keep & state.split.isin(("train", "val")) & state.label.notna()).to_numpy()


def rows_on_nodes(graph: Graph, node: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Find the row of a usable sample on each node: (nodes,).

    Of copies the first, -1 where there is none. node (n,): of each row; usable (n,) bool.
    """
    rows = np.full(len(graph.hashes), -1)
    rows[node[usable][::-1]] = np.flatnonzero(usable)[::-1]
    return rows


def neighbour_rows(graph: Graph, nodes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Find the rows (m, k) of the samples nearest to `nodes` (m,).

    Nearest first; -1 for none. rows: as rows_on_nodes. The label of a neighbour is that of its row.
    """
    near = graph.neighbours[nodes]
    return np.where(near >= 0, rows[near], -1)


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

"""Build the neighbour graph of a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import graph_updates, knn, neighbor_lists
from assay.curation.features.neighbor_graph import Graph
from assay.curation.media.base import media_type
from assay.curation.storage.arrays import load_arrays, locate_hashes, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Rows, Shards

if TYPE_CHECKING:
    import pandas as pd

GRAPH = "graph 2"  # counted up when the same images would get another graph


def build_graph(bench: Bench, state: pd.DataFrame, folder: str) -> Graph:
    """Build the graph of the bench's images, or load it.

    arrays/graph.npz is taken where it is of these images and this embedding (`folder`). arrays/lists.npz holds what an
    extension needs, and is taken where it is of most of them.
    """
    hashes = np.unique(np.asarray(state.content_hash, "S32"))
    key = knn.graph_key(f"{GRAPH} {folder}", hashes)
    graph = Graph.load(bench.arrays / "graph.npz")
    if graph is not None and graph.key == key:
        return graph
    X = Shards(bench.arrays / "embeddings" / folder).rows(hashes)
    made = build_neighbor_lists(bench, hashes, X, f"{GRAPH} {folder}")
    near, far = made.neighbours, made.distances
    pairs, gaps = neighbor_lists.find_close_pairs(near, far)
    alike, limit = media_type().similarity(Shards(bench.arrays / "pixels"), hashes, pairs, near)
    twin = alike >= limit
    graph = Graph(
        key=key,
        hashes=hashes,
        neighbours=near.astype("i4"),
        distances=far.astype("f4"),
        pairs=pairs[twin],
        gaps=gaps[twin],
        groups=neighbor_lists.group_near_duplicates(len(hashes), pairs[twin]),
        close=pairs.astype("i4"),
        alike=alike,
        limit=float(limit),
    )
    graph.save(bench.arrays / "graph.npz")
    return graph


def build_neighbor_lists(bench: Bench, hashes: np.ndarray, X: Rows, of: str) -> knn.NeighborLists:
    """Build the neighbour lists of X, whose rows are the images `hashes`.

    They are extended from those that arrays/lists.npz holds `of` the same, if that can be.
    """
    file, made = bench.arrays / "lists.npz", None
    kept = load_arrays(file)
    if kept is not None and str(kept["of"]) == of:
        was = locate_hashes(kept["hashes"], hashes)
        lists = knn.NeighborLists.from_arrays(kept)
        if graph_updates.can_extend(lists, was):
            made = graph_updates.extend_graph(lists, X, was)
    made = made or knn.build_graph(X)
    if len(hashes) > knn.EXACT:  # a small one is as soon built as read
        save_arrays(file, **(vars(made) | dict(of=np.array(of), hashes=hashes)))
    return made

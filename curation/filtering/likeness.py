"""Score how much every sample looks like given ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph, reduction
from assay.curation.features.scan_settings import read_settings
from assay.curation.selection.similarity import (
    fit_discriminant,
    mean_and_covariance,
    resolve_seeds,
)
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 65_536  # rows at a time
Embed = Callable[[bytes], np.ndarray]  # a picture's bytes to a vector (d,) of the last scan


def score_likeness(
    bench: Bench, state: pd.DataFrame, like: Sequence[str | bytes], embed: Embed | None = None
) -> np.ndarray:
    """Score how alike all samples (n,) are to given ones.

    1 is as these are on average, 0 as all are. like: ids or keys, or bytes of pictures, which `embed` makes vectors of.
    As similarity.score_similarity does, of every sample. UserError for test and guard samples, and before a scan.
    """
    graph, node = neighbor_graph.load_nodes(bench, state)
    vectors = neighbor_graph.load_vectors(bench, graph)
    chosen = find_vectors(bench, state, like, vectors, node, graph, embed)
    mean, covariance = mean_and_covariance(vectors)
    w = fit_discriminant(mean, covariance, chosen)
    one = max((chosen.mean(0, dtype="f8") - mean) @ w, 1e-12)
    scores = np.empty(len(vectors))
    for i in range(0, len(vectors), BLOCK):  # in half precision, which is slow to multiply
        scores[i : i + BLOCK] = vectors[i : i + BLOCK].astype("f4") @ w.astype("f4")
    return ((scores - mean @ w) / one)[node]


def find_vectors(
    bench: Bench,
    state: pd.DataFrame,
    like: Sequence[str | bytes],
    vectors: np.ndarray,
    node: np.ndarray,
    graph: neighbor_graph.Graph,
    embed: Embed | None,
) -> np.ndarray:
    """Find the unit vectors (s, p) of what is looked for."""
    pictures = [picture for picture in like if isinstance(picture, bytes)]
    named = [name for name in like if not isinstance(name, bytes)]
    out = []
    if named:
        seeds = resolve_seeds(bench, named, state)
        out.append(vectors[node[state.index.get_indexer(seeds)]].astype("f4"))
    if pictures:
        if embed is None:
            raise UserError("expected samples to look for, found a picture", "give an id or a key")
        X = np.stack([embed(picture) for picture in pictures])
        mean, axes = load_basis(bench, graph)
        out.append(reduction.project_vectors(X, mean, axes))
    return np.concatenate(out)


def load_basis(bench: Bench, graph: neighbor_graph.Graph) -> tuple[np.ndarray, np.ndarray]:
    """Read the basis (d,), (d, p) of the graph's vectors.

    Of a small bench it is made anew.
    """
    kept = load_arrays(bench.arrays / "lists.npz", ["hashes", "mean", "axes"])
    if kept is not None and np.array_equal(kept["hashes"], graph.hashes):
        return kept["mean"], kept["axes"]
    folder = read_settings(bench)["folder"]
    basis = reduction.fit_basis(Shards(bench.arrays / "embeddings" / folder).rows(graph.hashes))
    return basis.mean, basis.axes

"""Score how much every sample looks like given ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.selection.similarity import (
    fit_discriminant,
    mean_and_covariance,
    resolve_seeds,
)
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 65_536  # rows at a time


def score_likeness(bench: Bench, state: pd.DataFrame, like: Sequence[str]) -> np.ndarray:
    """Score all samples (n,): 1 as the given ones are on average, 0 as all are.

    like: ids or keys. As similarity.score_similarity does, of every sample. UserError for test and guard samples, and
    before a scan.
    """
    seeds = resolve_seeds(bench, list(like), state)
    graph, node = neighbor_graph.load_nodes(bench, state)
    vectors = neighbor_graph.load_vectors(bench, graph)
    mean, covariance = mean_and_covariance(vectors)
    chosen = vectors[node[state.index.get_indexer(seeds)]].astype("f4")
    w = fit_discriminant(mean, covariance, chosen)
    one = max((chosen.mean(0, dtype="f8") - mean) @ w, 1e-12)
    scores = np.empty(len(vectors))
    for i in range(0, len(vectors), BLOCK):  # in half precision, which is slow to multiply
        scores[i : i + BLOCK] = vectors[i : i + BLOCK].astype("f4") @ w.astype("f4")
    return ((scores - mean @ w) / one)[node]

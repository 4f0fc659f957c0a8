"""Say in words why a label is doubted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.label_quality.scoring import class_indices
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd


def explain_labels(bench: Bench, state: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Say in a sentence why each label is doubted.

    rows: of a frame as score_labels makes it. The sentence says what the model says without having seen the sample,
    and what its nearest neighbours are labelled.
    """
    if not len(rows):
        return []
    import pandas as pd

    graph, node = neighbor_graph.load_nodes(bench, state)
    usable = neighbor_graph.labelled_rows(state)
    asked = node[state.index.get_indexer(rows.index)]
    near = neighbor_graph.neighbour_rows(
        graph, asked, neighbor_graph.rows_on_nodes(graph, node, usable)
    )
    codes, names = np.full(len(state), -1), []
    codes[usable], names = pd.factorize(state.label.to_numpy()[usable], sort=True)
    labels = np.where(near >= 0, codes[near], -1)  # (m, k) of the neighbours
    suggested = class_indices(rows.suggestion, names)
    same = (labels == np.where(suggested < 0, -2, suggested)[:, None]).sum(1)
    total = (near >= 0).sum(1)
    return [
        f"{p:.0%} {s} out of sample, {q:.0%} {g}; {a} of {n} nearest neighbours labelled {s}"
        if s != g
        else f"{p:.0%} {s} out of sample, as labelled; {a} of {n} nearest neighbours labelled {s}"
        for p, s, q, g, a, n in zip(
            rows.confidence, rows.suggestion, rows.score, rows.label, same, total
        )
    ]

"""Ask boosted trees for a second opinion on the labels of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.neighbor_graph import Graph, load_nodes
from assay.curation.label_quality import scoring
from assay.curation.storage.interface import Bench, Tell
from assay.curation.text import format_count
from assay.pipelines.embedders.columns import load_cells
from assay.pipelines.indexing.network import is_kept, key_of, store_opinion
from assay.pipelines.training.data import TrainingData
from assay.pipelines.training.out_of_fold import predict_out_of_fold

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 3


def ask_boosting(bench: Bench, state: pd.DataFrame, graph: Graph, say: Tell) -> None:
    """Predict rows by trees that did not see them or their copies, and keep it in arrays/second.npz."""
    part = scoring.without_locked(state)
    classes, y = scoring.find_targets(part)
    rows, val = np.flatnonzero(y >= 0), np.flatnonzero((part["split"] == "val").to_numpy())
    if len(classes) < 2:
        raise UserError(
            f"expected at least two classes among the train rows, found {len(classes)}",
            "label rows first",
        )
    X = load_cells(bench, part.content_hash)
    key = key_of(["boosting 1", FOLDS, X.shape[1]], part, y, rows, val)
    if is_kept(bench, key):
        return say("boosting    out-of-fold probabilities are there already")
    _, at = load_nodes(bench, part)
    data = TrainingData(X[rows], y[rows], len(classes), graph.groups[at][rows])
    probs = predict_out_of_fold("boosting", data, 0, FOLDS, also=X[val])
    store_opinion(bench, key, classes, part, y, rows, val, probs)
    say(
        f"boosting    {FOLDS} folds of boosted trees on {format_count(len(rows), 'row')} judge beside the probe"
    )

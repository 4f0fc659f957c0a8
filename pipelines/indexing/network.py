"""Train a network for second opinions on labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.neighbor_graph import Graph, load_nodes
from assay.curation.label_quality import scoring
from assay.curation.media.pixels import Pixels, training_side
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench, Progress, Tell
from assay.curation.storage.shards import Shards
from assay.curation.storage.top_probs import DENSE
from assay.curation.system.processes import ChildLost
from assay.curation.text import format_count
from assay.pipelines.jobs import isolated

if TYPE_CHECKING:
    import pandas as pd


FOLDS = 3


def train_second_opinion(
    bench: Bench, say: Tell, progress: Progress | None, patience: float
) -> None:
    """Train the network, in a process of its own.

    Where that fails, the probe judges alone, and that is said.
    """
    try:
        return isolated.run_isolated(network_in_child, bench, {}, patience, say, progress)
    except ChildLost as e:
        why = f"its process {e}"
    except UserError as e:
        why = e.problem
    (bench.arrays / "second.npz").unlink(missing_ok=True)  # of another time
    say(f"network     there is no second opinion: {why}; the probe judges alone")


def network_in_child(bench: Bench, tell: Callable) -> None:
    """Train the network, in the child process of `train_second_opinion`."""
    graph = Graph.load(bench.arrays / "graph.npz")
    train_network(
        bench,
        bench.state(),
        graph,
        lambda line: tell(line=line),
        lambda *step: tell(step=step),
    )


def train_network(
    bench: Bench,
    state: pd.DataFrame,
    graph: Graph,
    say: Tell,
    progress: Callable[[float, str], None] | None,
) -> None:
    """Train a network, and keep its out-of-fold probabilities.

    They are kept in arrays/second.npz by what they were trained on: a second opinion beside the probe.
    """
    from assay.pipelines.training.data import TrainingData
    from assay.pipelines.training.out_of_fold import predict_out_of_fold
    from assay.pipelines.training.train import estimate_seconds

    part = scoring.without_locked(state)
    classes, y = scoring.find_targets(part)
    rows, val = np.flatnonzero(y >= 0), np.flatnonzero((part["split"] == "val").to_numpy())
    if (len(rows) + len(val)) * len(classes) > DENSE:
        raise UserError(
            f"expected at most {DENSE:,} probabilities of it, found {format_count(len(classes), 'class')}"
            f" for {format_count(len(rows) + len(val), 'image')}",
            "--effort 2 is the most for them",
        )
    _, at = load_nodes(bench, part)
    key = key_of(["network 3", FOLDS], part, y, rows, val)
    if is_kept(bench, key):
        return say("network     out-of-fold probabilities are there already")
    X = Pixels(Shards(bench.arrays / "pixels"), part.content_hash, training_side(bench, part))
    n = len(rows) * (FOLDS - 1) // FOLDS
    seconds = FOLDS * estimate_seconds("cnn", n, X.shape[1:], len(classes))
    say(
        f"network     {FOLDS} folds of a small convolutional net on {format_count(len(rows), 'image')}:"
        f" expect about {seconds / 60:.1f} minutes here"
    )
    data = TrainingData(X.take(rows), y[rows], len(classes), graph.groups[at][rows])
    probs = predict_out_of_fold("cnn", data, 0, FOLDS, progress=progress, also=X.take(val))
    store_opinion(bench, key, classes, part, y, rows, val, probs)


def key_of(made: list, part: pd.DataFrame, y: np.ndarray, rows: np.ndarray, val: np.ndarray) -> str:
    """Name a second opinion by what it was trained on and predicts.

    made: by what. y (n,): class indices; rows and val: the numbers of those it learns and only predicts.
    """
    made = [*made, list(part.index[rows]), y[rows].tolist(), list(part.index[val])]
    return sha256(json.dumps(made).encode()).hexdigest()


def is_kept(bench: Bench, key: str) -> bool:
    """Whether the second opinion of this key is kept."""
    kept = load_arrays(bench.arrays / "second.npz")
    return kept is not None and str(kept.get("key", "")) == key


def store_opinion(
    bench: Bench,
    key: str,
    classes: list[str],
    part: pd.DataFrame,
    y: np.ndarray,
    rows: np.ndarray,
    val: np.ndarray,
    probs: np.ndarray,
) -> None:
    """Keep a second opinion: see key_of; probs (rows and then val, k)."""
    save_arrays(
        bench.arrays / "second.npz",
        key=np.array(key),
        classes=np.array(json.dumps(classes)),
        ids=np.asarray(part.index[np.r_[rows, val]], "S32"),
        labels=np.r_[y[rows], np.full(len(val), -1)],  # it was trained on; -1: it was not
        probs=probs,
    )

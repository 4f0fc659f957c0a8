"""A trained network's second opinion on the labels."""

import json
from hashlib import sha256

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.label_quality import scoring
from assay.curation.media.pixels import Pixels, side_of
from assay.curation.storage.arrays import Shards, load, save
from assay.curation.system.processes import Lost
from assay.pipelines.jobs import isolated

FOLDS, SEEDS = (
    {2: 3, 3: 5},
    {2: 1, 3: 3},
)  # of the trained network that effort 2 and 3 add; seeds are averaged


def second_opinion(bench, effort, say, progress, patience):
    """Train the network of `effort`, in a process of its own; where that fails, the probe judges alone, and that is said."""
    try:
        return isolated.do(network_apart, bench, dict(effort=effort), patience, say, progress)
    except Lost as e:
        why = f"its process {e}"
    except UserError as e:
        why = e.problem
    (bench.arrays / "second.npz").unlink(missing_ok=True)  # of another time
    say(f"network     there is no second opinion: {why}; the probe judges alone")


def network_apart(bench, tell, effort):
    """The part of `second_opinion` that has a process of its own."""
    graph = load(bench.arrays / "graph.npz")
    network(
        bench,
        bench.state(),
        graph,
        effort,
        lambda line: tell(line=line),
        lambda *step: tell(step=step),
    )


def network(bench, state, graph, effort, say, progress):
    """Out-of-fold probabilities of a trained network, kept by what they were trained on: a second opinion beside the probe."""
    from assay.pipelines.training import train

    part = scoring.judged(state)
    classes, y = scoring.targets(part)
    rows, val = np.flatnonzero(y >= 0), np.flatnonzero((part["split"] == "val").to_numpy())
    _, at = neighbor_graph.nodes(bench, part)
    folds, seeds = FOLDS[effort], SEEDS[effort]
    made = [
        "network 2",
        folds,
        seeds,
        list(part.index[rows]),
        y[rows].tolist(),
        list(part.index[val]),
    ]
    key = sha256(json.dumps(made).encode()).hexdigest()
    kept = load(bench.arrays / "second.npz")
    if kept is not None and str(kept.get("key", "")) == key:
        return say("network     out-of-fold probabilities are there already")
    X = Pixels(Shards(bench.arrays / "pixels"), part.content_hash, side_of(bench, part))
    seconds = (
        seeds
        * folds
        * train.cost("cnn", len(rows) * (folds - 1) // folds, X.shape[1:], len(classes))
    )
    times = f"{folds} folds" + (f" by {seeds} seeds, averaged," if seeds > 1 else "")
    say(
        f"network     {times} of a small convolutional net on {len(rows):,} images: expect about {seconds / 60:.1f} minutes here"
    )
    probs, groups = 0, graph["groups"][at][rows]
    for seed in range(seeds):
        tell = progress and (lambda done, text, seed=seed: progress((seed + done) / seeds, text))
        said = train.out_of_fold(
            "cnn",
            X.take(rows),
            y[rows],
            groups,
            len(classes),
            seed,
            folds,
            progress=tell,
            also=X.take(val),
        )
        probs = probs + said / seeds
    save(
        bench.arrays / "second.npz",
        key=np.array(key),
        classes=np.array(json.dumps(classes)),
        ids=np.asarray(part.index[np.r_[rows, val]], "S32"),
        labels=np.r_[
            y[rows], np.full(len(val), -1)
        ],  # what it was trained on, -1 for what it was not
        probs=probs,
    )

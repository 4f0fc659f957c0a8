"""What a key press costs in the review session of a large bench.

python -m tests.benchmarks.live_effect make FOLDER N     a bench of N samples, as of states, with vectors and a probe
python -m tests.benchmarks.live_effect FOLDER            a session: its first look, and after edits
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.app.server.review_session import ReviewSession
from assay.curation.label_quality.calibration import straight
from assay.curation.label_quality.partitioned_scores import find_free
from assay.curation.label_quality.score_files import StoredProbe
from assay.curation.storage.arrays import save_arrays
from assay.curation.storage.shards import Shards
from assay.curation.versioning.state_building import open_state
from assay.curation.versioning.state_rows import read_fixed
from tests.benchmarks import states
from tests.benchmarks.states import as_bytes, clock

D, K = 128, 10
NAME = "0123456789abcdef"


def make(path, n):
    """Make the bench, and of each part of its state the vectors, and what a probe sums."""
    from assay.curation.label_quality.probe import Probe

    states.make(path, n)
    bench = assay.open(path)
    scan = states.SCAN | dict(folder="made", effort=1)
    bench.rows("update meta set value = ? where key = 'scan'", [json.dumps(scan)])
    shards, state = Shards(bench.arrays / "embeddings" / "made"), open_state(bench)
    means = np.random.default_rng(1).normal(size=(K, D)).astype("f4")
    names = [f"class{k}" for k in range(K)]
    probe = Probe(np.zeros(D), np.ones(D), K)
    gram, probe.XtY, labels, hashes = np.zeros((D + 1, D + 1)), np.zeros((D + 1, K)), [], []

    def make_rows(first, size):
        rng = np.random.default_rng(first)
        truth = (first + np.arange(size)) % K  # the class as it was imported
        return means[truth] * 0.4 + rng.normal(size=(size, D)).astype("f4")

    with clock("vectors"):
        for number, (first, free) in enumerate(find_free(state)):
            part = state.load(number)
            with bench.connect() as con:
                rows = first + np.arange(len(part))
                found = as_bytes(read_fixed(con, rows, 0, ["content_hash"])["content_hash"])
            X = make_rows(first, len(part))
            shards.append(found, X)
            y = np.array([names.index(v) for v in part.take("label")])
            y[~(part.isin("split", ("train",)) & part.flags["keep"])] = -1
            labels.append(y[free])
            hashes.append(first)
            Z = probe.standardize(X[y >= 0])
            gram += Z.T @ Z
            probe.XtY += probe.sum_targets(Z, y[y >= 0])
    probe.lam = 1e-3 * np.trace(gram) / D
    probe.inverse = np.linalg.inv(gram + probe.lam * np.eye(D + 1))
    probe.y = np.concatenate(labels)
    probe.groups = np.arange(len(probe.y))
    probe.knots, probe.heights = straight()
    probe.stretch, probe.vote = np.full(K, 6.0), np.float64(0.2)
    h = []
    for first, (_, free) in zip(hashes, find_free(state)):
        Z = probe.standardize(make_rows(first, state.load(first // state.each).codes["label"].size))
        h.append(np.einsum("ij,ij->i", Z @ probe.inverse, Z)[free])
    probe.h = np.concatenate(h)
    probe.count_groups()
    ids = np.empty(0, "S32")
    StoredProbe("made", ids, names, probe, np.full(K, 0.5)).save(bench)
    kept = dict(np.load(bench.arrays / "graph.npz"))
    save_arrays(bench.arrays / "graph.npz", **kept | dict(groups=np.arange(len(kept["hashes"]))))


def sit(path):
    """Sit at a session: its first look, then decisions on what the queue shows, and elsewhere."""
    bench = assay.open(path)
    session = ReviewSession(bench)
    with clock("open the state"):
        open_state(bench)
    with clock("the first look"):
        session.rescore()
    with clock("the live effect, first"):
        print(
            "   ",
            {
                k: v
                for k, v in session.live_effect(NAME, patience=0).items()
                if k in ("n", "n_of", "gain", "rests_on", "doubted")
            },
        )
    rows = session.next_rows(NAME)
    state = session.state
    elsewhere = state.index[session.judged.excerpt.drawn & ~session.judged.excerpt.named]
    for what, samples in (
        ("a label of the queue", [rows[0]["sample"]]),
        ("another", [rows[1]["sample"]]),
        ("20 labels at once", [row["sample"] for row in rows[2:22]]),
        ("a drop", [rows[23]["sample"]]),
        ("a val label that was drawn", list(elsewhere[:1])),
        ("one more of the queue", [rows[24]["sample"]]),
    ):
        cells = [
            dict(sample=s, keep="false") if what == "a drop" else dict(sample=s, label="class3")
            for s in samples
        ]
        with clock(f"edit: {what}"):
            bench.edit(pd.DataFrame(cells), "ann")
        with clock(f"judge anew: {what}"):
            session.rescore()
        began = time.perf_counter()
        live = session.live_effect(NAME, patience=0)
        print(
            f"    live effect {time.perf_counter() - began:.2f} s: {live['n']:,} of {live['n_of']:,}, {live['gain']}"
        )
    with clock("40 rows of the queue, described"):
        session.next_rows("f" * 16)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), int(float(sys.argv[3])))
    else:
        sit(sys.argv[1])

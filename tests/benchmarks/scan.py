"""CIFAR-10N, 60,000 images: from Parquet to a ranked queue, and how well the queue finds the known human label errors.

Yardstick for average precision, from the same features: scikit-learn's 5-fold logistic regression, on `aggre`."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import assay
from assay.curation.features import scan_settings
from assay.curation.formats.base import ImportOptions
from assay.curation.label_quality import scoring
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.shards import Shards
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import scan
from tests.benchmarks.tools import clock, need, peak


def average_precision(bench, truth, found):
    from sklearn.metrics import average_precision_score

    score = found.score.reindex(truth.index)
    labels = bench.state().label[truth.index]
    return average_precision_score(labels != truth, -score.fillna(1))


def label_set(source, label, work, shared, name=None):
    """A bench of one label set that shares pixels and embeddings with the first."""
    bench = assay.create(work / (name or label))
    if shared is not None:
        bench.arrays.mkdir()
        for part in ("pixels", "embeddings"):
            shutil.copytree(shared.arrays / part, bench.arrays / part, copy_function=os.link)
    ingest(bench, source, "benchmark", ImportOptions(columns=dict(label=label)))
    return bench


def main(folds=5):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import cross_val_predict

    source, work = need("cifar10n.parquet"), Path(tempfile.mkdtemp())
    floors, first = dict(aggre=0.57, rand1=0.76, worst=0.89), None
    for name, floor in floors.items():
        if first is None:
            with clock("import + scan at effort 1, Parquet to ranked queue (limit 180 s, 3 GB)"):
                with clock("  import 60,000 images"):
                    bench = label_set(source, name, work, None)
                with clock("  scan"):
                    found = scan(bench, say=lambda line: print("   ", line, flush=True))
                with clock("  queue"):
                    bench.queue(200)
            first = bench
        else:
            bench = label_set(source, name, work, first)
            found = scan(bench, say=lambda line: None)
        state = bench.state()
        train = state[state["split"].isin(("train", "val"))]
        truth = train.meta.map(lambda m: json.loads(m)["true_label"])
        ap = average_precision(bench, truth, found)
        flagged = found.flagged.reindex(truth.index).fillna(False).to_numpy(bool)
        wrong = (train.label != truth).to_numpy()
        print(
            f"{name}: average precision {ap:.3f} (floor {floor}), {wrong.sum():,} wrong;", end=" "
        )
        print(
            f"{flagged.sum():,} flagged, precision {wrong[flagged].mean():.2f}, recall {flagged[wrong].mean():.2f}",
            flush=True,
        )

    bench = first
    part = scoring.without_locked(bench.state())
    sample = part.index[:1]
    import pandas as pd

    other = "cat" if part.label.iloc[0] != "cat" else "dog"
    with clock("edit one label, stored and everything re-scored and published"):
        bench.edit(pd.DataFrame(dict(sample=sample, label=[other])), "benchmark")
    X = Shards(bench.arrays / "embeddings" / scan_settings.read_settings(bench)["folder"]).rows(
        part.content_hash
    )
    X = X[np.arange(len(X))]
    X = (X - X.mean(0)) / X.std(0)
    truth = part.meta.map(lambda m: json.loads(m)["true_label"])
    labels = part.label.to_numpy(dtype=str)
    with clock(f"yardstick: scikit-learn logistic regression, {folds} folds, same features"):
        probs = cross_val_predict(
            LogisticRegression(C=0.01, max_iter=100), X, labels, cv=folds, method="predict_proba"
        )
    p = probs[np.arange(len(labels)), np.searchsorted(sorted(set(labels)), labels)]
    print(
        f"yardstick's average precision on aggre (with one label edited): {average_precision_score(labels != truth.to_numpy(dtype=str), -p):.3f}"
    )
    print(
        f"peak memory {peak():.2f} GB; opinion {load_arrays(bench.arrays / 'opinion.npz')['pred_probs'].shape}"
    )
    shutil.rmtree(work)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

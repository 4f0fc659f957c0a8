"""A person's own scikit-learn model: its threads, its folds, what is said meanwhile."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

from assay.pipelines.indexing.own_classifier import predict_by_classifier
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import bench_of, digits, silent

THREADS = []


class Watched(LogisticRegression):
    def fit(self, X, y):
        THREADS.extend(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")
        return super().fit(X, y)


def test_a_model_is_fitted_by_one_blas_thread_and_every_step_has_a_name(tmp_path):
    bench, steps, options = bench_of(digits(300), tmp_path), [], ScanOptions(embedder="pixels")

    def hear(*step):
        steps.append(step)

    probs = predict_by_classifier(bench, Watched(max_iter=20), options, silent, hear)
    assert set(THREADS) == {1}, "threads that spin against each other take minutes"
    folds = [step for step in steps if "model" in step[1]]
    assert folds[1] == (1 / 6, "model: fold 2 of 5") and len(folds) == 6
    assert np.allclose(probs.sum(axis=1), 1)
    scan(bench, options, say=silent, progress=hear)
    names = list(dict.fromkeys(words.split(":")[0] for _, words in steps))
    assert names == [
        "embedding", "model", "comparing images", "measuring image quality", "judging labels",
        "finding issues and gaps",
    ]  # fmt: skip

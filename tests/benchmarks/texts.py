"""How early wrong labels of news come (true labels are known), and how long 100,000 short texts take from Parquet to queue.

python -m tests.benchmarks.texts FOLDER [--efforts 0,1,2] [--embedders wordllama,tfidf] [--speed]. Scans see train alone;
logistic regression (5 folds, the better of C = 0.01 and 1) gets the same vectors of the same rows."""

import argparse
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality import live
from assay.curation.label_quality.kernel_columns import read_features
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.benchmarks.tools import need

NEWS = "noisyag_news.parquet"


def make_bench(folder, frame, **columns):
    """A new bench of a frame, which is written as Parquet first."""
    shutil.rmtree(folder, ignore_errors=True)
    file = folder.with_suffix(".parquet")
    frame.to_parquet(file)
    return assay.create(folder).add(file, progress=False, **columns)


def judge_with_others(X, y, wrong):
    """Average precision of 5-fold logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.preprocessing import scale

    found = []
    for C in (0.01, 1):
        model = LogisticRegression(C=C, max_iter=500)
        p = cross_val_predict(model, scale(X), y, cv=5, method="predict_proba")
        found.append(average_precision_score(wrong, -p[np.arange(len(y)), y]))
    return max(found)


def measure_detection(folder, efforts, embedders):
    from sklearn.metrics import average_precision_score

    news = pd.read_parquet(need(NEWS)).query("split == 'train'")
    news = news.assign(label=news.label.astype(str))
    bench = make_bench(folder / "news", news[["id", "text", "label", "split"]])
    truth = news.set_index("id").true_label.astype(str)
    for embedder in embedders:
        for effort in efforts:
            start = time.perf_counter()
            options = ScanOptions(effort, embedder, hold_out=False)
            scan(bench, options, say=lambda line: None)
            took = time.perf_counter() - start
            scores = live.label_scores(bench, "HEAD")
            keys = bench.state().key[scores.index]
            wrong = (truth[keys].to_numpy() != scores.label.to_numpy()).astype(bool)
            first = wrong[np.argsort(scores.score.to_numpy(), kind="stable")][:200].mean()
            ap = average_precision_score(wrong, -scores.score)
            print(
                f"{embedder:<10} effort {effort}  AP {ap:.3f}  first 200 {first:.2f}  {took:.1f} s",
                flush=True,
            )
        state = bench.state().loc[scores.index]
        X = np.asarray(
            read_features(bench, read_settings(bench) | dict(also=None), state.content_hash)
        )
        y = state.label.astype(int).to_numpy()
        print(f"{embedder:<10} logistic  AP {judge_with_others(X, y, wrong):.3f}", flush=True)


def measure_speed(folder):
    """Cut the words of news into 100,000 texts of 12 to 40 words, and run the loop."""
    rng = np.random.default_rng(0)
    news = pd.read_parquet(need(NEWS)).query("split == 'train'")
    words, labels = [text.split() for text in news.text], news.label.astype(str).tolist()
    drawn = rng.integers(len(words), size=100_000)
    cut = [" ".join(rng.permutation(words[i])[: rng.integers(12, 40)]) for i in drawn]
    start = time.perf_counter()
    bench = make_bench(
        folder / "short", pd.DataFrame(dict(text=cut, label=[labels[i] for i in drawn]))
    )
    said = []
    scan(bench, say=lambda line: said.append((time.perf_counter() - start, line)))
    bench.queue(200)
    for at, line in said:
        print(f"{at:6.1f} s  {line[:90]}")
    print(
        f"{time.perf_counter() - start:6.1f} s  from Parquet to queue, load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--efforts", default="0,1,2")
    parser.add_argument("--embedders", default="wordllama,tfidf")
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.speed:
        measure_speed(args.folder)
    else:
        efforts = [int(n) for n in args.efforts.split(",")]
        measure_detection(args.folder, efforts, args.embedders.split(","))

"""How early planted wrong labels of a table come: adult_income.csv, 10 % planted at random and where a weak model errs.

python -m tests.benchmarks.tables FOLDER [--rows N] [--kinds uniform,weak] [--datalab]. Beside Assay's scans stand
5-fold logistic regression on standardised and one-hot columns, cleanlab on 5-fold HistGradientBoosting, and Datalab."""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from assay.curation.label_quality import live
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.benchmarks.texts import make_bench
from tests.benchmarks.tools import need

SHARE = 0.1  # of the labels are planted wrong
CATEGORIES = ["workclass", "education", "marital-status", "occupation", "relationship", "race", "native-country"]  # fmt: skip


def read_adult(rows=None):
    table = pd.read_csv(need("adult_income.csv"), sep=";", skipinitialspace=True, na_values="?")
    return table.head(rows) if rows else table


def encode_plainly(table):
    """Standardised numbers beside one-hot categories, as most people begin."""
    numbers = table.drop(columns=CATEGORIES).apply(lambda c: (c - c.mean()) / c.std())
    return np.hstack([numbers, pd.get_dummies(table[CATEGORIES], dummy_na=True)]).astype("f4")


def plant_errors(y, X, kind):
    """Flip a tenth of binary labels y: drawn at random, or where a model of 200 rows is unsure or errs."""
    from sklearn.linear_model import LogisticRegression

    rng, n = np.random.default_rng(0), len(y)
    if kind == "uniform":
        rows = rng.permutation(n)[: round(n * SHARE)]
    else:
        few = rng.permutation(n)[:200]
        weak = LogisticRegression(max_iter=300).fit(X[few], y[few])
        right = weak.predict_proba(X)[np.arange(n), y]
        rows = np.argsort(right + 0.3 * rng.random(n))[: round(n * SHARE)]
    out = y.copy()
    out[rows] ^= 1
    return out


def judge(y, wrong, probs):
    from sklearn.metrics import average_precision_score

    return average_precision_score(wrong, -probs[np.arange(len(y)), y])


def predict(model, X, y):
    from sklearn.model_selection import cross_val_predict

    return cross_val_predict(model, X, y, cv=5, method="predict_proba")


def report(kind, what, ap, start):
    took, load = time.perf_counter() - start, os.getloadavg()[0]
    print(f"{kind:<8} {what:<34} AP {ap:.3f}  {took:6.1f} s  load {load:.1f}", flush=True)


def measure_others(kind, table, X, y, wrong, with_datalab):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    start = time.perf_counter()
    by_line = predict(LogisticRegression(max_iter=500), X, y)
    report(kind, "logistic regression, 5 folds", judge(y, wrong, by_line), start)
    start = time.perf_counter()
    as_categories = table.astype(dict.fromkeys(CATEGORIES, "category"))
    trees = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    by_trees = predict(trees, as_categories, y)
    report(kind, "cleanlab: boosting, 5 folds", judge(y, wrong, by_trees), start)
    if with_datalab:
        from cleanlab import Datalab

        lab = Datalab(dict(label=y), label_name="label", verbosity=0)
        lab.find_issues(pred_probs=by_trees, features=X)
        ap = judge_scores(wrong, lab.get_issues("label").label_score)
        report(kind, "Datalab: boosting, neighbours", ap, start)


def judge_scores(wrong, score):
    from sklearn.metrics import average_precision_score

    return average_precision_score(wrong, -score)


def measure_ours(kind, folder, table, y, truth, efforts):
    names = np.array(["<=50K", ">50K"])
    rows = table.assign(label=names[y], split="train")
    bench = make_bench(folder / kind, rows)
    for effort in efforts:
        start = time.perf_counter()
        scan(bench, ScanOptions(effort, hold_out=False), say=lambda line: None)
        scores = live.label_scores(bench, "HEAD")
        keys = bench.state().key[scores.index].astype(int).to_numpy()
        report(kind, f"Assay, effort {effort}", judge_scores(y[keys] != truth[keys], scores.score), start)  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--kinds", default="uniform,weak")
    parser.add_argument("--efforts", default="0,1,2")
    parser.add_argument("--datalab", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    table = read_adult(args.rows)
    truth = (table.pop("income") == ">50K").astype(int).to_numpy()
    X = encode_plainly(table)
    for kind in args.kinds.split(","):
        y = plant_errors(truth, X, kind)
        measure_ours(kind, args.folder, table, y, truth, [int(n) for n in args.efforts.split(",")])
        measure_others(kind, table, X, y, y != truth, args.datalab)

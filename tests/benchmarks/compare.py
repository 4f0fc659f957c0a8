"""Comparing two files of 1,000,000 predictions each, and how often the interval holds with several seeds.

The limit: reading three files (labels, and one of each model), matching by path, verdict, slices, audit list in 10 s.
The coverage: models whose trainings differ (a seed moves accuracy by a point or so), judged from files; the true
difference of the recipes must lie in 95 % of the intervals.

    python -m tests.benchmarks.compare [speed|coverage|order]
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.pipelines.comparison.ranking import rank_models

N, CLASSES, LIMIT = 1_000_000, 10, 10.0
STUDIES = 400


def write_predictions(folder):
    """Labels and two models' predictions, rows in three orders."""
    rng = np.random.default_rng(0)
    names = np.array([f"class {c}" for c in range(CLASSES)], object)
    truth = rng.integers(0, CLASSES, N)
    paths = np.array([f"images/{i % 100:02d}/{i:07d}.png" for i in range(N)], object)
    pd.DataFrame(dict(path=paths, label=names[truth])).to_csv(folder / "labels.csv", index=False)
    for name, accuracy in (("a", 0.900), ("b", 0.902)):
        said = np.where(rng.random(N) < accuracy, truth, rng.integers(0, CLASSES, N))
        frame = pd.DataFrame(dict(path=paths, label=names[said])).iloc[rng.permutation(N)]
        frame.to_csv(folder / f"{name}.csv", index=False)
        frame.to_parquet(folder / f"{name}.parquet", index=False)


def measure_speed():
    with tempfile.TemporaryDirectory() as folder:
        write_predictions(Path(folder))
        for ending in ("csv", "parquet"):
            a, b, labels = (f"{folder}/{f}" for f in (f"a.{ending}", f"b.{ending}", "labels.csv"))
            start = time.perf_counter()
            out = assay.compare(a, b, labels)
            seconds = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(
                f"{ending}: {seconds:.1f} s for 2 x {N:,} rows and {N:,} labels, limit {LIMIT:g} s, peak {peak:.1f} GB, "
                f"load {os.getloadavg()[0]:.1f}; {out['verdict']}"
            )
            assert seconds < LIMIT


def draw_study(rng, seeds, m, spread, effect):
    """Predictions of two recipes: (frames of a, frames of b, labels); both classes 0 and 1."""
    hard = rng.normal(0, 1.5, m)
    ids = np.arange(m).astype(str)
    out = []
    for shift in (0.0, effect):
        frames = []
        for _ in range(seeds):
            logit = 2.5 + shift + rng.normal(0, spread) + hard + rng.normal(0, 0.8, m)
            right = rng.random(m) < 1 / (1 + np.exp(-logit))
            frames.append(pd.DataFrame(dict(id=ids, label=np.where(right, "x", "y"))))
        out.append(frames)
    return *out, pd.DataFrame(dict(id=ids, label="x"))


def true_accuracy(spread, shift):
    rng = np.random.default_rng(7)
    logit = 2.5 + shift + rng.normal(0, (spread**2 + 1.5**2 + 0.8**2) ** 0.5, 4_000_000)
    return float((1 / (1 + np.exp(-logit))).mean())


def measure_coverage(studies=STUDIES):
    for seeds in (2, 3, 5):
        for spread, effect in ((0.1, 0.0), (0.5, 0.0), (0.5, 0.4)):
            truth = true_accuracy(spread, effect) - true_accuracy(spread, 0)
            rng = np.random.default_rng([seeds, int(10 * spread), int(10 * effect)])
            held = false = 0
            for _ in range(studies):
                a, b, labels = draw_study(rng, seeds, 600, spread, effect)
                out = assay.compare(a, b, labels)
                held += out["low"] <= truth <= out["high"]
                false += out["word"] != "no evidence either way"
            print(
                f"{seeds} seeds, spread {spread}, true difference {100 * truth:+.1f} points: interval holds in "
                f"{held} of {studies} ({held / studies:.1%}), a difference is said in {false}"
            )


def measure_order(studies=600):
    """How often an order of four equal models says that some two differ: at most 5 % are wanted."""
    for seeds in (1, 2, 3, 5):
        rng, false = np.random.default_rng(seeds), 0
        for _ in range(studies):
            hard = rng.normal(0, 1.5, 500)
            Y = {}
            for name in "abcd":
                shifts = rng.normal(0, 0.3 * (seeds > 1), (seeds, 1))
                Y[name] = 1.0 * (rng.random((seeds, 500)) < 1 / (1 + np.exp(-(2 + hard + shifts))))
            false += rank_models(Y)["shown"] > 0
        print(
            f"{seeds} seeds: of {studies} orders of 4 equal models, {false} ({false / studies:.1%}) part some"
        )


if __name__ == "__main__":
    which = sys.argv[1] if len(sys.argv) > 1 else ""
    if which in ("", "speed"):
        measure_speed()
    if which in ("", "coverage"):
        measure_coverage()
    if which in ("", "order"):
        measure_order()

"""5,600 classes and 500,000 short texts, long-tailed: from Parquet to the queue, and what it finds.

python -m tests.benchmarks.many_classes FOLDER [--samples 500000] [--classes 5600] [--effort 1]. Words are those of news;
each class has a few of its own and shares some with the next one, to which one wrong label in two goes."""

import argparse
import os
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.label_quality import live
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.benchmarks.tools import need

WRONG = 0.05  # of the labels
OWN, COMMON = 8, 300  # words of a class, and words of all


def make_texts(n, k, seed=0):
    """Write n texts of k classes, whose sizes fall as 1 / rank: frame text, label, truth."""
    rng = np.random.default_rng(seed)
    news = pd.read_parquet(need("noisyag_news.parquet")).text
    words = news.str.lower().str.findall(r"[a-z]{4,}").explode().value_counts()
    common, rare = words.index[:COMMON].to_numpy(), words.index[COMMON:20_000].to_numpy()
    own = rng.choice(len(rare), (k, OWN))
    own[:, 0] = np.roll(own[:, 1], 1)  # a word of the class before
    size = 1 / np.arange(1, k + 1) ** 0.8
    truth = np.r_[np.repeat(np.arange(k), 5), rng.choice(k, n - 5 * k, p=size / size.sum())]
    of_class = rare[own[truth[:, None], rng.integers(0, OWN, (n, 5))]]
    of_all = common[rng.integers(0, COMMON, (n, 5))]
    mixed = rng.permuted(np.hstack([of_class, of_all]), axis=1)
    label = np.where(rng.random(n) < 0.5, (truth + 1) % k, rng.integers(0, k, n))
    label = np.where(rng.random(n) < WRONG, label, truth)
    text = [" ".join(row) for row in mixed]
    name = np.array([f"topic {i:04d}" for i in range(k)])
    return pd.DataFrame(dict(text=text, label=name[label], truth=name[truth])).sample(
        frac=1, random_state=0, ignore_index=True
    )


def measure(folder, n, k, effort):
    from sklearn.metrics import average_precision_score

    frame = make_texts(n, k)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = folder / "texts.parquet"
    frame[["text", "label"]].assign(id=frame.index.astype(str)).to_parquet(file)
    start, said = time.perf_counter(), []

    def say(line):
        said.append(line)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{time.perf_counter() - start:6.1f} s  {peak:.1f} GB  {line[:90]}", flush=True)

    bench = assay.create(folder / "bench").add(file, progress=False)
    say("imported")
    scan(bench, ScanOptions(effort), say=say)
    bench.queue(200)
    say(f"queue; load {os.getloadavg()[0]:.1f}")
    scores = live.label_scores(bench, "HEAD")
    truth = frame.truth[bench.state().key[scores.index].astype(int)].to_numpy()
    wrong = truth != scores.label.to_numpy()
    first = wrong[np.argsort(scores.score.to_numpy(), kind="stable")][:1000].mean()
    flagged = scores.flagged.to_numpy(bool)
    print(
        f"AP {average_precision_score(wrong, -scores.score):.3f} (chance {wrong.mean():.3f}), first 1,000 {first:.2f}, "
        f"flagged {flagged.sum():,} of which wrong {wrong[flagged].mean():.2f}, {wrong[flagged].sum() / wrong.sum():.2f} of all"
    )
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e9
    print(f"{size:.1f} GB on disk")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=500_000)
    parser.add_argument("--classes", type=int, default=5600)
    parser.add_argument("--effort", type=int, default=1)
    args = parser.parse_args()
    measure(args.folder, args.samples, args.classes, args.effort)

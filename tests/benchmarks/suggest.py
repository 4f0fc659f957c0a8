"""What suggested labels are worth against as many random ones, on the test set, with a probe trained on both.

    python -m tests.benchmarks.suggest FOLDER [cifar|roman|solar] [--gap] [--seeds 10]

A seed draws who is labelled at the start and what is in the pool; all ways to choose get the same. With --gap, nine tenths of one of 40 clusters
of the embedding are missing from the start, and are in the pool, val and test: a planted gap. Beside random, the controls are pure
uncertainty (smallest margin), pure diversity (k-means++) and BADGE (Ash et al. 2020), which joins the two by k-means++ on gradients.
Labels are the true ones. Differences are paired: the same starting labels, the same test samples."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.features import reduction
from assay.curation.formats.base import ImportOptions
from assay.curation.label_quality import probe
from assay.curation.selection import active_learning
from assay.curation.statistics import contrasts
from assay.curation.storage.shards import Shards
from assay.pipelines.embedders.embed import embed_images
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.simulation.example_data import make_solar_cells
from tests.benchmarks.gain import markdown, share
from tests.benchmarks.tools import need

START = dict(cifar=1_000, roman=300, solar=300)
BUDGETS = dict(cifar=(100, 500, 2_000), roman=(50, 100, 500), solar=(50, 100, 500))
POOL, VAL = 20_000, 1_000  # at most


def data(folder, name):
    """(X (n, d), V (n, 128), y (n,), split (n,)) of a data set whose true labels are known."""
    bench = assay.create(folder / name)
    if not len(bench.state()):
        if name == "cifar":
            share(bench, folder.parent.glob("gain/*"))  # embeddings that are ready
            ingest(
                bench,
                need("cifar10n.parquet"),
                "benchmark",
                ImportOptions(columns=dict(label="true_label")),
            )
        elif name == "roman":
            ingest(
                bench,
                need("roman_numerals.parquet"),
                "benchmark",
                ImportOptions(
                    columns=dict(label="true_label"),
                    split_map=dict(test_hidden="test", label_book="pool"),
                ),
            )
        else:
            manifest, truth = make_solar_cells(folder / "cells")
            table = pd.read_csv(manifest)
            table.assign(label=table.id.map(truth)).to_csv(
                manifest.with_name("true.csv"), index=False
            )
            ingest(bench, manifest.with_name("true.csv"), "benchmark")
    state = bench.state()
    state = state[state.label.notna() & state["split"].isin(("train", "val", "test"))]
    model = embed_images(bench, state.content_hash, "lite0", None).folder
    X = np.asarray(Shards(bench.arrays / "embeddings" / model).rows(state.content_hash))
    return (
        X,
        reduction.reduce_vectors(X),
        np.unique(state.label, return_inverse=True)[1],
        state["split"].to_numpy(),
    )


# ---- ways to choose n of the pool: (vectors and probabilities of pool, train, val, n, generator) -> rows of the pool


def at_random(pool, train, val, n, rng):
    return rng.choice(len(pool[0]), n, False)


def uncertain(pool, train, val, n, rng):
    best = np.sort(pool[1], 1)
    return np.argsort(best[:, -1] - best[:, -2], kind="stable")[:n]


def diverse(pool, train, val, n, rng):
    return plus_plus(lambda i: 2 - 2 * pool[0] @ pool[0][i], np.full(len(pool[0]), 2.0), n, rng)


def badge(pool, train, val, n, rng):
    V, G = pool[0], pool[1].copy()
    G[np.arange(len(G)), G.argmax(1)] -= 1
    size = (G**2).sum(1)
    return plus_plus(lambda i: size + size[i] - 2 * (G @ G[i]) * (V @ V[i]), size, n, rng)


def plus_plus(distance, d, n, rng):
    """k-means++: each next one drawn in proportion to the squared distance to the nearest chosen. distance(i) -> (m,)."""
    chosen = []
    for _ in range(n):
        chosen.append(int(rng.choice(len(d), p=d / d.sum())))
        d = np.minimum(d, np.maximum(distance(chosen[-1]), 0))
        d[chosen] = 0
    return np.array(chosen)


def suggested(pool, train, val, n, rng):
    return active_learning.choose_samples(
        *((V, 1 - (P**2).sum(1)) for V, P in (pool, train, val)), n
    )[0]


WAYS = dict(
    random=at_random, uncertainty=uncertain, diversity=diverse, BADGE=badge, suggest=suggested
)


# ---- the comparison


def once(X, V, y, split, start, budgets, gap, seed):
    """One seed: {(way, budget): hits (m,)} on the test set and {(way, budget): how many of the choice are of the gap}; the start is (start, 0)."""
    rng, k = np.random.default_rng(seed), y.max() + 1
    train, val, test = (
        rng.permutation(np.flatnonzero(split == s)) for s in ("train", "val", "test")
    )
    thin = missing(V, train, seed, rng) if gap else np.zeros(len(V), bool)
    first = train[~thin[train] | (rng.random(len(train)) < 0.1)][:start]
    pool, val = rng.permutation(np.setdiff1d(train, first))[:POOL], val[:VAL]

    def fit(rows):
        return probe.fit(X[rows], y[rows], np.arange(len(rows)), k)

    before = fit(first)
    told = [
        (V[rows], p)
        for rows, p in (
            (pool, before.predict(X[pool])),
            (first, before.pred_probs(X[first])),
            (val, before.predict(X[val])),
        )
    ]
    test = np.sort(test)
    hits, of_gap = {("start", 0): before.predict(X[test]).argmax(1) == y[test]}, {}
    for budget in budgets:
        for way, choose in WAYS.items():
            rows = pool[choose(*told, budget, np.random.default_rng([seed, budget]))]
            assert len(set(rows)) == budget
            hits[way, budget] = fit(np.r_[first, rows]).predict(X[test]).argmax(1) == y[test]
            of_gap[way, budget] = int(thin[rows].sum())
    return hits, of_gap, thin[test]


def missing(V, train, seed, rng):
    """Which rows (n,) are of the cluster, one of 40 of the train rows, that is a gap in this seed."""
    import faiss

    means = faiss.Kmeans(V.shape[1], 40, niter=10, seed=seed, spherical=True)
    means.train(V[train[:10_000]])
    cluster = means.index.search(V, 1)[1][:, 0]
    return cluster == rng.integers(40)


def table(found, budgets, gap):
    """Points of accuracy gained over random labels, paired by seed and test sample, a row for each way."""
    rows = []
    for way in WAYS:
        row = dict(way=way)
        for b in budgets:
            row[f"{b:,} labels"] = difference(
                [
                    h[way, b].astype(float)
                    - h["start" if way == "random" else "random", 0 if way == "random" else b]
                    for h, *_ in found
                ]
            )
            if gap:
                inside = [
                    (
                        h[way, b][t].mean()
                        - h["start" if way == "random" else "random", 0 if way == "random" else b][
                            t
                        ].mean()
                    )
                    for h, _, t in found
                    if t.any()
                ]
                row[f"{b:,}: in the gap"] = spread(inside)
                row[f"{b:,}: of it"] = f"{np.mean([g[way, b] for _, g, _ in found]):.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def difference(rows):
    e = replace(contrasts.contrast([np.array(rows)], [1]), span=(-1, 1))
    return f"{100 * e.estimate:+.2f} [{100 * e.low:+.2f}, {100 * e.high:+.2f}]"


def spread(x):
    """Mean over seeds of a gap's own difference, with its t interval: a gap is another one in each seed."""
    from scipy.special import stdtrit

    x = 100 * np.array(x)
    half = -stdtrit(len(x) - 1, 0.025) * x.std(ddof=1) / len(x) ** 0.5
    return f"{x.mean():+.1f} [{x.mean() - half:+.1f}, {x.mean() + half:+.1f}]"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=Path)
    p.add_argument("names", nargs="*", default=["cifar", "roman"])
    p.add_argument("--gap", action="store_true")
    p.add_argument("--seeds", type=int, default=10)
    a = p.parse_args()
    for name in a.names:
        X, V, y, split = data(a.folder, name)
        found = []
        for seed in range(a.seeds):
            found.append(once(X, V, y, split, START[name], BUDGETS[name], a.gap, seed))
            print(f"{name}: seed {seed} of {a.seeds}", flush=True)
            if seed in (2, 5, a.seeds - 1):
                start, m = (
                    np.mean([h["start", 0].mean() for h, *_ in found]),
                    (split == "test").sum(),
                )
                print(
                    f"\n{name}{', planted gap' if a.gap else ''}: {START[name]:,} labelled, accuracy {start:.1%}; {seed + 1} seeds, {m:,} test images"
                )
                print("random: points over the start; others: points over random\n")
                print(markdown(table(found, BUDGETS[name], a.gap)), flush=True)


if __name__ == "__main__":
    main()

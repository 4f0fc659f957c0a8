"""The neighbour graph and every kind of issue: time, memory, recall, growth, and cleanlab's Datalab beside it.

    python -m tests.benchmarks.graph recall BENCH           recall@10 against brute force on all numbers, 2,000 queries
    python -m tests.benchmarks.graph speed [N] [D]          graph + issue kinds + clusters of N images (50,000 x 1,280: limit 60 s on 2 quiet cores)
    python -m tests.benchmarks.graph datalab [N]            the kinds that Datalab has too, given the same features and probabilities: limit 3 times
    python -m tests.benchmarks.graph growth [D] [MOST]      25,000 to 200,000: exponent at most 1.3
    python -m tests.benchmarks.graph extend [N]             1 % more images against building anew
    python -m tests.benchmarks.graph million                1,000,000 x 128 within 24 GiB
    python -m tests.benchmarks.graph cells [N] [FOLDER]     cells in place of the index: N x 128 in shards; planted near copies found: at least .98 (1,000,000)
    python -m tests.benchmarks.graph hnsw [N] [FOLDER]      the index on the same

Vectors are made, 200 lumps in 60 directions and noise: speed need not wait for an embedder. `recall` takes real ones from a bench. Datalab
needs the package `datasets`, which Assay does not: run that part from an environment that has both."""

import os
import sys
import time

import numpy as np

from assay.curation.features import graph_updates, knn, neighbor_graph, reduction
from assay.curation.issues import drift
from assay.curation.slicing import clusters
from assay.curation.storage.shards import Rows
from tests.benchmarks import low_rank
from tests.benchmarks.tools import clock, peak


def made(n, d=1280, seed=0):
    """(n, d) float32 and a class (n,) of 10."""
    rng = np.random.default_rng(seed)
    lump = rng.integers(0, 200, n)
    low = (rng.normal(size=(200, 60)) * 1.2)[lump].astype("f4") + rng.normal(size=(n, 60)).astype(
        "f4"
    )
    X, turn = np.empty((n, d), "f4"), rng.normal(size=(60, d)).astype("f4")
    for i in range(0, n, 50_000):
        X[i : i + 50_000] = low[i : i + 50_000] @ turn + 3 * rng.normal(
            size=(len(low[i : i + 50_000]), d)
        ).astype("f4")
    return X, lump % 10


def recall(folder):
    """Of a bench's own embeddings, at most 50,000."""
    import assay
    from assay.curation.features import scan_settings
    from assay.curation.storage.shards import Shards

    shards = Shards(
        assay.open(folder).arrays
        / "embeddings"
        / scan_settings.read_settings(assay.open(folder))["folder"]
    )
    rows = shards.rows(shards.index["hash"][:50_000])
    with clock(f"graph of {len(rows):,} x {rows.shape[1]:,}"):
        graph = knn.build_graph(rows)
    X = rows[np.arange(len(rows))].astype("f8")
    X = ((X - X.mean(0)) / X.std(0)).astype("f4")
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    asked = np.random.default_rng(1).permutation(len(X))[:2000]
    S = X[asked] @ X.T
    S[np.arange(len(asked)), asked] = -9
    true = np.argpartition(-S, 10, axis=1)[:, :10]
    hits = np.array([len(set(a) & set(b)) / 10 for a, b in zip(graph.neighbours[asked], true)])
    print(
        f"recall@10 {hits.mean():.4f} +- {1.96 * hits.std() / len(hits) ** 0.5:.4f}, {len(asked):,} queries",
        flush=True,
    )


def kinds(graph, y):
    """What is read from the graph alone: near candidates, groups, outliers, drift of two halves."""
    pairs, _ = neighbor_graph.find_close_pairs(graph.neighbours, graph.distances)
    neighbor_graph.group_near_duplicates(len(y), pairs[:1000])
    z = neighbor_graph.measure_isolation(graph.distances)[1]
    split = np.where(np.arange(len(y)) % 5, "train", "val")
    drift.compare_groups(graph.neighbours, np.arange(len(y)), {"split": split}, {})
    return (z > 4).sum()


def speed(n=50_000, d=1280):
    """All parts, each timed; the pixels are those of random images of 32 pixels."""
    from tempfile import TemporaryDirectory
    from types import SimpleNamespace

    from assay.curation.issues import image_properties, image_quality, spurious_correlations
    from assay.curation.media import image_similarity
    from assay.curation.media.base import Decoded
    from assay.curation.media.pixels import Pixels
    from assay.curation.media.source_decoding import store_decoded
    from assay.curation.storage.shards import Shards

    X, y = made(n, d)
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        from pathlib import Path

        bench = SimpleNamespace(arrays=Path(folder))
        hashes = np.array([f"{i:032x}" for i in range(n)], "S32")
        for i in range(0, n, 4096):
            part = hashes[i : i + 4096]
            images = rng.integers(0, 256, (len(part), 32, 32, 3), dtype="u1")
            fresh = {h.decode(): Decoded((32, 32), image) for h, image in zip(part, images)}
            store_decoded(Shards(bench.arrays / "pixels"), fresh)
        start = time.perf_counter()
        with clock("graph"):
            graph = knn.build_graph(X)
        with clock("near duplicates"):
            pairs, _ = neighbor_graph.find_close_pairs(graph.neighbours, graph.distances)
            pixels = Pixels(Shards(bench.arrays / "pixels"), hashes, image_similarity.SIDE)
            (
                image_similarity.compare_pairs(pixels, pairs),
                image_similarity.duplicate_limit(pixels, graph.neighbours),
            )
            neighbor_graph.group_near_duplicates(n, pairs[:1000])
        with clock("quality"):
            rows, _ = image_properties.measure_images(bench, hashes)
            seen = dict(zip(image_properties.COLUMNS, rows[np.arange(n)].T))
            seen |= dict.fromkeys(("width", "height"), np.full(n, 32.0))
            for kind in image_quality.KINDS:
                image_quality.score_images(kind, seen)
        with clock("outliers, drift, shortcuts"):
            neighbor_graph.measure_isolation(graph.distances)
            drift.compare_groups(
                graph.neighbours,
                np.arange(n),
                {"split": np.where(np.arange(n) % 5, "train", "val")},
                seen,
            )
            spurious_correlations.compare_properties(seen, y, 10)
        with clock("clusters"):
            clusters.build_clusters("", np.arange(n), reduction.reduce_vectors(X), np.ones(n, bool))
    print(f"{n:,} x {d:,}: {time.perf_counter() - start:.1f} s, peak {peak():.1f} GB", flush=True)


def datalab(n=50_000):
    """Ours and Datalab on the same features and probabilities: label, outlier, near_duplicate, non_iid (ours: drift), class_imbalance."""
    import faiss  # noqa: F401 - both begin with everything imported
    from cleanlab import Datalab
    from cleanlab.filter import find_label_issues

    X, y = made(n)
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(10), n) * 0.3
    probs[np.arange(n), y] += 0.7
    start = time.process_time()
    with clock(f"ours, {n:,} x 1,280") as ours:
        graph = knn.build_graph(X)
        kinds(graph, y)
        find_label_issues(y, probs, filter_by="predicted_neq_given", n_jobs=1)
    middle = time.process_time()
    with clock("Datalab") as theirs:
        lab = Datalab(data=dict(label=y), label_name="label", verbosity=0)
        lab.find_issues(
            features=X,
            pred_probs=probs,
            issue_types=dict(
                label={}, outlier={}, near_duplicate={}, non_iid={}, class_imbalance={}
            ),
        )
    cpu = (time.process_time() - middle) / (middle - start)
    print(
        f"Datalab takes {theirs[0] / ours[0]:.1f} times as long (limit 3), {cpu:.1f} times the CPU seconds (ours {middle - start:.1f})",
        flush=True,
    )


def growth(d=256, most=200_000):
    """CPU seconds, which a busy machine changes less than others, of the graph and what is read from it."""
    sizes, took = (most // 8, most // 4, most // 2, most), []
    for n in sizes:
        X, y = made(n, d)
        start, wall = time.process_time(), time.perf_counter()
        kinds(knn.build_graph(X), y)
        took.append(time.process_time() - start)
        print(
            f"{n:>9,} x {d}: {took[-1]:7.1f} CPU s, {time.perf_counter() - wall:7.1f} s, peak {peak():.1f} GB",
            flush=True,
        )
    print(
        f"growth exponent {np.polyfit(np.log(sizes), np.log(took), 1)[0]:.2f} (limit 1.3)",
        flush=True,
    )


def extend(n=50_000, d=1280):
    """1 % of the images come, or go."""
    X, _ = made(n, d)
    first = np.sort(np.random.default_rng(0).permutation(n)[n // 100 :])
    start = time.process_time()
    kept = knn.build_graph(X[first])
    built, start = time.process_time() - start, time.process_time()
    was = np.full(n, -1)
    was[first] = np.arange(len(first))
    more = graph_updates.extend_graph(kept, X, was)
    added, start = time.process_time() - start, time.process_time()
    fewer = graph_updates.extend_graph(more, X[first], first)
    left = time.process_time() - start
    whole = knn.build_graph(X)
    agree = [
        np.mean([len(set(a) & set(b)) / 10 for a, b in zip(g.neighbours, w.neighbours)])
        for g, w in ((more, whole), (fewer, kept))
    ]
    print(
        f"{n:,} x {d:,}: built in {built:.1f} CPU s; 1 % more {added:.2f} ({added / built:.1%}), 1 % fewer {left:.2f} ({left / built:.1%}); "
    )
    print(
        f"neighbours that agree with a graph built at once: {agree[0]:.3f}, {agree[1]:.3f}",
        flush=True,
    )


def million(n=1_000_000, d=128):
    X, y = made(n, d)
    print(f"vectors {X.nbytes / 1e9:.1f} GB, peak {peak():.1f} GB")
    with clock(f"graph of {n:,} x {d}, and what is read from it"):
        kinds(knn.build_graph(X), y)


def low_rank_recall(n, folder, build):
    """Time and memory of a graph of made shards, its recall@10 of 1,000 queries, and planted copies found."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as spare:
        folder = Path(folder or spare)
        if not (folder / "planted.npz").exists():
            with clock(f"made {n:,} vectors"):
                low_rank.write_shards(folder, n)
        X = read_shards(folder)
        start = time.process_time()
        with clock(f"graph of {len(X):,} x {X.shape[1]}"):
            graph = build(X)
        print(f"{time.process_time() - start:.0f} CPU s, load {os.getloadavg()[0]:.1f}", flush=True)
        asked = np.sort(np.random.default_rng(1).permutation(len(X))[:1000])
        true = nearest_by_all_numbers(X, graph.mean, graph.scale, asked)
        hits = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(graph.neighbours[asked], true)])
        print(f"recall@10 {hits:.4f}, {len(asked):,} queries", flush=True)
        planted = np.load(folder / "planted.npz")
        copy, original = planted["pairs"].T
        apart = [
            np.linalg.norm(a - b) for a, b in zip(*(read_unsorted(X, i) for i in (copy, original)))
        ]
        # an original may itself have become a copy
        kept = np.abs(apart - planted["distances"]) < 0.01
        one = (graph.neighbours[copy] == original[:, None]).any(1)
        other = (graph.neighbours[original] == copy[:, None]).any(1)
        for far in np.unique(planted["distances"]):
            mine = kept & (planted["distances"] == far)
            print(
                f"planted at {far:.2f}: {mine.sum():,}, found {(one | other)[mine].mean():.4f} "
                f"(by the copy {one[mine].mean():.4f})"
            )
        print(f"planted, all: found {(one | other)[kept].mean():.4f} of {kept.sum():,} (limit .98)")


def read_shards(folder):
    """Map the shards of a folder into memory, one after the other."""
    arrays = [np.load(file, mmap_mode="r") for file in sorted(folder.glob("[0-9]*.npy"))]
    sizes = [len(array) for array in arrays]
    return Rows(
        arrays, np.repeat(np.arange(len(sizes)), sizes), np.concatenate([*map(np.arange, sizes)])
    )


def read_unsorted(X, ids):
    """Rows of shards in any order, float32."""
    rows, back = np.unique(ids, return_inverse=True)
    return X[rows].astype("f4")[back]


def nearest_by_all_numbers(X, mean, scale, asked):
    """The 10 nearest of rows `asked` by brute force, (m, 10)."""
    import faiss

    def standardise(rows):
        return reduction.normalize_rows((X[rows].astype("f4") - mean) / scale)

    query, found = standardise(asked), faiss.ResultHeap(len(asked), 11, keep_max=True)
    for i in range(0, len(X), 100_000):
        rows = np.arange(i, min(i + 100_000, len(X)))
        cosine, near = faiss.knn(query, standardise(rows), 11, metric=faiss.METRIC_INNER_PRODUCT)
        found.add_result(cosine, near + i)
    found.finalize()
    return found.I[knn.mask_itself(found.I, asked)].reshape(-1, 10)


def cells(n=1_000_000, folder=None):
    """Cells, however few vectors there are."""
    knn.CELLS = 0
    low_rank_recall(n, folder, knn.build_graph)


def hnsw(n=1_000_000, folder=None):
    """The index, however many vectors there are."""
    knn.CELLS = 10**12
    low_rank_recall(n, folder, knn.build_graph)


if __name__ == "__main__":
    what = dict(
        cells=cells,
        hnsw=hnsw,
        recall=recall,
        speed=speed,
        datalab=datalab,
        growth=growth,
        extend=extend,
        million=million,
    )
    if len(sys.argv) < 2:
        speed(), growth(), extend()
    elif sys.argv[1] not in what:
        sys.exit(print(__doc__))
    else:
        what[sys.argv[1]](*(int(a) if a.isdecimal() else a for a in sys.argv[2:]))

"""The one neighbour graph beside brute force, extended beside built at once; and which close pairs show one picture."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.curation.features import graph_updates, knn, neighbor_graph
from assay.curation.formats.base import ImportOptions
from assay.curation.media import image_similarity
from assay.curation.storage.arrays import load_arrays
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import bench_of, digits

silent = lambda line: None  # noqa: E731


def cloud(n=4000, d=200, seed=0):
    """Vectors with some structure: 40 lumps in 30 of 200 directions, of different sizes, and numbers of different scale."""
    rng = np.random.default_rng(seed)
    low = rng.normal(size=(40, 30))[rng.integers(0, 40, n)] * 2 + rng.normal(size=(n, 30))
    return (
        (low @ rng.normal(size=(30, d)) + rng.normal(size=(n, d))) * rng.uniform(0.1, 10, d)
    ).astype("f4")


def truth(X, k=knn.K):
    """The k nearest of every row by numpy in double precision: standardised, as unit vectors, every pair."""
    Z = X.astype("f8")
    Z = (Z - Z.mean(0)) / Z.std(0)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    squared = 2 - 2 * Z @ Z.T
    np.fill_diagonal(squared, np.inf)
    near = np.argsort(squared, axis=1)[:, :k]
    return near, np.sqrt(np.maximum(np.take_along_axis(squared, near, 1), 0))


def recall(found, true):
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, true)])


@pytest.fixture
def approximate(monkeypatch):
    """As if a few thousand were many."""
    monkeypatch.setattr(knn, "EXACT", 500)


def test_a_small_graph_is_exact():
    X = cloud(1500)
    near, far = truth(X)
    graph = knn.build_graph(X)
    assert recall(graph.neighbours, near) > 0.9999 and np.allclose(graph.distances, far, atol=2e-3)


@pytest.mark.daily
def test_a_large_one_finds_nearly_all_and_the_same_again(approximate):
    X = cloud()
    graph = knn.build_graph(X)
    near, far = truth(X)
    assert recall(graph.neighbours, near) >= 0.98
    hit = graph.neighbours[:, 0] == near[:, 0]
    assert np.allclose(graph.distances[hit, 0], far[hit, 0], atol=2e-3), (
        "distances are by all numbers, not by 128"
    )
    assert (graph.neighbours != np.arange(len(X))[:, None]).all() and (
        np.diff(graph.distances, axis=1) >= 0
    ).all()
    again = knn.build_graph(X)
    assert all(np.array_equal(array, vars(again)[name]) for name, array in vars(graph).items()), (
        "two scans of the same images agree to the byte"
    )


def test_copies_find_each_other_however_many(approximate):
    X = cloud(1000)
    X[:30] = X[0]
    for exact in (500, 5000):
        knn.EXACT = exact
        graph = knn.build_graph(X)
        assert (graph.neighbours[:30] < 30).all() and graph.distances[:30].max() < 1e-3


@pytest.mark.slow
def test_new_rows_enter_and_old_ones_leave_as_if_built_at_once(approximate):
    X, rng = cloud(), np.random.default_rng(1)
    order = rng.permutation(len(X))
    first, now = np.sort(order[: len(X) - 60]), np.sort(order[40:])  # 60 come, 40 go
    kept = knn.build_graph(X[first])
    was = np.where(np.isin(now, first), np.searchsorted(first, now).clip(max=len(first) - 1), -1)
    assert graph_updates.can_extend(kept, was) and (was < 0).sum() == 60
    graph, near = graph_updates.extend_graph(kept, X[now], was), truth(X[now])[0]
    assert (graph.neighbours >= 0).all() and recall(graph.neighbours, near) >= 0.98
    assert recall(graph.neighbours[was < 0], near[was < 0]) >= 0.98
    touched = np.isin(near, np.flatnonzero(was < 0))  # where a new one belongs into an old list
    missing = [
        set(near[i, touched[i]]) - set(graph.neighbours[i])
        for i in np.flatnonzero(touched.any(1) & (was >= 0))
    ]
    assert touched[was >= 0].sum() > 200 and sum(map(len, missing)) <= 0.02 * touched.sum()
    rebuilt = knn.build_graph(X[now])
    assert recall(graph.neighbours, rebuilt.neighbours) >= 0.97
    assert not graph_updates.can_extend(kept, np.where(np.arange(len(now)) % 5, was, -1)), (
        "a fifth new is worth building anew"
    )


@pytest.mark.daily
def test_a_scan_extends_its_graph(tmp_path, monkeypatch):
    monkeypatch.setattr(knn, "EXACT", 100)
    table = digits(600)
    bench = bench_of(table.head(590), tmp_path, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    basis = load_arrays(bench.arrays / "lists.npz")["axes"]
    table.to_parquet(tmp_path / "digits.parquet")
    ingest(
        bench,
        tmp_path / "digits.parquet",
        "tester",
        ImportOptions(columns=dict(label="label"), refreeze_test=True),
    )
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    kept, graph = load_arrays(bench.arrays / "lists.npz"), load_arrays(bench.arrays / "graph.npz")
    assert np.array_equal(kept["axes"], basis) and len(graph["hashes"]) == 600, (
        "the basis stays: it was extended"
    )
    for name in ("lists.npz", "graph.npz"):
        (bench.arrays / name).unlink()
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    fresh = load_arrays(bench.arrays / "graph.npz")
    assert (
        np.array_equal(fresh["hashes"], graph["hashes"])
        and recall(graph["neighbours"], fresh["neighbours"]) > 0.97
    )
    assert not np.array_equal(load_arrays(bench.arrays / "lists.npz")["axes"], basis)
    neighbor_graph.load_nodes(bench, bench.state())


# ---- near duplicates


@pytest.fixture(scope="module")
def photographs():
    """300 CIFAR images (300, 32, 32, 3)."""
    import duckdb

    from tests.helpers import DATA

    if not (DATA / "cifar10n.parquet").exists():
        pytest.skip(f"no data sets in {DATA}")
    blobs = duckdb.sql(f"select image from '{DATA / 'cifar10n.parquet'}' limit 300").fetchall()
    return np.stack([np.asarray(Image.open(io.BytesIO(blob))) for (blob,) in blobs])


def jpeg(image):
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=60)
    return np.asarray(Image.open(out))


def at_32(image):
    return np.asarray(
        Image.fromarray(np.ascontiguousarray(image)).resize((32, 32), Image.Resampling.BILINEAR)
    )


CHANGES = dict(
    flipped=lambda x: x[:, ::-1],
    recompressed=jpeg,
    resized=lambda x: np.asarray(Image.fromarray(x).resize((24, 24), Image.Resampling.BICUBIC)),
    cropped=lambda x: x[1:-1, 1:-1],
    brighter=lambda x: (x * 0.7 + 40).astype("u1"),
)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_shows_one_picture(photographs, change):
    n = len(photographs)
    both = np.concatenate([photographs, np.stack([at_32(CHANGES[change](x)) for x in photographs])])
    same = image_similarity.compare_pairs(both, np.stack([np.arange(n), np.arange(n) + n], 1))
    assert (same >= image_similarity.NEAR_DUPLICATE).mean() >= 0.95, np.quantile(
        same, [0.01, 0.05, 0.5]
    )


@pytest.mark.slow
def test_others_do_not(photographs):
    pairs = np.stack(np.triu_indices(len(photographs), 1), 1)
    assert (
        image_similarity.compare_pairs(photographs, pairs).max() < image_similarity.NEAR_DUPLICATE
    ), "of 44,850 pairs none"


def test_pictures_of_nothing_are_alike_when_they_are_equally_bright():
    plain = np.stack([np.full((32, 32, 3), v, "u1") for v in (0, 1, 200)])
    assert image_similarity.compare_pairs(plain, np.array([[0, 1], [0, 2]])).tolist() == [1, 0]


def test_strokes_on_paper_must_agree_better():
    """Two strokes of which one is a little longer correlate at 0.9; the same stroke a shade lighter is a copy."""
    sheet = np.full((3, 32, 32, 3), 255, "u1")
    sheet[0, 8:20, 14:17], sheet[1, 8:22, 14:17], sheet[2, 8:20, 14:17] = 0, 0, 3
    none = np.empty((6, 450, 0), "f4")
    assert (
        image_similarity.correlate_views(
            *(
                image_similarity.view_brightness(sheet[i : i + 1], image_similarity.VIEWS)
                for i in (0, 1)
            ),
            none,
        )
        >= 0.9
    )
    one, other = image_similarity.compare_pairs(sheet, np.array([[0, 1], [0, 2]]))
    assert one < image_similarity.NEAR_DUPLICATE < other


@pytest.mark.daily
def test_digits_are_drawn_alike_and_only_copies_are_duplicates(tmp_path):
    """8 x 8 digits of one class correlate at 0.9 and more: the limit rises with what is usual, and every planted copy is found."""
    from tests.helpers import nearly

    table = digits(400)
    copies = table[table["split"] == "val"].assign(
        id=lambda t: t.id + "-copy", image=lambda t: t.image.map(nearly)
    )
    bench = bench_of(pd.concat([table, copies]), tmp_path, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    graph = load_arrays(bench.arrays / "graph.npz")
    hashes = bench.state().reset_index().set_index("key").content_hash
    planted = {
        frozenset((hashes[k].encode(), hashes[f"{k}-copy"].encode()))
        for k in table.id[table["split"] == "val"]
    }
    found = {frozenset(graph["hashes"][pair].tolist()) for pair in graph["pairs"]}
    assert found == planted and graph["limit"] > image_similarity.NEAR_DUPLICATE


@pytest.mark.parametrize("seed", range(4))
def test_a_slow_drift_is_not_one_group(seed):
    """Each image is like the next, the first not like the last: who shares a group is like its leader, whatever pair came first."""
    pairs = np.stack([np.arange(39), np.arange(1, 40)], 1)
    pairs = pairs[np.random.default_rng(seed).permutation(39)]
    group = neighbor_graph.group_near_duplicates(40, pairs)
    near = {tuple(sorted(pair)) for pair in pairs.tolist()}
    assert all(group[i] == i or tuple(sorted((i, group[i]))) in near for i in range(40))
    assert (group[group] == group).all(), "a leader follows nobody"
    assert np.bincount(group).max() <= 3 and len(set(group)) < 30, (
        "a leader and its two neighbours; and yet groups"
    )

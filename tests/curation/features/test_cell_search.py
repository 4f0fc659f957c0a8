"""Neighbours by cells beside brute force, whatever shards they come in and however skewed they lie."""

import numpy as np
import pytest

from assay.curation.features import candidate_lists, cell_search, cells, graph_updates, knn
from assay.curation.features.candidate_lists import NONE, candidate_ids
from assay.curation.features.cell_search import CellSearch
from assay.curation.storage.stages import Stages


def unit_vectors(n, p=24, seed=0):
    """(n, p) float16 in 30 lumps of different sizes."""
    rng = np.random.default_rng(seed)
    lump = rng.choice(30, n, p=np.arange(1, 31) / 465)
    V = rng.normal(size=(30, p))[lump] * 2 + rng.normal(size=(n, p))
    return (V / np.linalg.norm(V, axis=1, keepdims=True)).astype("f2")


def brute_force(V, k=10):
    """The k nearest of every row, in double precision, in any order."""
    V = V.astype("f8")
    cosine = V @ V.T
    np.fill_diagonal(cosine, -9)
    return np.argpartition(-cosine, k, axis=1)[:, :k]


def recall(lists, near):
    found = candidate_ids(lists)[:, :10]
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, near)])


def same_bytes(*results):
    return len({b"".join(np.ascontiguousarray(a).tobytes() for a in r) for r in results}) == 1


def test_one_cell_is_brute_force(monkeypatch):
    monkeypatch.setattr(cells, "SIZE", 10_000)
    monkeypatch.setattr(cell_search, "SIZE", 10_000)
    V = unit_vectors(1500)
    lists = CellSearch(V).find(20)
    assert recall(lists, brute_force(V)) > 0.9999, "but for ties"
    assert (np.diff(lists.astype("f8"), axis=1) >= 0).all(), "nearest first"


@pytest.mark.daily
def test_many_cells_find_nearly_all():
    V = unit_vectors(3000)
    search = CellSearch(V)
    lists = search.find(20)
    assert recall(lists, brute_force(V)) >= 0.98 and sorted(search.order) == list(range(3000))
    ids = candidate_ids(lists)
    assert (ids != np.arange(3000)[:, None]).all() and (ids >= 0).all()
    assert all(len(set(row)) == 20 for row in ids), "each candidate once"


@pytest.mark.parametrize("size", [100, 700, 10_000])
def test_shards_change_no_byte(size, monkeypatch, tmp_path):
    """In threads, and as tasks whose inputs and outputs are files, done backwards and twice."""
    V = unit_vectors(3000)
    whole = CellSearch(V).find(20)
    monkeypatch.setattr(cell_search, "SHARD", size)

    def do(name, work, shards):
        for shard in shards[::-1] + shards[:1]:
            work(tmp_path, None, **shard)

    stages = Stages(tmp_path, 1, do)
    assert same_bytes([whole], [CellSearch(V).find(20)], [CellSearch(V, stages).find(20)])


def test_cells_are_assigned_and_joined_alike_in_any_order():
    """As an engine does it: shards assigned one by one and backwards, cells joined backwards, some of them twice."""
    V = unit_vectors(3000)
    fitted = CellSearch(V).fit(10)
    whole = cells.group_members(cells.assign_cells(V, fitted))
    ends = [0, 1, 20, 1000, 2999, 3000]
    parts = [
        cells.group_members(cells.assign_cells(V[a:b], fitted), a) for a, b in zip(ends, ends[1:])
    ]
    members = np.sort(np.concatenate(parts[::-1]))
    assert same_bytes([whole], [members])
    lists = CellSearch(V).join(members, 20)
    again = np.full((3000, 20), NONE)
    for cell in [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 3, 3]:
        rows = (members[members >> np.uint64(32) == cell] & np.uint64(2**32 - 1)).astype(int)
        found = cells.join_cell(rows, V[rows], 20)
        again[rows] = candidate_lists.merge_lists(np.concatenate([again[rows], found], 1), 20)
    assert same_bytes([lists], [again])
    rows = np.array([3, 77, 2500])
    alone = [candidate_lists.refine_lists(rows[[i]], lists, V, 20) for i in range(3)]
    assert same_bytes([candidate_lists.refine_lists(rows, lists, V, 20)], [np.concatenate(alone)])


@pytest.mark.daily
def test_threads_change_no_byte():
    import faiss

    V, threads, found = unit_vectors(4000), faiss.omp_get_max_threads(), []
    for count in (1, 2, 3):
        faiss.omp_set_num_threads(count)
        try:
            found.append([CellSearch(V).find(20)])
        finally:
            faiss.omp_set_num_threads(threads)
    assert same_bytes(*found)


@pytest.mark.daily
def test_thousands_of_copies_take_no_quadratic_time(monkeypatch):
    """A cell of copies is cut, down to pieces that are affordable, and each copy still finds copies."""
    import faiss

    monkeypatch.setattr(cells, "LARGEST", 300)
    compared, compare = [], faiss.knn

    def count_pairs(one, other, *rest, **more):
        if one is other:
            compared.append(len(one))
        return compare(one, other, *rest, **more)

    monkeypatch.setattr(faiss, "knn", count_pairs)
    V = unit_vectors(3000)
    V[::2] = V[0]
    lists = CellSearch(V).find(20)
    assert 150 <= max(compared) <= 300
    assert (candidate_ids(lists[::2]) % 2 == 0).all(), "the nearest of a copy are copies"
    assert recall(lists[1::2], brute_force(V)[1::2]) >= 0.95


def test_centroids_that_nearly_tie_are_told_apart_alike():
    """A product's last digits depend on how many rows it has; which centroid is nearest does not."""
    V, centroids = unit_vectors(2000, 128).astype("f4"), unit_vectors(100, 128, seed=1)
    centroids = np.repeat(centroids, 2, axis=0).astype("f4")
    centroids[::2, 0] += np.float32(3e-8)
    together = cells.find_centroids(V, centroids, 2)
    parts = [cells.find_centroids(part, centroids, 2) for part in np.split(V, [1, 3, 30, 1001])]
    assert same_bytes([together], [np.concatenate(parts)])


def test_cutting_a_cell_keeps_near_ones_together():
    V = unit_vectors(2000).astype("f4")
    one, other = cells.cut_in_two(V)
    assert sorted([*one, *other]) == list(range(2000)) and len(one) == len(other) == 1000
    half = np.isin(np.arange(2000), one)
    assert (half[brute_force(V)] == half[:, None]).mean() > 0.8
    alike = cells.cut_in_two(np.ones((7, 3), "f4"))
    assert [list(part) for part in alike] == [[0, 1, 2], [3, 4, 5, 6]]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_rows_than_neighbours(n):
    lists = CellSearch(unit_vectors(n)).find(20)
    assert ((lists != NONE).sum(1) == n - 1).all()
    assert all(
        set(ids[ids >= 0]) == set(range(n)) - {i} for i, ids in enumerate(candidate_ids(lists))
    )


@pytest.mark.parametrize("V", [np.zeros((3000, 8), "f2"), np.ones((3000, 1), "f2")])
def test_rows_that_are_all_alike(V):
    lists = CellSearch(V).find(20)
    ids = candidate_ids(lists)
    assert (ids >= 0).all() and (ids != np.arange(3000)[:, None]).all()


def test_one_dimension_has_two_directions():
    V = np.where(np.arange(3000) % 3, 1, -1)[:, None].astype("f2")
    ids = candidate_ids(CellSearch(V).find(20))
    assert (V[ids, 0] == V).all()


def test_lists_merge_in_any_order():
    rng = np.random.default_rng(0)
    lists = candidate_lists.pack_candidates(
        rng.integers(-1, 30, (50, 40)), rng.integers(0, 5, (50, 40)).astype("f4") / 5
    )
    merge = candidate_lists.merge_lists
    whole = merge(lists, 8)
    turned = merge(np.concatenate([merge(lists[:, 25:], 8), merge(lists[:, :25], 8)], 1), 8)
    assert same_bytes([whole], [turned])
    for row, best in zip(lists, whole):
        nearest = {}
        for packed in sorted(row[row != NONE].tolist()):
            nearest.setdefault(packed & (2**32 - 1), packed)
        assert sorted(nearest.values())[:8] == best[best != NONE].tolist()


@pytest.mark.parametrize("d", [60, 200])
def test_a_graph_of_cells_is_as_one_of_pairs(monkeypatch, d):
    """More numbers than components, and fewer: neighbours by all numbers, distances too, and an extension as ever."""
    rng = np.random.default_rng(0)
    low = rng.normal(size=(40, 20))[rng.integers(0, 40, 3000)] * 2 + rng.normal(size=(3000, 20))
    X = (low @ rng.normal(size=(20, d)) + rng.normal(size=(3000, d))).astype("f4")
    X[7] = X[2900]
    exact = knn.build_graph(X)
    for name in ("CELLS", "EXACT"):
        monkeypatch.setattr(knn, name, 1000)
    graph = knn.build_graph(X)
    agree = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(graph.neighbours, exact.neighbours)])
    assert agree >= 0.97 and graph.neighbours[7, 0] == 2900
    hit = graph.neighbours[:, 0] == exact.neighbours[:, 0]
    assert np.allclose(graph.distances[hit, 0], exact.distances[hit, 0], atol=2e-3)
    for name, array in vars(exact).items():
        assert getattr(graph, name).shape == array.shape
        assert getattr(graph, name).dtype == array.dtype, name
    was = np.r_[np.arange(2950), np.full(50, -1)]
    kept = knn.build_graph(X[:2950])
    assert graph_updates.can_extend(kept, was)
    more = graph_updates.extend_graph(kept, X, was)
    assert more.neighbours[7, 0] == 2900
    agree = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(more.neighbours, exact.neighbours)])
    assert agree >= 0.97

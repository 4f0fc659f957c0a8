"""The map: near images stay near, nobody moves when samples are added, and no label enters."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

import assay
from assay.curation.features import image_map, knn, projection, reduction
from assay.curation.formats.base import ImportOptions
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.pipelines.cli.main import main
from assay.pipelines.indexing import draw_map
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.jobs import job_files
from tests.helpers import bench_of, digits


def quiet(line):
    pass


def blobs(n=1200, k=6, seed=0):
    """n points around k far centres in 20 dimensions, and whose each is."""
    rng = np.random.default_rng(seed)
    own = rng.integers(0, k, n)
    return (10 * rng.normal(size=(k, 20))[own] + rng.normal(size=(n, 20))).astype("f4"), own


def agreement(xy, own):
    """Share of points whose nearest other point on the map is of the same blob: by a tree, not by our graph."""
    return (own[cKDTree(xy).query(xy, 2)[1][:, 1]] == own).mean()


def test_new_images_come_beside_their_neighbours_and_nobody_moves():
    X, own = blobs()
    made = knn.build_graph(X)
    near, far = made.neighbours, made.distances
    xy = np.float32(
        9 * np.array([np.cos(own), np.sin(own)]).T
        + np.random.default_rng(2).normal(size=(len(X), 2))
    )  # a circle of blobs
    new = np.random.default_rng(1).random(len(X)) < 0.05
    known = np.where(new[:, None], np.nan, xy).astype("f4")
    placed = projection.place_beside_neighbours(known, near, far)
    assert (placed[~new] == xy[~new]).all(), "nobody moves"
    centre = np.array([xy[(own == b) & ~new].mean(0) for b in range(6)])
    nearest = ((placed[new][:, None] - centre) ** 2).sum(2).argmin(1)
    assert (nearest == own[new]).mean() > 0.98, "each new one lies in its own blob"
    alone = projection.place_beside_neighbours(
        np.array([[0, 0], [2, 2], [np.nan, np.nan]], "f4"),
        np.full((3, 1), -1),
        np.full((3, 1), np.inf),
    )
    assert (alone[2] == 1).all(), "who knows nobody stands in the middle"


@pytest.mark.parametrize("block", (10_000, 500))
def test_components_are_those_of_an_svd(block, monkeypatch):
    monkeypatch.setattr(projection, "BLOCK", block)
    V = reduction.reduce_vectors(blobs()[0])
    U, S, _ = np.linalg.svd(V - V.mean(0), full_matrices=False)
    ours = projection.principal_components(V)
    for j in range(2):
        assert abs(np.corrcoef(ours[:, j], U[:, j] * S[j])[0, 1]) > 0.9999
    assert projection.principal_components(np.ones((3, 1), "f4")).shape == (3, 2), (
        "one dimension, and no spread: still a map"
    )


@pytest.mark.daily
def test_a_scan_draws_it_and_an_import_keeps_it(tmp_path, capsys):
    table = digits(1500, wrong=0)
    table.loc[1400:, "split"] = "train"  # the test split is frozen
    bench = bench_of(table.head(1400), tmp_path)
    scan(bench, ScanOptions(embedder="pixels"), say=quiet)
    with pytest.raises(assay.UserError, match="found none"):
        image_map.read_positions(bench, bench.state())
    image_map.sketch_map(bench)
    start = image_map.read_positions(bench, bench.state().query("keep"))[0]
    assert main(["map", "-b", str(bench.path), "--wait", "--json"]) == 0
    rows = pd.DataFrame(json.loads(capsys.readouterr().out)["rows"]).set_index("sample")
    assert set(rows.method) == {"umap"} and len(rows) == bench.state().keep.sum()
    label = bench.state().label[rows.index]
    assert (
        agreement(rows[["x", "y"]].to_numpy(), label.to_numpy())
        > 0.85
        > agreement(start, label.to_numpy())
    ), "tens of digits lie together"

    table.to_parquet(tmp_path / "digits.parquet")
    ingest(bench, tmp_path / "digits.parquet", "tester", ImportOptions(columns=dict(label="label")))
    with pytest.raises(assay.UserError, match="imported since"):
        image_map.read_positions(bench, bench.state())
    scan(bench, ScanOptions(embedder="pixels"), say=quiet)
    told = []
    draw_map.draw_map(bench, told.append)
    assert "by umap" in told[0], "the old map is kept, so nothing is drawn in the background"
    xy, method = image_map.read_positions(bench, bench.state().loc[rows.index])
    assert method == "umap" and np.allclose(xy, rows[["x", "y"]], atol=1e-5)


def test_few_images_are_drawn_at_once_without_a_process(scanned):
    told = []
    draw_map.draw_map(scanned, told.append)
    assert told == [
        f"map         {len(load_arrays(scanned.arrays / 'graph.npz')['hashes']):,} images, by pca"
    ]
    assert image_map.read_positions(scanned, scanned.state())[0].shape == (len(scanned.state()), 2)


def test_of_millions_the_map_is_that_of_components_and_says_so(scanned, monkeypatch):
    monkeypatch.setattr(image_map, "FEWEST", 10)
    monkeypatch.setattr(image_map, "MOST", 100)
    told = []
    draw_map.draw_map(scanned, told.append)
    assert told[0].endswith("by pca; UMAP draws up to 100")
    assert not (scanned.path / "jobs").exists()


@pytest.mark.daily
def test_no_test_label_moves_anybody(tmp_path):
    table, made = digits(400), []
    for name in ("as it is", "permuted"):
        bench = bench_of(table, tmp_path / name)
        scan(bench, ScanOptions(embedder="pixels"), say=quiet)
        draw_map.draw_map(bench, quiet)
        made.append((bench.arrays / "map.npz").read_bytes())
        test = (table["split"] == "test").to_numpy()
        table.loc[test, "label"] = np.roll(table.label[test], 1)
    assert made[0] == made[1], "the same to the byte"


@pytest.mark.daily
def test_a_scan_while_umap_draws_wins(tmp_path, monkeypatch):
    bench = bench_of(digits(1200, wrong=0), tmp_path)
    scan(bench, ScanOptions(embedder="pixels"), say=quiet)
    image_map.sketch_map(bench)
    graph = load_arrays(bench.arrays / "graph.npz")

    def meanwhile(neighbours, distances, start):
        assert job_files.list_jobs(bench)[0]["state"] == "running", "assay runs shows it"
        save_arrays(bench.arrays / "graph.npz", **(graph | dict(key=np.array("another"))))
        return start + 1

    monkeypatch.setattr(projection, "run_umap", meanwhile)
    draw_map.refine_map(bench)
    assert image_map.read_positions(bench, bench.state())[1] == "pca", (
        "what was drawn is of a graph that is no more"
    )
    assert not job_files.list_jobs(bench)

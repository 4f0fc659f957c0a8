"""Every kind of issue against planted facts that we can count, or another implementation beside ours."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import assay
from assay import UserError
from assay.curation.features import neighbor_graph
from assay.curation.formats.base import ImportOptions
from assay.curation.issues import (
    copies,
    drift,
    duplicates,
    finders,
    image_properties,
    image_quality,
    leakage,
    outliers,
    spurious_correlations,
)
from assay.curation.issues.base import ScanView
from assay.curation.label_quality import live
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.shards import Shards
from assay.pipelines.cli.main import main
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.helpers import bench_of, digits, png

silent = lambda line: None  # noqa: E731


def rows(bench, kind, threshold=None):
    return bench.issues(kind, threshold=threshold)


# ---- pictures


def pictures():
    """{name: uint8 image}: 24 of noise that nothing is wrong with, and one of each kind."""
    rng = np.random.default_rng(0)
    fine = {f"fine{i}": rng.integers(0, 256, (40, 40, 3), dtype="u1") for i in range(24)}
    y, x = np.mgrid[:40, :40]
    soft = np.dstack([60 + 1.5 * x, 60 + 1.5 * y, 90 - 0.5 * (x + y)]).astype("u1")
    flat = np.broadcast_to(np.array([120, 110, 100], "u1"), (40, 40, 3))
    return fine | dict(
        dark=(fine["fine1"] * 0.2).astype("u1"),
        light=255 - (fine["fine2"] * 0.03).astype("u1"),
        blurry=soft,
        low_information=flat,
        grayscale=np.repeat(fine["fine3"][:, :, :1], 3, 2),
        odd_aspect_ratio=rng.integers(0, 256, (20, 80, 3), dtype="u1"),
        odd_size=rng.integers(0, 256, (120, 120, 3), dtype="u1"),
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A scanned bench of `pictures`."""
    made = pictures()
    table = pd.DataFrame(dict(id=list(made), image=[png(x) for x in made.values()], split="train"))
    table["label"] = np.where(np.arange(len(table)) % 2, "a", "b")
    bench = bench_of(table, tmp_path_factory.mktemp("pictures"))
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


@pytest.mark.slow
def test_bad_pictures_are_named(shown):
    for kind in image_quality.KINDS:
        assert kind in set(rows(shown, kind).source_id), kind
        assert not rows(shown, kind).source_id.str.startswith("fine").any(), kind


@pytest.mark.slow
def test_scores_are_those_of_cleanvision_on_files(shown, tmp_path):
    from cleanvision import Imagelab

    made = pictures()
    for name, pixels in made.items():
        image = Image.fromarray(pixels)
        (image.convert("L") if name == "grayscale" else image).save(tmp_path / f"{name}.png")
    lab = Imagelab(data_path=str(tmp_path))
    lab.find_issues({kind: {} for kind in image_quality.KINDS}, n_jobs=1, verbose=False)
    theirs = lab.issues.set_index(lab.issues.index.map(lambda p: p.split("/")[-1][:-4]))
    state = shown.state()
    properties = ScanView(shown, state).image_properties
    for kind, of in image_quality.KINDS.items():
        ours = image_quality.score_images(kind, properties)
        expected = theirs[f"is_{kind}_issue"].reindex(state.key).to_numpy(bool)
        assert ((ours < of.threshold) == expected).all(), kind
        if kind != "odd_size":  # whose threshold is not 0.5 where most are of one size
            assert np.allclose(
                ours, theirs[f"{kind}_score"].reindex(state.key).to_numpy("f8"), atol=1e-5
            ), kind


@pytest.mark.daily
def test_one_new_picture_is_one_measured_and_what_all_are_is_no_issue(scanned, tmp_path):
    table = pd.concat([digits(), digits(601).tail(1)])
    table.to_parquet(tmp_path / "digits.parquet")
    ingest(
        scanned,
        tmp_path / "digits.parquet",
        "tester",
        ImportOptions(columns=dict(label="label"), refreeze_test=True),
    )
    folder = scanned.arrays / "quality" / image_properties.FOLDER
    assert len(Shards(folder).index) == 600
    assert image_properties.measure_images(scanned, scanned.state().content_hash)[1] == 1
    assert (
        image_properties.measure_images(scanned, scanned.state().content_hash)[1] == 0
        and len(Shards(folder).index) == 601
    )
    scan(scanned, ScanOptions(embedder="pixels"), say=silent)
    assert rows(scanned, "grayscale").empty and len(rows(scanned, "grayscale", 0.5)) == 481, (
        "all digits are grey; who asks sees all of train and val"
    )


@pytest.mark.slow
def test_other_processes_measure_the_same(shown):
    hashes = np.unique(np.asarray(shown.state().content_hash, "S32"))
    pixels = Shards(shown.arrays / "pixels")
    assert np.array_equal(
        image_properties.measure_in_process(pixels.folder, hashes),
        image_properties.measure_pixels(pixels, hashes),
    )


# ---- thresholds


@pytest.mark.slow
def test_a_threshold_moves_without_a_scan(scanned):
    state = scanned.state()
    graph, at = neighbor_graph.load_nodes(scanned, state)
    mean = graph.distances.mean(1).astype("f8")  # by hand, beside outliers.score_outliers
    z = (mean - np.median(mean)) / (1.4826 * np.median(abs(mean - np.median(mean))))
    score = pd.Series(np.exp(-np.maximum(z, 0) / outliers.SPREAD)[at], state.index)[
        ~state.split.isin(("test", "guard"))
    ]
    for threshold in (0.4, 0.7, 0.95):
        found = rows(scanned, "outlier", threshold).set_index("sample").score
        assert set(found.index) == set(score.index[score < threshold]) and np.allclose(
            found, score[found.index], atol=1e-5
        )
    assert len(rows(scanned, "outlier", 0.95)) > 30
    assert set(rows(scanned, "outlier")["sample"]) == set(
        rows(scanned, "outlier", float(np.exp(-1)))["sample"]
    )
    opinion = live.label_scores(scanned)
    assert set(rows(scanned, "label", 0.2)["sample"]) == set(opinion.index[opinion.score < 0.2])
    assert (
        len(rows(scanned, "class_imbalance", 1.0))
        == (state.label[state.split.isin(("train", "val"))].value_counts() < 48).sum()
    )
    for kind, threshold in ((None, 0.3), ("outlier", 1.3), ("leakage", 0.3)):
        with pytest.raises(UserError, match="expected"):
            rows(scanned, kind, threshold)


@pytest.mark.slow
def test_the_verb(scanned, capsys):
    assert (
        main(
            ["issues", "-b", str(scanned.path), "--kind", "outlier", "--threshold", "0.8", "--json"]
        )
        == 0
    )
    assert (
        len(json.loads(capsys.readouterr().out)["rows"]) == len(rows(scanned, "outlier", 0.8)) > 0
    )
    assert main(["issues", "-b", str(scanned.path), "--kind", "leakage", "--threshold", "0.8"]) == 2
    assert scanned.state().keep.all()


# ---- the whole


@pytest.mark.slow
def test_a_rare_class_and_a_property_that_tells_the_label(tmp_path):
    table = digits(600, wrong=0)
    table = table.drop(table.index[(table.label == "3").to_numpy()][2:])
    dimmed = table.label == "7"
    table.loc[dimmed, "image"] = [png(np.full((8, 8), 30 + i % 3)) for i in range(dimmed.sum())]
    table["camera"] = np.where(table.label.isin(["0", "1", "2", "7", "8"]), "left", "right")
    table["day"] = np.random.default_rng(0).integers(0, 7, len(table)).astype(str)
    bench = bench_of(table.drop(columns="truth"), tmp_path, audited_test=True)
    scan(
        bench, ScanOptions(embedder="pixels", hold_out=False), say=silent
    )  # all of class 7 show three pictures
    rare = rows(bench, "class_imbalance")
    assert len(rare) == 1 and rare.why[0].startswith("3: ") and rare["sample"].isna().all()
    told = spurious_correlations.measure_accuracy(
        spurious_correlations.metadata_columns(bench.state())["camera"],
        np.unique(bench.state().label, return_inverse=True)[1],
        10,
    )
    assert 0.15 < told[0] < 0.25, (
        "who knows the camera is right about one class of five in each half"
    )
    found = rows(bench, "spurious_correlations", 1.0)
    assert (
        found.why.str.startswith("camera").any()
        and not rows(bench, "spurious_correlations").why.str.startswith("day").any()
    )


def test_the_accuracy_of_a_property_is_right_about_what_was_planted_and_about_nothing():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 3000)
    told = np.where(
        rng.random(3000) < 0.5, y, rng.integers(0, 4, 3000)
    )  # right in half the cases, else at random: 62.5 %
    accuracy, (low, high), p = spurious_correlations.measure_accuracy(told, y, 4)
    assert low < 0.625 < high and high - low < 0.05 and p < 1e-50
    p = np.array(
        [
            spurious_correlations.measure_accuracy(
                rng.normal(size=600), rng.integers(0, 4, 600), 4
            )[2]
            for _ in range(200)
        ]
    )
    assert (p < 0.05).mean() < 0.11 and (p < 0.5).mean() > 0.35, "by chance one in twenty"
    imbalanced = rng.choice(4, 2000, p=[0.94, 0.02, 0.02, 0.02])
    assert (
        abs(spurious_correlations.measure_accuracy(rng.normal(size=2000), imbalanced, 4)[0] - 0.25)
        < 0.08
    ), "to say the largest class is to know nothing"


def test_ks_is_that_of_scipy():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    for a, b in (
        (rng.normal(size=500), rng.normal(0.1, 1, 900)),
        (rng.integers(0, 5, 300), rng.integers(0, 6, 200)),
    ):
        theirs = ks_2samp(a, b, method="asymp")
        ours = drift.compare_distributions(a, b)
        assert np.isclose(ours[0], theirs.statistic) and np.isclose(
            ours[1], theirs.pvalue, rtol=0.2, atol=1e-3
        )


@pytest.mark.slow
def test_neighbours_across_two_groups_against_counting():
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5))
    near = NearestNeighbors(n_neighbors=11).fit(X).kneighbors(return_distance=False)[:, :10]
    side = rng.integers(0, 2, 600)
    found = [drift.measure_crossing(near, rng.permutation(side)) for _ in range(400)]
    assert np.mean([of.p < 0.05 for of in found]) < 0.1, "of one distribution"
    shares = [of.share for of in found]
    assert np.isclose(np.mean(shares), 1, atol=0.005), "the mean of permutations"
    low, high = found[0].interval
    assert np.isclose(high - low, 2 * 1.96 * np.std(shares), rtol=0.1), "and their spread"
    X[side == 1] += 0.7
    near = NearestNeighbors(n_neighbors=11).fit(X).kneighbors(return_distance=False)[:, :10]
    share, (low, high), p = drift.measure_crossing(near, side)
    by_hand = np.mean([side[i] != side[j] for i in range(600) for j in near[i]])
    m = side.sum()
    assert (
        np.isclose(share, by_hand / (2 * m * (600 - m) / 600 / 599))
        and share < low < 1 < high
        and p < 1e-6
    )


@pytest.mark.slow
def test_a_split_that_is_drawn_at_random_drifts_not_and_a_brighter_one_does(scanned, tmp_path):
    assert rows(scanned, "drift").empty
    table = digits(600)
    table["image"] = [
        png(np.clip(np.asarray(Image.open(io.BytesIO(b)), int) // 2 + 120, 0, 255))
        if s == "val"
        else b
        for b, s in zip(table.image, table["split"])
    ]
    bench = bench_of(table, tmp_path, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    found = rows(bench, "drift")
    assert found.why.str.contains("split val").all() and found.why.str.startswith("split val").any()
    assert found.why.str.startswith("brightness of split val").any()


@pytest.mark.slow
def test_a_later_import_is_compared_with_the_first(scanned, tmp_path):
    dark = digits(300, seed=5)
    dark["id"] = "dark-" + dark.id
    dark["image"] = [png(np.asarray(Image.open(io.BytesIO(b)), int) // 8) for b in dark.image]
    dark.to_parquet(tmp_path / "dark.parquet")
    ingest(
        scanned,
        tmp_path / "dark.parquet",
        "tester",
        ImportOptions(columns=dict(label="label"), refreeze_test=True),
    )
    scan(scanned, ScanOptions(embedder="pixels"), say=silent)
    assert rows(scanned, "drift").why.str.startswith("import import-").any()


# ---- real copies


@pytest.mark.daily
def test_every_repeated_roman_numeral_is_found(data, tmp_path):
    """199 test images equal a validation image, 49 train images equal one: the data set's authors say which (dup_of)."""
    bench = assay.create(tmp_path / "bench")
    ingest(
        bench,
        data / "roman_numerals.parquet",
        "tester",
        ImportOptions(split_map=dict(label_book="pool", test_hidden="test")),
    )
    state = bench.state()
    said = state.meta.map(json.loads)
    other = said.map(lambda m: m.get("dup_split"))
    exact = {row.sample for row in duplicates.find_exact_duplicates(state)}
    between = [
        (state["split"] == "test") & (other == "val"),
        (state["split"] == "train") & (other == "val"),
    ]
    assert [int(b.sum()) for b in between] == [199, 49]
    assert all(set(state.index[b]) <= exact for b in between)
    _, node = np.unique(state.content_hash, return_inverse=True)
    leaks = leakage.match_leaks(state, [], node)
    key = {i: said.iloc[i]["dup_of"] for i in np.flatnonzero(between[1])}
    shown = {
        said.iloc[i]["dup_of"] for i in np.flatnonzero(between[0])
    }  # val images that test holds, too
    val = set(np.flatnonzero((state["split"] == "val") & state.key.isin(shown)))
    assert set(leaks) == set(key) | val and all(
        state.key.iloc[leaks[i][0]] == of for i, of in key.items() if i not in val
    )


@pytest.mark.slow
def test_an_older_graph_is_still_read(scanned):
    graph = scanned.arrays / "graph.npz"
    kept = load_arrays(graph)
    save_arrays(graph, **{k: kept[k] for k in set(kept) - {"close", "alike", "limit"}})
    found = copies.load_copies(scanned, scanned.state())
    assert not duplicates.find_near_duplicates(scanned.state(), found)
    graph = found.graph
    assert np.array_equal(graph.close, kept["pairs"]) and len(graph.neighbours)


@pytest.mark.slow
@pytest.mark.parametrize("locked", ["test", "guard"])
def test_a_copy_in_a_locked_split_contradicts_nothing(tmp_path, locked):
    """Its label would be read to say so; a copy in val with another label is named."""
    table = digits(200, wrong=0)
    one, two = table[table["split"] == "train"].head(2).index

    def other(i, split, name):
        label = str((int(table.label[i]) + 1) % 10)
        return table.loc[[i]].assign(id=name, split=split, label=label)

    bench = bench_of(
        pd.concat([table, other(one, "test", "locked"), other(two, "val", "open")]), tmp_path
    )
    scan(bench, ScanOptions(embedder="pixels", hold_out=False), say=silent)
    state = bench.state()
    ids = state.reset_index().set_index("key")["sample"]
    state.loc[ids["locked"], "split"] = locked
    found = finders.find_issues(ScanView(bench, state)).query("kind == 'conflicting_duplicates'")
    assert set(found["sample"]) == {ids[table.id[two]], ids["open"]}

"""Clusters and gaps: a planted gap is found first and nothing else where there is none, counts agree with counting, and no test label enters."""

import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import assay
from assay import UserError
from assay.curation.features import neighbor_graph
from assay.curation.formats.base import ImportOptions
from assay.curation.maintenance import array_checks, integrity
from assay.curation.predictions import model_errors
from assay.curation.slicing import (
    cluster_names,
    cluster_table,
    clusters,
    gap_evidence,
    gap_kinds,
    gaps,
    metadata,
    regions,
    regression_sets,
)
from assay.curation.statistics import multiple_testing
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.jobs import tasks
from assay.pipelines.reports import contact_sheet
from tests.helpers import bench_of, digits, png, run_assay

silent = lambda line: None  # noqa: E731
LETTERS = np.array(list("abc"))


def scanned_bench(table, folder, **options):
    bench = bench_of(table, folder, **options)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    return bench


def pixels_of(table):
    return np.stack([np.asarray(Image.open(io.BytesIO(b)), float).ravel() for b in table.image])


# ---- clusters


def test_a_mode_that_train_lacks_gets_a_cluster_of_its_own():
    rng = np.random.default_rng(0)
    heap = np.arange(400) % 4
    V = np.eye(4)[heap] + 0.1 * rng.standard_normal((400, 4))
    V = (V / np.linalg.norm(V, axis=1, keepdims=True)).astype("f4")
    test = np.arange(400) >= 300
    at, centres = clusters.kmeans(V, ~test)
    parts = {c: set(heap[at == c]) for c in set(at)}
    assert all(len(heaps) == 1 for heaps in parts.values()) and set().union(*parts.values()) == {
        0,
        1,
        2,
        3,
    }
    assert (np.diff(np.bincount(at[~test])) <= 0).all() and np.allclose(
        np.linalg.norm(centres, axis=1), 1, atol=1e-4
    )
    coarse = clusters.merge_clusters(
        np.repeat(np.eye(6), 5, 0) + 0.01 * rng.standard_normal((30, 6)), np.ones(30)
    )
    assert len(set(coarse)) == 8 and all(
        len(set(coarse[i * 5 : i * 5 + 5]) & set(np.delete(coarse, range(i * 5, i * 5 + 5)))) == 0
        for i in range(6)
    )


def test_a_name_says_what_is_in_it_and_no_two_are_equal():
    assert [
        cluster_names.describe_labels(LETTERS, np.array(c))
        for c in ([9, 1, 0], [5, 3, 2], [4, 4, 2], [0, 0, 0])
    ] == [
        "mostly a",
        "mostly a, some b, some c",
        "some a, some b, some c",
        "unlabelled",
    ]
    labels, at = (
        ["a"] * 20 + ["a"] * 18 + ["b"] * 2 + ["c"] * 20 + ["a"] * 9,
        np.repeat([0, 1, 2, 3], [20, 20, 20, 9]),
    )
    sites = ["x"] * 20 + ["y"] * 49
    state = pd.DataFrame(
        dict(label=labels, given_label=labels, split="train", width=8, height=8),
        index=[f"s{i}" for i in range(69)],
    )
    state["meta"] = [json.dumps(dict(site=s, label_again=t)) for s, t in zip(sites, labels)]
    assert cluster_names.propose_names(state, at) == [
        "mostly a (site = x)",
        "mostly a, few b",
        "mostly c",
        "mostly a",
    ]
    assert "label_again" not in metadata.slice_by_informative_metadata(
        state
    ) and "label_again" in metadata.slice_by_metadata(state), "it only says the label again"


@pytest.mark.daily
def test_clusters_stay_when_images_come_until_a_fifth_came(tmp_path):
    table = digits(420)
    bench = scanned_bench(table[:300], tmp_path / "a")
    state = bench.state()
    before = dict(zip(state.index, clusters.assign_clusters(bench, state)))
    file = bench.arrays / "clusters.npz"
    first = file.read_bytes()
    assert (
        clusters.assign_clusters(bench, state).tolist() == list(before.values())
        and file.read_bytes() == first
    )
    file.unlink()
    clusters.assign_clusters(bench, state)
    assert file.read_bytes() == first, "made again, the same to the byte"
    assert [f for f in integrity.check_bench(bench) if f["kind"] not in array_checks.NOTES] == []
    for upto, stay in ((336, True), (420, False)):
        table[:upto].to_parquet(tmp_path / "a" / "digits.parquet")
        ingest(
            bench,
            tmp_path / "a" / "digits.parquet",
            "tester",
            ImportOptions(columns=dict(label="label"), refreeze_test=True),
        )
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
        state = bench.state()
        now = dict(zip(state.index, clusters.assign_clusters(bench, state)))
        assert len(now) == upto and all(now[s] == c for s, c in before.items()) is stay
        if stay:  # the others are where their likest neighbours are, more often than any chance would have it
            graph, at = (
                neighbor_graph.Graph.load(bench.arrays / "graph.npz"),
                np.searchsorted(
                    load_arrays(bench.arrays / "graph.npz")["hashes"],
                    np.asarray(state.content_hash, "S32"),
                ),
            )
            of_node = dict(zip(at, now.values()))
            new = [i for i, s in enumerate(state.index) if s not in before]
            assert (
                np.mean([of_node[graph.neighbours[at[i]][0]] == now[state.index[i]] for i in new])
                > 0.5
            )


@pytest.mark.slow
def test_a_persons_name_goes_where_its_sample_goes(scanned):
    state = scanned.state()
    known = cluster_names.samples_by_cluster(scanned, state)
    old = next(
        name
        for name in known
        if sum(name.startswith(k) for k in known) and sum(k.startswith(name) for k in known) == 1
    )
    batch = cluster_names.rename_cluster(scanned, old, "night  work", "ann")["batch"]
    now = cluster_names.samples_by_cluster(scanned, state)
    assert (
        now["night  work"] == known[old]
        and set(known) - set(now) == {old}
        and len(now) == len(known)
    )
    sample = scanned.rules()[next(r for r in scanned.rules() if r.startswith("cluster:"))]["sample"]
    assert sample in known[old] and state["split"][sample] in ("train", "val")
    (scanned.arrays / "clusters.npz").unlink()
    fewer = state[state["split"] != "val"]  # another clustering altogether
    assert sample in cluster_names.samples_by_cluster(scanned, fewer).get("night  work", [sample])
    (scanned.arrays / "clusters.npz").unlink()
    assert "night  work" not in cluster_names.samples_by_cluster(scanned, state, "coarse"), (
        "each level has names of its own"
    )
    other = next(name for name in now if name != "night  work")
    for cluster, title, word in (
        ("nothing", "x", "known are"),
        (other, "night  work", "no other fine cluster"),
        (other, " ", "no other"),
    ):
        with pytest.raises(UserError, match=word):
            cluster_names.rename_cluster(scanned, cluster, title, "ann")
    cluster_names.rename_cluster(scanned, "night", "day", "bob")
    assert "day" in cluster_names.samples_by_cluster(
        scanned, state
    ) and "night  work" not in cluster_names.samples_by_cluster(scanned, state), (
        "the last name counts"
    )
    scanned.undo(scanned.batches().name.iloc[-1], "bob")
    scanned.undo(batch, "ann")
    assert cluster_names.samples_by_cluster(scanned, state) == known


@pytest.mark.slow
def test_the_table_of_clusters_counts_what_counting_counts(scanned):
    state, table = scanned.state(), cluster_table.tabulate_clusters(scanned)
    wrong = model_errors.find_model_errors(scanned)
    kept = load_arrays(scanned.arrays / "opinion.npz")
    by_hand = dict(
        zip(
            kept["ids"].astype(str),
            np.array(json.loads(str(kept["classes"])))[kept["pred_probs"].argmax(1)],
        )
    )
    for row in table.itertuples():
        ids = cluster_names.samples_by_cluster(scanned, state)[row.cluster]
        assert [row.train, row.val, row.test] == [
            (state["split"][ids] == s).sum() for s in ("train", "val", "test")
        ]
        val = [s for s in ids if s in wrong.index]
        assert row.n == len(val) and (
            not val
            or row.accuracy == pytest.approx(np.mean([by_hand[s] == state.label[s] for s in val]))
        )
        assert (not val) or row.low < row.accuracy < row.high or row.accuracy == 1 == row.high
        assert sum(row.labels.values()) == pytest.approx(1, abs=1e-3)
    assert (
        table.n.sum() == (state["split"] == "val").sum()
        and table.cluster.is_unique
        and not table.named.any()
    )


# ---- formulas


def test_p_values_and_ratios_are_those_of_scipy():
    from scipy.stats import fisher_exact, norm

    rng = np.random.default_rng(0)
    for _ in range(30):
        n, N, K = rng.integers(1, 30), 200, int(rng.integers(1, 100))
        k = int(rng.integers(max(0, n + K - N), min(n, K) + 1))
        table = [[k, n - k], [K - k, N - K - n + k]]
        assert regions.more_errors_p(k, n, K, N) == pytest.approx(
            fisher_exact(table, "greater").pvalue
        )
        a, b = int(rng.integers(0, 20)), int(rng.integers(0, 20))
        assert regions.fewer_in_train_p(a, 300, b, 100) == pytest.approx(
            fisher_exact([[a, 300 - a], [b, 100 - b]], "less").pvalue
        )
    middle, low, high = regions.density_ratio(10, 300, 20, 100)
    se = np.sqrt(1 / 10.5 - 1 / 300.5 + 1 / 20.5 - 1 / 100.5)
    assert (middle, high / middle, middle / low) == pytest.approx(
        (10.5 / 300.5 * 100.5 / 20.5, *[np.exp(norm.ppf(0.975) * se)] * 2)
    )
    p = np.array([0.001, 0.04, 0.03, 0.8])
    assert (
        multiple_testing.adjust_fdr(p) == pytest.approx([0.004, 0.16 / 3, 0.16 / 3, 0.8])
        and len(multiple_testing.adjust_fdr(p[:0])) == 0
    )


def test_cells_are_counted_as_a_cross_table_counts():
    rng = np.random.default_rng(0)
    f = regions.Facet("class", ["class a", "class b"], rng.integers(-1, 2, 500))
    g = regions.Facet("cluster", ["cluster x", "cluster y", "cluster z"], rng.integers(0, 3, 500))
    here = rng.random(500) < 0.4
    found = {
        regions.name_cell(r.facets, r.cell): r
        for r in regions.count_cells([f, g], dict(here=here)).itertuples()
    }
    assert len(found) == 2 + 3 + 6
    for i, a in enumerate(f.names):
        for j, x in enumerate(g.names):
            r = found[f"{a} in {x}"]
            assert (
                r.here == (here & (f.codes == i) & (g.codes == j)).sum()
                and r.all_here == (here & (f.codes >= 0)).sum()
            )
            assert ((r.code == r.cell) == ((f.codes == i) & (g.codes == j))).all()


def test_what_a_region_explains_is_what_the_rest_of_its_classes_does_not():
    wrong = np.array([1, 1, 1, 0] + [1, 0, 0, 0] * 5, bool)
    label = np.array([0] * 4 + [0] * 10 + [1] * 10)
    inside, none = np.arange(24) < 4, np.zeros(24, bool)
    rest = (wrong[4:14].sum() + 2 * wrong[4:].mean()) / 12
    count = lambda m: [np.bincount(label[m & some], minlength=2) for some in (~none, wrong)]  # noqa: E731
    found = regions.expected_errors(
        np.array([count(m) for m in (inside, inside, none)]),
        np.array(count(~none)),
        np.array([False, True, False]),
    )
    assert found == pytest.approx([4 * rest, 4 * wrong[4:].mean(), 0]), (
        "a class against all others; what nothing lies in explains nothing"
    )


@pytest.mark.slow
def test_where_errors_are_dealt_out_at_random_seldom_one_region_stands_out():
    """Family-wise under the null, for which Benjamini and Hochberg's bound is the same: at most 5 % of draws find anything."""
    rng, draws, false = np.random.default_rng(1), 200, 0
    facets = [
        regions.Facet(k, [f"{k}{i}" for i in range(m)], rng.integers(0, m, 600))
        for k, m in (("class", 5), ("cluster", 12), ("metadata", 3))
    ]
    for _ in range(draws):
        c = regions.count_cells(
            facets, dict(wrong=rng.permutation(600) < 90, val=np.ones(600, bool))
        )
        false += (
            multiple_testing.adjust_fdr(
                regions.more_errors_p(c.wrong, c.val, c.all_wrong, c.all_val)
            )
            <= gap_kinds.FOUND
        ).any()
    assert false / draws <= 0.05


# ---- stories


@pytest.fixture(scope="module")
def way(tmp_path_factory):
    """Digits of which one way of writing a 1 (one of three, by k-means of raw pixels within the ones) is all but gone from train: 90 % of it is in
    the pool, without labels, among 200 other unlabelled digits. (bench, keys of that way, of val)."""
    from sklearn.cluster import KMeans

    table = digits(1797, wrong=0)
    ones = np.flatnonzero(table.truth == "1")
    found = KMeans(3, random_state=0, n_init=4).fit_predict(pixels_of(table.iloc[ones]))
    mode = ones[found == np.bincount(found).argmax()]
    train = mode[(table["split"].iloc[mode] == "train").to_numpy()]
    others = np.setdiff1d(np.flatnonzero(table["split"] == "train"), ones)
    moved = np.r_[
        train[: round(0.9 * len(train))], np.random.default_rng(0).permutation(others)[:200]
    ]
    table.loc[moved, ["split", "label"]] = ["pool", None]
    bench = scanned_bench(table.drop(columns="truth"), tmp_path_factory.mktemp("way"))
    return bench, set(table.id.iloc[mode]), table


@pytest.mark.slow
def test_a_way_of_writing_a_one_that_train_lacks_is_the_first_gap(way):
    bench, mode, table = way
    found, state = gaps.find_gaps(bench), bench.state()
    first = found.iloc[0]
    mine = state.loc[gaps.gap_members(bench, first.gap)]
    pool, val = mine[mine["split"] == "pool"], mine[mine["split"] == "val"]
    print(
        found[["gap", "train", "val", "pool", "errors", "ratio", "explains"]].to_string(),
        val.key.isin(mode).mean(),
        pool.key.isin(mode).mean(),
    )
    assert first.kind == "thin" and first.ratio < 0.3 and first.ratio_high < 0.5 and len(found) < 10
    assert val.key.isin(mode).mean() > 0.5 and first.explains > 2 and first.rate > 3 * first.rest
    assert (first.train, first.val, first.pool) == tuple(
        (mine["split"] == s).sum() for s in ("train", "val", "pool")
    )
    assert (
        first.errors == model_errors.find_model_errors(bench).wrong[val.index].sum()
        and f"{first.errors} of {first.val} val" in first.why
    )
    judged = model_errors.find_model_errors(bench)
    judged = judged[judged.label.notna()]
    elsewhere = judged.wrong[~judged.index.isin(mine.index)].astype(float)
    assert (first.rest, first.n_rest) == (pytest.approx(elsewhere.mean()), len(elsewhere)) and len(
        elsewhere
    ) + first.val == len(judged)
    assert found.gap.is_unique and f"--gap '{first.gap}' --in pool" in first.action
    assert gaps.gap_seeds(bench, first.gap) == [
        s for s in gaps.gap_members(bench, first.gap) if s in val.index
    ]
    assert gaps.gap_members(bench, first.gap[:-1]) == list(mine.index), "the beginning is enough"
    with pytest.raises(UserError, match=re.escape(first.gap)):
        gaps.gap_members(bench, "nothing")
    assert not set(mine["split"]) & {"test", "guard"}


@pytest.mark.slow
def test_explained_errors_are_not_counted_twice(way):
    bench, _, _ = way
    found, wrong = gaps.find_gaps(bench), model_errors.find_model_errors(bench).wrong
    seen, total = set(), 0.0
    for row in found.itertuples():
        mine = set(gaps.gap_members(bench, row.gap)) & set(wrong.index) - seen
        assert row.explains <= wrong[list(mine)].sum() + 1e-9, (
            f"{row.gap} explains more than is left"
        )
        seen, total = seen | mine, total + max(0, row.explains)
    assert total <= wrong.sum()
    groups = [
        0 if k in ("thin", "rare", "absent") else 1 if k == "error" else 2 for k in found.kind
    ]
    assert groups == sorted(groups)


@pytest.mark.slow
def test_the_list_stands_until_the_next_one_and_is_derived(way, tmp_path):
    bench, _, _ = way
    file = bench.arrays / "gaps.npz"
    found, stamp = gaps.find_gaps(bench), file.stat().st_mtime_ns
    again = gaps.find_gaps(bench)
    assert again.equals(found) and file.stat().st_mtime_ns == stamp, "kept"
    kept = file.read_bytes()
    file.unlink()
    assert gaps.find_gaps(bench).equals(found) and file.read_bytes() == kept, (
        "found again, the same to the byte"
    )
    file.unlink()
    assert gaps.gap_members(bench, found.gap[0]), "lost, so found anew"
    assert gaps.find_gaps(bench, "v1")[["gap", "explains"]].equals(found[["gap", "explains"]]), (
        "the same labels, by a probe of their own"
    )


@pytest.mark.slow
def test_a_list_of_an_older_assay_goes_by_the_names_of_today(way):
    bench, _, _ = way
    file, found = bench.arrays / "gaps.npz", gaps.find_gaps(bench)
    kept = load_arrays(file)
    rows = json.loads(str(kept["table"]))
    old = [row | dict(gap=f"{row['kind']}: {row['region']}") for row in rows]
    save_arrays(file, **kept | dict(table=np.array(json.dumps(old))))
    assert [row["gap"] for row in gaps.load_last_gaps(bench)] == list(found.gap)
    thin = next(row for row in old if row["kind"] == "thin")
    assert gaps.gap_members(bench, thin["gap"]), "its stored name still finds it"
    now = gaps.find_gap(bench, thin["gap"])
    assert now["gap"] == f"under-represented: {thin['region']}" and now["kind"] == "thin"


@pytest.mark.daily
def test_of_a_large_bench_the_last_list_is_shown_until_somebody_asks(way, tmp_path, monkeypatch):
    bench, _, _ = way
    shutil.copytree(bench.path, tmp_path / "bench")
    bench = assay.open(tmp_path / "bench")
    found, val = gaps.find_gaps(bench), bench.state().query("split == 'val'").index
    bench.edit(pd.DataFrame(dict(sample=val[:3], tag="seen")), "ann")
    now, late = gaps.load_recent_gaps(bench)
    assert late == 0 and now.equals(found), "a small one is found at once"
    bench.edit(pd.DataFrame(dict(sample=val, keep=False)), "ann")
    monkeypatch.setattr(gaps, "PROMPT", 0)
    old, late = gaps.load_recent_gaps(bench)
    assert old.equals(found) and late == len(val)
    tasks.start_task(bench, "gaps").wait()
    now, late = gaps.load_recent_gaps(bench)
    assert late == 0 and not now.val.any() and found.val.any(), "val is gone, and the list knows"


@pytest.mark.slow
def test_other_test_labels_make_the_same_clusters_gaps_and_sheets_to_the_byte(tmp_path):
    seen = []
    for name in "ab":
        table = digits(500, wrong=0.1)
        table.loc[(table["split"] == "train") & (table.truth == "4"), "label"] = "9"
        test = table["split"] == "test"
        if name == "b":
            table.loc[test, "label"] = table.label[test].to_numpy()[::-1]
        table["site"] = np.where(table.truth.astype(int) % 2, "x", "y")
        bench = scanned_bench(table.drop(columns="truth"), tmp_path / name)
        rows, files = (
            gaps.find_gaps(bench),
            [(bench.arrays / f).read_bytes() for f in ("clusters.npz", "gaps.npz")],
        )
        every = [
            cluster_table.tabulate_clusters(bench, level=level).to_json()
            for level in clusters.LEVELS
        ]
        sheets = [
            contact_sheet.write_cluster_sheet(
                bench, cluster_table.tabulate_clusters(bench), tmp_path / name / "c.html", "fine"
            ),
            contact_sheet.write_gap_sheet(bench, rows, tmp_path / name / "g.html"),
        ]
        seen.append(
            [
                rows.drop(columns="action").to_json(),
                files[0],
                every,
                [s.read_text().replace(str(bench.given), "") for s in sheets],
            ]
        )
        tested = {s for s in bench.state().key[bench.state()["split"] == "test"]}
        assert len(rows) and not any(
            f'title="{key}"' in s.read_text() for key in tested for s in sheets
        )
        assert any(
            f'title="{key}"' in sheets[0].read_text()
            for key in bench.state().key[bench.state()["split"] == "train"]
        )
    assert seen[0] == seen[1]


@pytest.mark.slow
def test_a_class_that_is_rare_or_absent_and_a_cell_that_is_missing(tmp_path):
    table = digits(900, wrong=0)
    train, three, four = (table["split"] == "train"), table.truth == "3", table.truth == "4"
    table["site"] = np.array(["x", "y"])[np.random.default_rng(0).integers(0, 2, len(table))]
    gone = train & (
        three | four & (table.index % 12 > 0) | (table.truth == "5") & (table.site == "x")
    )
    table = table[~gone]
    bench = scanned_bench(table.drop(columns="truth"), tmp_path)
    found = gaps.find_gaps(bench).set_index("gap")
    left = table[table["split"] == "train"]
    assert "absent: class 3" in found.index[:3] and "rare: class 4" in found.index[:3]
    cell, row = "class 5 with site = x", found.loc["absent: class 3"]
    assert row.train == 0 and row.errors == row.val == (three & (table["split"] == "val")).sum(), (
        "what train does not know, nobody gets right"
    )
    assert found.loc["rare: class 4"].train == (left.truth == "4").sum() > 0
    mine = found.loc[[g for g in found.index if g.endswith(cell)][0]]
    assert (
        mine.train == 0 and mine.kind in ("absent", "thin") and found.index.get_loc(mine.name) < 6
    )
    expected = (left.truth == "5").sum() * (left.site == "x").sum() / len(left)
    assert mine.expected == pytest.approx(expected)
    assert not any(
        "class 6 with site" in g or "class 7 with site" in g
        for g in found.index
        if not g.startswith("error")
    )


@pytest.mark.slow
def test_labels_that_contradict_their_neighbours_and_samples_far_from_all(tmp_path):
    table, rng = digits(900, wrong=0), np.random.default_rng(0)
    zeros = table.index[(table.truth == "0") & table["split"].isin(("train", "val"))]
    table.loc[zeros, "label"] = rng.choice(list("05"), len(zeros))
    noise = (
        table[table["split"] == "train"]
        .head(12)
        .assign(
            id=[f"n{i}" for i in range(12)],
            image=[png(rng.integers(0, 255, (8, 8))) for _ in range(12)],
            split="pool",
            label=None,
        )
    )
    more = table[table["split"] == "train"].sample(60, random_state=0).index
    table.loc[more, ["split", "label"]] = ["pool", None]
    bench = scanned_bench(
        pd.concat([table, noise], ignore_index=True).drop(columns="truth"), tmp_path
    )
    ground = gap_evidence.GapEvidence(bench)
    odd = [mask for _, mask in gap_kinds.find_inconsistent_labels(ground)]
    truth = dict(zip(table.id, table.truth))
    inside = [truth.get(k) == "0" for k in ground.state.key[np.any(odd, 0)]]
    assert (
        np.mean(inside) > 0.8
        and sum(inside) > 0.7 * (table.truth[table["split"] != "test"] == "0").sum()
    ), "the zeros, and little else"
    ((row, far),) = [
        found for found in gap_kinds.find_isolated(ground) if found[0]["region"].startswith("pool")
    ]
    keys = set(ground.state.key[far])
    assert (
        len(keys & set(noise.id)) >= 9
        and len(keys) <= 20
        and row["expected"] == pytest.approx(0.72)
    )
    first = gaps.find_gaps(bench)
    held = [set(bench.state().key[gaps.gap_members(bench, g)]) for g in first.gap]
    assert any(len(keys & h) > 9 for h in held), (
        "on the list by this name or, as here, as a cluster that train has nothing of"
    )


@pytest.mark.daily
def test_labels_in_order_leave_no_gap(tmp_path):
    bench = scanned_bench(digits(900, wrong=0).drop(columns="truth"), tmp_path)
    assert not gaps.find_gaps(bench).kind.isin(("thin", "rare", "absent")).any(), (
        "train and val are one draw"
    )


# ---- the verbs


@pytest.mark.daily
def test_a_gap_becomes_a_regression_set_that_a_gate_judges(way, tmp_path):
    import shutil

    from assay.pipelines.experiments import run
    from assay.pipelines.experiments.plan import check_plan as checked

    shutil.copytree(way[0].path, tmp_path / "bench")
    bench = assay.open(tmp_path / "bench")
    status, out, _ = run_assay(
        "gaps", "-b", bench.path, "--csv", tmp_path / "g.csv", "--sheet", tmp_path / "g.html"
    )
    gap = gaps.find_gaps(bench).gap[0]
    assert (
        status == 0
        and f"  1  {gap}" in out
        and "--from-gap" in out.splitlines()[-1]
        and len(pd.read_csv(tmp_path / "g.csv")) == len(gaps.find_gaps(bench))
    )
    assert (
        "Wrong on val" in (tmp_path / "g.html").read_text()
        and "In the pool from there" in (tmp_path / "g.html").read_text()
    )
    mine = bench.state().loc[gaps.gap_members(bench, gap)]
    val = set(mine.index[mine["split"] == "val"])
    assert (
        run_assay(
            "guard", "ones", "--from-gap", "thin", "--score", "2", "--who", "ann", "-b", bench.path
        )[0]
        == 2
    )
    status, out, err = run_assay(
        "guard", "ones", "--from-gap", gap, "--who", "ann", "-b", bench.path, "--json"
    )
    told = json.loads(out)
    frozen = regression_sets.frozen_sets(bench, bench.state())["ones"]
    assert status == 0 and set(frozen["samples"]) == val and told["moved"]["val"] >= len(val), (
        "all of val there, not only the errors"
    )
    rest = gaps.find_gap(bench, gap)["rest"]
    assert (
        told["sets"][0]["score"] == pytest.approx(1 - rest, abs=0.0101)
        and 1 - rest >= told["sets"][0]["score"]
    )
    assert not {s for s in gaps.gap_members(bench, gap) if s in val}, (
        "a regression set is in no gap"
    )
    assert run_assay("scan", "-b", bench.path, "--embedder", "pixels")[0] == 0
    bench.commit("guarded", "ann", "guarded")
    run.run_plan(
        bench, checked(dict(versions=["guarded"], architectures=["probe"], seeds=2)), silent
    )
    (tmp_path / "plan.toml").write_text(
        'versions = ["guarded"]\narchitectures = ["probe"]\nseeds = 2\n'
    )
    status, out, _ = run_assay(
        "gate", "--plan", tmp_path / "plan.toml", "--no-regression", told["file"], "-b", bench.path
    )
    assert (
        status in (0, 1)
        and "ones, probe on guarded: accuracy" in out
        and f"({len(val)} samples" in out
    )
    assert (
        run_assay("guard", "ones", "--from-gap", gap, "--who", "ann", "-b", bench.path)[0] == 2
    ), "nothing of it is left in val"


@pytest.mark.slow
def test_the_verbs_say_what_they_did(scanned, tmp_path):
    status, out, _ = run_assay(
        "clusters", "-b", scanned.path, "--level", "coarse", "--sheet", tmp_path / "c.png"
    )
    assert status == 0 and "5 coarse clusters" in out and "next: assay clusters --rename" in out
    width, height = Image.open(tmp_path / "c.png").size
    assert width == 12 * 100 and height == 5 * 120
    rows = json.loads(run_assay("clusters", "-b", scanned.path, "--json")[1])["rows"]
    assert len(rows) == len(cluster_table.tabulate_clusters(scanned)) and {
        "cluster",
        "labels",
        "accuracy",
        "flagged",
        "distance",
    } <= set(rows[0])
    status, out, _ = run_assay(
        "clusters", "-b", scanned.path, "--rename", rows[0]["cluster"], "tidy", "--who", "ann"
    )
    assert (
        status == 0
        and "is called tidy" in out
        and "tidy" in run_assay("clusters", "-b", scanned.path)[1]
    )
    assert json.loads(run_assay("gaps", "-b", scanned.path, "--json")[1])["rows"] == json.loads(
        gaps.find_gaps(scanned).to_json(orient="records")
    )
    log = scanned.rows("select count(*) from edits")
    for arguments, word in (
        (("clusters", "--rename", "zebra", "x"), "known are"),
        (("clusters", "--sheet", tmp_path / "c.txt"), "ends in .html or .png"),
        (("clusters", "--sheet", tmp_path / "no" / "c.html"), "make the folder"),
        (("gaps", "-n", "0"), "-n of 1 or more"),
        (("gaps", "--run", "abcdef"), "expected one finished run"),
        (("gaps", "--version", "v9"), "expected a version"),
        (("guard", "x", "--from-gap", "zebra"), "expected a gap"),
        (("guard", "x", "--score", "0.9"), "beside --from-gap"),
    ):
        status, _, err = run_assay(*arguments, "-b", scanned.path)
        assert status == 2 and word in err and "Traceback" not in err, err
    assert scanned.rows("select count(*) from edits") == log and not list(
        scanned.path.glob("guard-*")
    )


@pytest.mark.slow
def test_a_run_may_stand_for_the_probe(scanned):
    from assay.pipelines.experiments import run
    from assay.pipelines.experiments.cells import list_cells
    from assay.pipelines.experiments.plan import check_plan as checked

    plan = checked(dict(versions=["v1"], architectures=["probe"], seeds=1))
    run.run_plan(scanned, plan, silent)
    (cell,) = list_cells(scanned, plan)
    truth = scanned.frame(split="val").label
    from assay.curation.predictions import run_predictions

    wrong = model_errors.find_model_errors(scanned, run=cell["key"][:8])
    by_name = model_errors.find_model_errors(scanned, run="v1/probe")
    assert by_name.equals(wrong), "a run goes by its recipe as well as by its key"
    assert (
        wrong.wrong.sum()
        == len(truth) - run_predictions.mark_correct(scanned, cell["key"], truth).sum()
        > 0
    )
    assert list(gaps.find_gaps(scanned, run=cell["key"][:8]).columns) == gap_evidence.COLUMNS


def test_before_a_scan_there_are_none(bench):
    for verb in ("clusters", "gaps"):
        status, _, err = run_assay(verb, "-b", bench.path)
        assert status == 2 and "assay scan" in err


def test_centres_are_made_of_no_test_image(scanned):
    state = scanned.state()
    kept = clusters.current_clusters(scanned, state)
    made = set(kept.hashes[kept.open].astype(str))
    assert made == set(state.content_hash[state["split"] != "test"]) and len(made) == kept.made

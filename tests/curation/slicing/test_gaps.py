"""A planted gap is found first, and nothing where there is none; no test label enters."""

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
from assay.curation.predictions import model_errors
from assay.curation.slicing import (
    cluster_table,
    clusters,
    gap_evidence,
    gap_kinds,
    gap_text,
    gaps,
    regression_sets,
)
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.pipelines.jobs import tasks
from assay.pipelines.reports import contact_sheet
from tests.helpers import digits, png, run_assay, scanned_bench, silent


def pixels_of(table):
    return np.stack([np.asarray(Image.open(io.BytesIO(b)), float).ravel() for b in table.image])


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


@pytest.mark.daily
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


@pytest.mark.daily
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


@pytest.mark.slow
def test_of_more_than_a_million_samples_a_fixed_sample_tells_of_gaps(scanned, monkeypatch):
    """With the limit at 400: neighbours outside of the sample still vote, and who looks is told."""
    whole = gap_evidence.GapEvidence(scanned)
    monkeypatch.setattr(gap_evidence, "MOST_DRAWN", 400)
    ground = gap_evidence.GapEvidence(scanned)
    n = len(ground.every)
    assert len(ground.state) <= 400 < n and ground.every.equals(whole.state)
    graph, node = neighbor_graph.load_nodes(scanned, whole.every)
    rows = neighbor_graph.rows_on_nodes(graph, node, neighbor_graph.labelled_rows(whole.every))
    near = neighbor_graph.neighbour_rows(graph, node, rows)
    label = whole.every.label.to_numpy(object)
    other = gap_kinds.find_other_labels(ground, near[ground.rows])
    by_hand = [[label[i] != label[row] for i in near[row]] for row in ground.rows]
    there = near[ground.rows] >= 0
    assert np.array_equal(other[there], np.array(by_hand)[there])
    (scanned.arrays / "gaps.npz").unlink(missing_ok=True)
    found = gaps.find_gaps(scanned)
    assert found.attrs["drawn"] == (len(ground.state), n)
    said = gap_text.say_left_out(found)
    assert f"of a fixed sample of {len(ground.state):,} of {n:,}" in said
    assert said in run_assay("gaps", "-b", scanned.path)[1]
    monkeypatch.undo()
    (scanned.arrays / "gaps.npz").unlink()
    assert "fixed sample" not in gap_text.say_left_out(gaps.find_gaps(scanned))


@pytest.mark.daily
def test_labels_in_order_leave_no_gap(tmp_path):
    bench = scanned_bench(digits(900, wrong=0).drop(columns="truth"), tmp_path)
    assert not gaps.find_gaps(bench).kind.isin(("thin", "rare", "absent")).any(), (
        "train and val are one draw"
    )


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


@pytest.mark.daily
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

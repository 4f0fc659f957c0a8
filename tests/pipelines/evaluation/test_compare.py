"""What runs are judged by, and how often the test set was looked at."""

import json

import numpy as np
import pandas as pd
import pytest

from assay import UserError
from assay.pipelines.evaluation.compare import compare_versions
from assay.pipelines.evaluation.pairwise import compare_runs
from assay.pipelines.experiments import run
from assay.pipelines.experiments.cells import list_cells, version_roles
from assay.pipelines.experiments.plan import check_plan
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.half_wrong import half_wrong, one
from tests.helpers import PLAN, bench_of, digits, silent


@pytest.mark.slow
def test_what_a_run_is_judged_by_agrees_with_counting(tmp_path):
    """Accuracy recomputed by hand from the stored predictions."""
    bench = half_wrong(tmp_path)
    plan = PLAN | dict(architectures=["probe"], seeds=[0])
    run.run_plan(bench, plan, silent)
    data, state = compare_versions(bench, plan), bench.state()
    test = state[state["split"] == "test"].sort_index()
    for version, c in zip(("v1", "v2"), data["matrix"]):
        key = next(x["key"] for x in list_cells(bench, plan) if x["version"] == version)
        kept = np.load(bench.arrays / "runs" / f"{key}.npz")
        said = dict(
            zip(
                kept["ids"].astype(str), np.array(sorted(set(state.label)))[kept["probs"].argmax(1)]
            )
        )
        assert c["accuracy"]["estimate"] == pytest.approx(
            np.mean([said[s] == truth for s, truth in test.label.items()])
        )
    assert (
        data["seeds_note"].startswith("one seed") and "these trained models only" in data["verdict"]
    )
    assert data["interval"]["verdict"] == "no evidence either way"


@pytest.mark.slow
def test_unaudited_test_labels_are_said_first_and_nothing_is_too_small(tmp_path):
    bench = bench_of(digits(300, wrong=0), tmp_path)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    s = bench.state().query("split == 'train'").index[0]
    bench.edit(pd.DataFrame([dict(sample=s, keep="false")]), "ann")
    bench.commit("one dropped", "ann")
    plan = PLAN | dict(architectures=["probe"], margin=50)
    run.run_plan(bench, plan, silent)
    data = compare_versions(bench, plan)
    assert data["verdict_lines"][1].startswith("Test labels unaudited (")
    assert (
        data["verdict"].startswith("Not shown: ") and "; test labels unaudited (" in data["verdict"]
    )
    assert data["interval"]["verdict"] == "no evidence either way"


@pytest.mark.daily
def test_an_automatic_fix_brings_its_random_control_drawn_anew_for_each_seed(tmp_path):
    bench = half_wrong(tmp_path)
    plan = check_plan(dict(versions=["v1", "v1 - flagged"], architectures=["probe"], seeds=3))
    wanted = list_cells(bench, plan)
    flagged = bench.flagged("v1")
    n = int((bench.state("v1")["split"][flagged.index] == "train").sum())
    assert version_roles(bench, plan) == {
        "v1": "version",
        "v1 - flagged": "version",
        f"v1 - random({n})": "control",
    }
    control = [c for c in wanted if c["kind"] == "control"]
    assert [c["at"] for c in control] == [f"v1 - random({n}, seed={s})" for s in range(3)] and len(
        {c["train_tree"] for c in control}
    ) == 3
    assert len({c["n_train"] for c in wanted if c["version"] != "v1"}) == 1, (
        "the same number is dropped"
    )
    run.run_plan(bench, plan, silent)
    data = compare_versions(bench, plan)
    beyond = next(b for b in data["beside"] if b["kind"] == "beyond chance")
    assert (beyond["version"], beyond["against"]) == (
        "v1 - flagged",
        control[0]["version"],
    ) and beyond["low"] > 0
    assert compare_runs(bench, control[0]["version"] + "/probe", "v1 - flagged/probe")[
        "estimate"
    ] == pytest.approx(beyond["estimate"])
    assert (
        data["control"]["estimated"] is False
        and data["control"]["beyond"]["low"] < data["control"]["beyond"]["high"]
    )
    assert data["interval"]["estimate"] > data["control"]["estimate"], (
        "a third of the labels is wrong: to drop those is worth more than chance"
    )


@pytest.mark.daily
def test_every_look_at_the_test_set_is_counted_once(tmp_path):
    bench, plan = half_wrong(tmp_path), PLAN | dict(architectures=["probe"])
    run.run_plan(bench, plan, silent)
    first = compare_versions(bench, plan)["fairness"]
    assert (first["accesses"], first["edits"]) == (1, 0) and compare_versions(bench, plan)[
        "fairness"
    ]["accesses"] == 1
    s = bench.state().query("split == 'train'").index[:3]
    bench.edit(pd.DataFrame(dict(sample=s, keep="false")), "ann")
    again = compare_versions(bench, plan | dict(seeds=[0, 1]))["fairness"]
    assert (again["accesses"], again["edits"], again["first"]) == (2, 3, first["first"])
    assert len(bench.runs()) == 6
    assert compare_versions(bench, plan)["fairness"]["accesses"] == 2, (
        "validation is not the test set"
    )
    bench.runs("test")
    assert compare_versions(bench, plan)["fairness"]["accesses"] == 2, (
        "the same runs again show nothing new"
    )


@pytest.mark.daily
def test_copies_of_test_samples_in_train_are_counted(tmp_path):
    table = digits(400, wrong=0)
    test, train = (
        table.index[table["split"] == "test"][:4],
        table.index[table["split"] == "train"][:4],
    )
    for a, b in zip(train, test):
        table.at[a, "image"] = table.image[b]
    bench = bench_of(table, tmp_path, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    leaky = bench.commits().name[0]
    plan = one("probe", versions=[leaky], seeds=1)
    held = bench.state()
    assert (~held.keep).sum() >= 4, "the scan holds them out"
    run.run_plan(bench, plan, silent)
    data = compare_versions(bench, plan)
    assert (
        data["fairness"]["near_duplicates"] == {leaky: 0}
        and data["verdict"] == "one version: nothing to compare."
    )
    bench.edit(pd.DataFrame(dict(sample=held.index[~held.keep], keep="true")), "ann")
    bench.commit("copies back", "ann", "copies")
    plan = one("probe", versions=[leaky, "copies"], seeds=1)
    run.run_plan(bench, plan, silent)
    assert compare_versions(bench, plan)["fairness"]["near_duplicates"] == {
        leaky: 0,
        "copies": int((~held.keep).sum()),
    }


@pytest.mark.daily
def test_runs_are_one_table_and_two_of_them_can_be_asked_about(tmp_path):
    bench = half_wrong(tmp_path)
    plan = PLAN | dict(architectures=["probe"])
    run.run_plan(bench, plan, silent)
    table = bench.runs()
    val = bench.frame(split="val").label.sort_index()
    for row in table.itertuples():
        kept = np.load(bench.arrays / "runs" / f"{row.key}.npz")
        said = dict(
            zip(kept["ids"].astype(str), np.array(sorted(set(val)))[kept["probs"].argmax(1)])
        )
        assert (
            row.accuracy == pytest.approx(np.mean([said[s] == label for s, label in val.items()]))
            and row.low < row.accuracy < row.high
        )
    assert set(zip(table["version"], table.arch, table.seed)) == {
        (v, "probe", s) for v in ("v1", "v2") for s in range(3)
    }
    out = compare_runs(bench, "v1/probe", "v2/probe")
    assert (
        out["word"] == "helps"
        and out["low"] > 0
        and out["seeds"] == [3, 3]
        and out["gained"] > out["lost"]
    )
    a, b = (
        table[(table["version"] == v) & (table.arch == "probe") & (table.seed == 0)].key.iloc[0]
        for v in ("v1", "v2")
    )
    two = compare_runs(bench, a[:8], b)
    assert "these trained models only" in two["verdict"] and two["word"] in (
        "better",
        "no evidence either way",
    )
    test = bench.frame(split="test").label.sort_index()
    assert two["estimate"] == pytest.approx(
        np.mean(kept_right(bench, b, test)) - np.mean(kept_right(bench, a, test))
    )
    with pytest.raises(UserError, match="two different runs"):
        compare_runs(bench, "v1/probe", "v1/probe")
    for name, word in ((a[:3], "found none"), ("v9/mlp", "v1/probe"), ("", "found none")):
        with pytest.raises(UserError, match=word):
            compare_runs(bench, name, b)


def kept_right(bench, key, truth):
    kept = np.load(bench.arrays / "runs" / f"{key}.npz")
    said = dict(
        zip(
            kept["ids"].astype(str),
            np.array(json.loads(str(kept["classes"])))[kept["probs"].argmax(1)],
        )
    )
    return [said[s] == label for s, label in truth.items()]

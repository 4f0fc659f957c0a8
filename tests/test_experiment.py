"""Experiments: nothing is trained twice, test labels train nothing, a known effect is seen and no effect is not."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, bench_of, digits, truth_of

import curation
from curation import UserError, versions
from pipelines import experiment
from pipelines.compare import compare
from pipelines.scan import scan
from pipelines.simulate import decisions

PLAN = dict(question="?", versions=["v1", "v2"], architectures=["probe", "mlp"], seeds=[0, 1, 2], margin=0.5, epochs=3)
silent = lambda line: None  # noqa: E731


def half_wrong(folder):
    """A bench in which a third of the train labels are wrong in v1, and none in v2: an effect that no test could miss."""
    bench = bench_of(digits(700, wrong=0.35), folder, audited_test=True)
    scan(bench, embedder="pixels", say=silent)
    state = bench.state()
    bench.edit(decisions(state.index[state["split"] != "test"], truth_of(bench)), "expert")
    bench.commit("clean", "expert")
    return bench


def test_a_large_effect_is_seen_and_nothing_is_trained_twice(tmp_path):
    bench = half_wrong(tmp_path)
    assert experiment.run(bench, PLAN, silent) == 12
    assert experiment.run(bench, PLAN, silent) == 0
    data = compare(bench, PLAN)
    gain = data["interval"]
    assert gain["verdict"] == "helps" and gain["low"] > 0.02 and data["verdict"].startswith("helps: +")
    assert data["n_test"] == 140 and data["seeds"] == [0, 1, 2] and data["tree"]["v2"] == versions.tree(bench.state("v2"))
    assert data["control"] is None and data["control_reason"].startswith("no random control")
    assert data["interaction"]["verdict"] and {e["kind"] for e in data["effects"]} == {"data", "architecture", "interaction"}
    for c in data["cells"]:
        assert c["accuracy"]["low"] < c["accuracy"]["estimate"] < c["accuracy"]["high"] and c["balanced"]["n"] == 140


def test_what_a_run_is_judged_by_agrees_with_counting(tmp_path):
    """Accuracy recomputed by hand from the stored predictions."""
    bench = half_wrong(tmp_path)
    plan = PLAN | dict(architectures=["probe"], seeds=[0])
    experiment.run(bench, plan, silent)
    data, state = compare(bench, plan), bench.state()
    test = state[state["split"] == "test"].sort_index()
    for version, c in zip(("v1", "v2"), data["cells"]):
        key = next(x["key"] for x in experiment.cells(bench, plan) if x["version"] == version)
        kept = np.load(bench.arrays / "runs" / f"{key}.npz")
        said = dict(zip(kept["ids"].astype(str), np.array(sorted(set(state.label)))[kept["probs"].argmax(1)]))
        assert c["accuracy"]["estimate"] == pytest.approx(np.mean([said[s] == truth for s, truth in test.label.items()]))
    assert data["seeds_note"].startswith("one seed") and "these trained models only" in data["verdict"]
    assert data["interval"]["verdict"] == "no evidence either way"


def test_test_labels_train_nothing(tmp_path):
    """The same images with other test labels have the same runs, key by key."""
    keys = []
    for name in "ab":
        table = digits(300)
        if name == "b":
            test = table["split"] == "test"
            table.loc[test, "label"] = table.label[test].to_numpy()[::-1]
        bench = bench_of(table, tmp_path / name)
        scan(bench, embedder="pixels", say=silent)
        keys.append([c["key"] for c in experiment.cells(bench, PLAN | dict(versions=["v1"]))])
    assert keys[0] == keys[1]


def test_unaudited_test_labels_are_said_first_and_nothing_is_too_small(tmp_path):
    bench = bench_of(digits(300, wrong=0), tmp_path)
    scan(bench, embedder="pixels", say=silent)
    s = bench.state().query("split == 'train'").index[0]
    bench.edit(pd.DataFrame([dict(sample=s, keep="false")]), "ann")
    bench.commit("one dropped", "ann")
    plan = PLAN | dict(architectures=["probe"], margin=50)
    experiment.run(bench, plan, silent)
    data = compare(bench, plan)
    assert data["verdict"].startswith("test labels unaudited") and data["interval"]["verdict"] == "no evidence either way"


def test_counterfactual_versions_are_pure_and_the_random_control_has_the_same_class_mix(tmp_path):
    bench = half_wrong(tmp_path)
    v1 = bench.state("v1")
    flagged = bench.suspects("v1")
    flagged = flagged[v1["split"][flagged.index] == "train"]
    dropped, relabelled = bench.state("v1 - flagged"), bench.state("v1 ~ flagged")
    assert set(v1.index[v1.keep]) - set(dropped.index[dropped.keep]) == set(flagged.index)
    assert (relabelled.label[flagged.index] == flagged.suggestion).all() and (
        relabelled.label.drop(flagged.index) == v1.label.drop(flagged.index)
    ).all()
    n = len(flagged) // 2
    control = bench.state(f"v1 - random({n}, seed=3)")
    lost = v1.label[v1.keep & ~control.keep]
    assert (
        len(lost) == n
        and control.equals(bench.state(f"v1 - random({n}, seed=3)"))
        and not control.equals(bench.state(f"v1 - random({n}, seed=4)"))
    )
    assert set(lost) <= set(flagged.label)
    half = bench.state("half(v1, seed=1)")
    assert abs((half.keep & (half["split"] == "train")).sum() - (v1["split"] == "train").sum() / 2) <= 1
    assert len({versions.tree(bench.state(v)) for v in ("v1", "v1 - flagged", "v1 ~ flagged", "half(v1)")}) == 4
    assert len(bench.batches()) == 4, "asking for a version writes nothing"


def test_a_seed_draws_the_same_samples_for_every_version_and_architecture():
    frame = pd.DataFrame(index=[f"{i:032x}" for i in range(400)])
    names = [f"g{i // 2}" for i in range(400)]
    rows = experiment.bootstrap(frame, names, 1)
    assert np.array_equal(rows, experiment.bootstrap(frame, names, 1)) and not np.array_equal(rows, experiment.bootstrap(frame, names, 2))
    count = np.bincount(rows, minlength=400)
    assert (count[::2] == count[1::2]).all(), "copies are drawn together"
    assert abs(count.mean() - 1) < 0.15 and abs(count.var() - 1) < 0.4, "Poisson(1)"
    fewer = experiment.bootstrap(frame.iloc[:300], names[:300], 1)
    assert np.array_equal(np.bincount(fewer, minlength=300), count[:300]), "a version that lacks samples draws the others as before"


def test_killed_while_training_leaves_no_row_and_goes_on(tmp_path):
    bench = half_wrong(tmp_path)
    code = """
import sys, json, curation
from pipelines import experiment
experiment.run(curation.open(sys.argv[1]), json.loads(sys.argv[2]))
"""
    child = subprocess.Popen([sys.executable, "-c", code, str(bench.path), json.dumps(PLAN)], cwd=ROOT, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while bench.rows("select count(*) from runs")[0][0] < 3 and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    done = {k for (k,) in bench.rows("select key from runs")}
    assert 3 <= len(done) < 12
    assert all((bench.arrays / "runs" / f"{k}.npz").exists() for k in done)
    assert experiment.run(bench, PLAN, silent) == 12 - len(done)
    assert compare(bench, PLAN)["interval"]["verdict"] == "helps"


@pytest.mark.parametrize(
    "text, word",
    [
        ("versions = [", "TOML"),
        ("seeds = 3", "no versions"),
        ('versions = ["v1"]\nsedes = 3', "sedes"),
        ('versions = ["v1"]\nseeds = "3"', "seeds"),
        ('versions = ["v1"]\nseeds = [1, 1]', "each once"),
    ],
)
def test_a_bad_plan_is_refused(tmp_path, text, word):
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(UserError, match=word):
        experiment.read_plan(tmp_path / "plan.toml")


def test_a_report_without_runs_says_so(scanned):
    with pytest.raises(UserError, match="6 missing"):
        compare(scanned, PLAN | dict(versions=["v1"]))
    assert curation.open(scanned.path).rows("select count(*) from runs") == [(0,)]

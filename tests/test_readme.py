"""The README is a test: its commands are run on the same solar cells and print what it says, its Python snippet runs on the result."""

import os
import re
import subprocess
import sys

import pytest

from tests.readme import CONSOLE, README, alike, differences, play

TEXT = README.read_text()


@pytest.mark.daily
def test_the_loop_and_the_snippet(tmp_path):
    pytest.importorskip("elpv_dataset")
    first = [
        line.split()[2] for line in CONSOLE.search(TEXT)[1].splitlines() if line.startswith("$ ")
    ]
    assert first == ["import", "scan", "queue", "edit", "commit", "experiment"]
    for command, shown, said in play(TEXT, tmp_path):
        assert differences(command, shown, said) == [], command
    snippet = re.search(r"```python\n(.*?)```", TEXT, re.S)[1]
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 0 and "['defective', 'functional']" in done.stdout, done.stderr


def test_a_number_that_is_off_is_seen():
    assert alike("355 of 1,940 train and val labels", "358 of 1,940 train and val labels")
    assert not alike("355 of 1,940 train and val labels", "263 of 1,874 train and val labels")
    assert differences("assay import x", "2,624 samples added\n", "2,264 samples added\n")

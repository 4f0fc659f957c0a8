"""The README is a test: its commands are run on the same solar cells and print what it says, its Python snippet runs on the result."""

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text()


def masked(text):
    """Numbers, hashes and columns' widths vary from machine to machine; words do not."""
    text = re.sub(r"(edit|import|undo|audit)-[0-9a-f]{12}|\b[0-9a-f]{12}\b|\b[0-9a-f]{32}\b", "HASH", text)
    return re.sub(r"\s+", " ", re.sub(r"[-+]?\d[\d,.]*", "N", text)).strip()


def console(readme, nth):
    """[(command, its output)] of one of the README's console blocks."""
    block = re.findall(r"```console\n(.*?)```", readme, re.S)[nth]
    return [(part.split("\n", 1) + [""])[:2] for part in re.split(r"^\$ ", block, flags=re.M)[1:]]


def test_the_loop_and_the_snippet(tmp_path):
    pytest.importorskip("elpv_dataset")
    from pipelines.simulate import solar_cells

    _, truth = solar_cells(tmp_path / "demo")
    (tmp_path / "plan.toml").write_text(re.search(r"```toml\n(.*?)```", README, re.S)[1].replace("seeds = 3", "seeds = 2"))
    commands = console(README, 0)
    assert [c.split()[1] for c, _ in commands] == ["import", "scan", "queue", "edit", "commit", "experiment"]
    for command, output in commands:
        if " edit " in command:
            fill_in(tmp_path / "queue.csv", truth)
        if " experiment " in command:
            output = fewer_seeds(output)
        done = run(command, tmp_path)
        said, shown = done.stdout.splitlines(), output.rstrip().splitlines()
        if " experiment " in command:  # which verdict it is depends on the seeds
            said, shown = beginning(said), beginning(shown)
        assert masked("\n".join(said)).replace(masked(str(tmp_path)) + "/", "") == masked("\n".join(shown)), command
    shutil.copytree(tmp_path / "cells", tmp_path / "laptop")
    for command, output in console(README, 1):
        if " edit " in command:
            fill_in(tmp_path / "bob.csv", truth)
        done = run(command, tmp_path)
        assert masked(done.stdout).replace(masked(str(tmp_path)) + "/", "") == masked(output), command
    for name, text in re.findall(r"```toml\n# (\S+)\n(.*?)```", README, re.S):
        (tmp_path / name).write_text(text.replace("seeds = 3", "seeds = 2"))
    for command, output in console(README, 2):
        said, shown = run(command, tmp_path).stdout.splitlines(), output.rstrip().splitlines()
        if " guard " not in command:  # what passes and what helps depends on the seeds
            said, shown = beginning(said), beginning(shown)
        assert masked("\n".join(said)) == masked("\n".join(shown)), command
    snippet = re.search(r"```python\n(.*?)```", README, re.S)[1]
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0 and "['defective', 'functional']" in done.stdout, done.stderr


def fewer_seeds(output):
    return output.replace("3 seeds", "2 seeds").replace("12 cells, 12", "8 cells, 8")


def beginning(lines):
    """The first line up to its numbers: what it is about."""
    return [line.split(": ")[0].split("  ")[0] for line in lines[:1]]


def run(command, folder):
    arguments = [sys.executable, "-m", "pipelines", *shlex.split(command)[1:]]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    return done


def fill_in(queue, truth):
    """What a person does in a spreadsheet: a column label, with the right class in every row."""
    rows = list(csv.DictReader(queue.open()))
    with queue.open("w", newline="") as f:
        out = csv.DictWriter(f, list(rows[0]))
        out.writeheader()
        out.writerows(r | dict(label=truth[r["source_id"]]) for r in rows)

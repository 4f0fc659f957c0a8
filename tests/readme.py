"""What the README shows, run again: `python -m tests.readme` prints what differs, `--write` writes what was printed now into it.

Its figures are of the fp32 engine, which every CPU has. Of another engine (ASSAY_ENGINE=int8) the commands must hold, and each line begin alike."""

import csv
import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
ENGINE = os.environ.get("ASSAY_ENGINE") or "fp32"
CONSOLE = re.compile(r"```console\n(.*?)```", re.S)
DEMO = re.compile(r"(?<=make demo\n\n)(.*?)```\n(.*?)```", re.S)
TRAINED = {
    "experiment",
    "compare",
    "gate",
}  # which verdict stands first, and what it would take, hangs on the training's arithmetic
NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?"
FLEETING = [
    (r"\b(edit|import|undo|audit|guard)-[0-9a-f]{12}\b|\b[0-9a-f]{12}\b|\b[0-9a-f]{32}\b", "HASH"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?( ?[-+]\d\d:?\d\d)?", "TIME"),
    (rf"{NUMBER} (s|ms|min|minutes)\b", "SECONDS"),
    (
        r"by (pca; umap draws it anew as process \d+|umap)\b",
        "by pca or umap",
    ),  # which of the two, time tells
    (
        r" \((fp32|int8|fp16)\)",
        "",
    ),  # which engine embeds is the machine's choice, and what is alike follows from it
    (r"; \d+ that nearly equal a test sample are left out", ""),
]


def play(readme, folder):
    """Run the console blocks one after the other on solar cells in `folder`, as a reader would who knows the right labels.
    Yields (command, what the README shows, what was printed)."""
    from assay.pipelines.simulation.example_data import make_solar_cells

    _, truth = make_solar_cells(folder / "demo")
    tables = re.findall(r"```toml\n(?:# (\S+)\n)?(.*?)```", readme, re.S)
    for name, text in tables:
        (folder / (name or "plan.toml")).write_text(text)
    for n, block in enumerate(CONSOLE.findall(readme)):
        if n == 1:
            shutil.copytree(folder / "cells", folder / "laptop")
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, shown = (part.split("\n", 1) + [""])[:2]
            if sheet := re.match(r"assay edit (\S+\.csv)", command):
                fill_in(folder / sheet[1], truth)
            yield command, shown, run(command, folder)


def run(command, folder):
    """What an `assay ...` prints in a folder; AssertionError where it ends with anything but 0."""
    assay = Path(sys.executable).with_name("assay")
    environment = os.environ | dict(ASSAY_ENGINE=ENGINE, COLUMNS="160")
    done = subprocess.run(
        [assay, *shlex.split(command)[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, (
        f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    )
    return done.stdout.replace(f"{folder}/", "")


def fill_in(sheet, truth):
    """What a person does in a spreadsheet: the right class in the column label of every row."""
    with sheet.open(newline="") as f:
        rows = list(csv.DictReader(f))
    with sheet.open("w", newline="") as f:
        out = csv.DictWriter(f, list(rows[0]))
        out.writeheader()
        out.writerows(row | dict(label=truth[row["source_id"]]) for row in rows)


def differences(command, shown, said):
    """Lines that differ between two outputs of a command: their words, or a number by more than 3 % and 2.5."""
    left, right = (comparable(command, text) for text in (shown, said))
    same = len(left) == len(right) and all(alike(a, b) for a, b in zip(left, right))
    return (
        [] if same else list(difflib.unified_diff(left, right, "README", "now", lineterm="", n=0))
    )


def comparable(command, text):
    """The lines of an output without what differs from run to run."""
    for pattern, word in FLEETING:
        text = re.sub(pattern, word, text)
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
    if command.split()[1] == "gaps":  # which cluster stands where hangs on the last digits
        lines = [line for line in lines if re.match(r"\d+ gaps; ", line)]
    if command.split()[1] in TRAINED:
        lines = [
            line
            for line in lines
            if re.search(r"\baccuracy \d", line) and not line.startswith(("pass", "fail"))
        ]
    return [line if ENGINE == "fp32" else line.split()[0] for line in lines if line]


def alike(a, b):
    if re.sub(NUMBER, "N", a) != re.sub(NUMBER, "N", b):
        return False
    pairs = zip(*([float(n.replace(",", "")) for n in re.findall(NUMBER, line)] for line in (a, b)))
    return all(abs(x - y) <= max(2.5, 0.03 * abs(x)) for x, y in pairs)


def demo(folder):
    """What `make demo` prints, in a folder of its own."""
    return (
        re.sub(r"\S*/(report\S*\.html)", r".../demo/\1", run("assay demo", folder))
        .strip()
        .split("\nnext:")[0]
        + "\n"
    )


def main():
    text = README.read_text()
    new = text
    with tempfile.TemporaryDirectory() as folder:
        for command, shown, said in play(text, Path(folder)):
            print(f"$ {command}", *differences(command, shown, said), sep="\n", flush=True)
            new = new.replace(f"$ {command}\n{shown}", f"$ {command}\n{said}", 1)
        printed = demo(Path(folder))
    shown = DEMO.search(text)[2]
    print("$ make demo", *differences("assay demo", shown, printed), sep="\n")
    if "--write" in sys.argv:
        README.write_text(new.replace(shown, printed))


if __name__ == "__main__":
    main()

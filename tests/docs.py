"""What README and docs/ show, run again.

`python -m tests.docs [PAGE ...]` prints what differs, `--write` writes what was printed now into the pages. A page says in
a comment what it runs on: `<!-- runs on: photos cells -->`. The figures are of the fp32 engine, which every CPU has; of
another (ASSAY_ENGINE=int8) the commands must hold, and each line begin alike.
"""

import csv
import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from assay.curation.errors import UserError
from assay.pipelines.cli.main import make_parser
from tests.helpers import ROOT, digits, folders

ENGINE = os.environ.get("ASSAY_ENGINE") or "fp32"
# on solar cells, in this order: each goes on where the one before ended
STORY = (
    "docs/tutorial.md docs/how-to/work-together.md docs/how-to/work-with-versions.md "
    "docs/how-to/audit-the-test-set.md docs/how-to/keep-a-bench-safe.md docs/how-to/check-in-ci.md "
    "docs/how-to/find-gaps.md"
).split()
WINDOWS = ("app", "docs", "fiftyone", "mcp")  # verbs that stay open: read, and not run
DEMO = re.compile(r"make demo\n```\n.*?```text\n(.*?)```", re.S)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
PRINTS = re.compile(r"prints:\s*\Z")  # stands between a block of Python and what it prints
SAVED = re.compile(r"Save this as `([^`]+)`[^`]*\Z")
# which verdict stands first, and what it would take, hangs on the training's arithmetic
TRAINED = {"experiment", "compare", "gate"}
# what a network says of an image hangs on the machine's arithmetic: on solar cells the figures of these alone are exact
COUNTED = {"import", "export", "commit", "merge", "log", "check", "gc", "relocate", "restore"}
ROUNDED = 0.0011  # what the last digit of a score may differ by
NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?"
FLEETING = [
    (
        r"\b(edit|import|split|undo|redo|revert|audit|guard)-[0-9a-f]{12}\b|\b[0-9a-f]{12}\b|\b[0-9a-f]{32}\b",
        "HASH",
    ),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?( ?[-+]\d\d:?\d\d)?", "TIME"),
    (rf"{NUMBER} (s|ms|min|minutes)\b", "SECONDS"),
    (r"\.py:\d+", ".py:LINE"),
    # which of the two, time tells
    (r"by (pca; umap draws it anew as process \d+|umap)\b", "by pca or umap"),
    # which engine embeds is the machine's choice, and what is alike follows from it
    (r" \((fp32|int8|fp16)\)", ""),
    (r"; \d+ that nearly equal a test sample are left out", ""),
]


class Block(NamedTuple):
    """A block of a page."""

    language: str
    text: str
    file: str  # where the page says to save it, or ""
    printed: bool = False  # whether it is what the block before it prints


def list_pages() -> list[str]:
    """README and every page of docs/, by their paths."""
    return ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))]


def read_page(page: str) -> str:
    return (ROOT / page).read_text()


def list_blocks(text: str) -> list[Block]:
    """The blocks of a page, in their order."""
    out = []
    for found in BLOCK.finditer(text):
        before = text[: found.start()].rstrip()[-300:]
        saved = SAVED.search(before)
        printed = found[1] == "text" and bool(PRINTS.search(before))
        out.append(Block(found[1], found[2], saved[1] if saved else "", printed))
    return out


def runs_on(text: str) -> str:
    """What a page runs on: photos, photos cells, solar cells, or nothing."""
    found = re.search(r"<!-- runs on: ([^;>]*?)(; plug-in: \S+)? -->", text)
    return found[1] if found else ""


def plug_in_group(text: str) -> str:
    """The entry point group of the file that a page writes, or ""."""
    found = re.search(r"<!-- runs on: .*; plug-in: (\S+) -->", text)
    return found[1] if found else ""


def needs_engine(text: str) -> bool:
    """Whether what a page runs scans with a network, which an engine of the CPU runs."""
    by_network = re.compile(r"^(\$ )?(\S*/)?assay scan (?!.*--embedder)|\.scan\(\)", re.M)
    run = [b.text for b in list_blocks(text) if b.language in ("console", "sh", "python")]
    return runs_on(text) == "solar cells" or any(map(by_network.search, run))


# ---- where pages run


def make_photos(folder: Path) -> dict[str, str]:
    """Lay digits, two of them twice, as class folders below `folder`/photos; the right class of each by its name."""
    table = digits(300)
    copies = table[table["split"] == "train"].head(2).assign(id=["copy1", "copy2"])
    table = pd.concat([table, copies], ignore_index=True)
    folders(folder / "photos", table)
    return dict(zip(table.id, table.truth))


def make_cells(folder: Path) -> dict[str, str]:
    """The photos, and a bench of them that is scanned."""
    truth = make_photos(folder)
    run_assay("assay import photos -b cells --audited-test --who ann", folder)
    run_assay("assay scan -b cells --embedder pixels", folder)
    return truth


def make_solar_cells(folder: Path) -> dict[str, str]:
    from assay.pipelines.simulation import example_data

    example_data.make_weak_labels(folder / "demo")
    return example_data.make_solar_cells(folder / "demo")[1]


STAGES = {"photos": make_photos, "photos cells": make_cells, "solar cells": make_solar_cells}

# ---- running a page


def play(page: str, folder: Path, truth: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Run the blocks of a page one after the other, as a reader would who knows the right labels.

    Yields (command, what the page shows, what was printed) of all that shows something.
    """
    text, said = read_page(page), ""
    for block in list_blocks(text):
        if block.printed:  # its last lines: libraries print their own before
            shown = len(block.text.splitlines())
            yield "python block", block.text, "\n".join(said.splitlines()[-shown:])
        if block.language in ("text", "json"):
            continue
        if block.language == "toml":
            name = re.match(r"# (\S+\.toml)\n", block.text)
            (folder / (block.file or (name[1] if name else "plan.toml"))).write_text(block.text)
        elif block.language == "python" and block.file:
            group = group_of(block.file) if plug_in_group(text) else ""
            save_module(folder, Path(block.file).name, block.text, group)
        elif block.language == "python":
            said = run_command([sys.executable, "-c", block.text], folder)
        elif block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                run_line(line, folder, truth)
        else:
            assert block.language == "console", f"{page}: what is {block.language}?"
            for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
                command, shown = (part.split("\n", 1) + [""])[:2]
                yield command, shown, run_line(command, folder, truth)


def group_of(file: str) -> str:
    """The entry point group that stands for the folder of a file: of ours, or tests.loops."""
    parts = Path(file).parts[:-1]
    return ".".join(parts if parts[:1] == ("tests",) else ("assay", *parts)) if parts else ""


def save_module(folder: Path, name: str, text: str, group: str) -> None:
    """Save a file, and offer it to Assay as an installed distribution would."""
    (folder / name).write_text(text)
    if group:
        stem = Path(name).stem
        about = folder / f"{stem}-1.dist-info"
        about.mkdir(exist_ok=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {stem}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{stem} = {stem}\n")


def run_line(line: str, folder: Path, truth: dict[str, str]) -> str:
    """Run a line of a shell, or check it where it would install or stay open; what it printed."""
    words = shlex.split(line, comments=True)
    match words:
        case []:
            return ""
        case ["assay" | ".venv/bin/assay", verb, *_] if verb in WINDOWS:
            check_command(words[1:])
            return ""
        case ["assay", "demo", *_]:  # the stage has its tables
            check_command(words[1:])
        case ["assay" | ".venv/bin/assay", verb, *rest]:
            if verb == "edit" and rest[0].endswith(".csv"):
                fill_in(folder / rest[0], truth)
            return run_assay(line, folder)
        case ["cp" | "rm" | "mkdir", *_]:
            return run_command(words, folder)
        case ["make", target]:
            assert f"\n{target}:" in (ROOT / "Makefile").read_text(), line
        case ["python" | ".venv/bin/python", "-m", "pytest", *rest]:
            assert all((ROOT / w).exists() for w in rest if w.startswith("tests/")), line
            if "-k" in rest:  # a contract of what the page adds: it is found on PYTHONPATH
                command = [sys.executable, "-m", "pytest", "-n", "0", f"--rootdir={ROOT}"]
                tests = [str(ROOT / w) if w.startswith("tests/") else w for w in rest]
                return run_command([*command, "-p", "no:cacheprovider", *tests], folder)
        case ["python" | ".venv/bin/python", "-m", module, *_]:
            file = ROOT / module.replace(".", "/")
            assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), line
        case ["python3", "-m", "venv", *_] | ["pip", "wheel", *_]:
            pass
        case ["pip", "install", what, *_]:
            extras = re.findall(r"\[(.*)\]", what)
            known = (ROOT / "pyproject.toml").read_text()
            assert all(f"\n{e} = [" in known for e in ",".join(extras).split(",") if e), line
        case ["git", "clone", *_]:
            pass
        case _:
            raise AssertionError(f"neither run nor checked: {line}")
    return ""


def check_command(words: list[str]) -> None:
    """Let the command line read a command, which is not run."""
    try:
        make_parser().parse_args(words)
    except UserError as e:
        raise AssertionError(f"no command: assay {shlex.join(words)}") from e


def run_assay(line: str, folder: Path) -> str:
    assay = Path(sys.executable).with_name("assay")
    return run_command([str(assay), *shlex.split(line, comments=True)[1:]], folder)


def run_command(command: list[str], folder: Path) -> str:
    """What a command prints in a folder; AssertionError where it ends with anything but 0."""
    more = dict(ASSAY_ENGINE=ENGINE, COLUMNS="160", PYTHONPATH=str(folder))
    more |= dict(FIFTYONE_DATABASE_DIR=str(folder / ".fiftyone"), FIFTYONE_DO_NOT_TRACK="true")
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=os.environ | more
    )
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode == 0, f"{shlex.join(command)} ended with {done.returncode}:\n{said}"
    return done.stdout.replace(f"{folder}/", "")


def fill_in(sheet: Path, truth: dict[str, str]) -> None:
    """What a person does in a spreadsheet: the right class in the column label of every row."""
    with sheet.open(newline="") as f:
        rows = list(csv.DictReader(f))
    with sheet.open("w", newline="") as f:
        out = csv.DictWriter(f, list(rows[0]))
        out.writeheader()
        for row in rows:
            key = row["source_id"]
            out.writerow(row | dict(label=truth[key if key in truth else Path(key).stem]))


# ---- comparing


def is_exact(page: str, command: str) -> bool:
    """Whether a page's figures are the same on every machine: no network embeds or learns there."""
    words = command.split()
    by_pixels = page != "README.md" and runs_on(read_page(page)) in ("photos", "photos cells")
    return len(words) > 1 and words[1] not in TRAINED and (by_pixels or words[1] in COUNTED)


def differences(command: str, shown: str, said: str, exact: bool = False) -> list[str]:
    """Lines that differ between two outputs of a command: their words, or a number.

    Unless it is `exact`, by more than 3 % and 2.5.
    """
    left, right = (comparable(command, text) for text in (shown, said))
    same = len(left) == len(right) and all(alike(a, b, exact) for a, b in zip(left, right))
    return [] if same else list(difflib.unified_diff(left, right, "shown", "now", lineterm="", n=0))


def comparable(command: str, text: str) -> list[str]:
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


def alike(a: str, b: str, exact: bool = False) -> bool:
    """Whether two lines have the same words, and the same or nearly the same numbers."""
    if re.sub(NUMBER, "N", a) != re.sub(NUMBER, "N", b):
        return False
    pairs = zip(*([float(n.replace(",", "")) for n in re.findall(NUMBER, line)] for line in (a, b)))
    return all(abs(x - y) <= (ROUNDED if exact else max(2.5, 0.03 * abs(x))) for x, y in pairs)


def missing_lines(shown: str, said: str) -> list[str]:
    """Lines of an excerpt that an output has not, in their order; `...` stands for any."""
    left, now = comparable("assay demo", shown), iter(comparable("assay demo", said))
    return [line for line in left if line != "..." and not any(alike(line, one) for one in now)]


# ---- as a program


def show_page(page: str, folder: Path, truth: dict[str, str], write: bool) -> None:
    """Run a page in a folder, and print what differs."""
    print(page)
    new = read_page(page)
    for command, shown, said in play(page, folder, truth):
        print(
            f"$ {command}",
            *differences(command, shown, said, is_exact(page, command)),
            sep="\n",
            flush=True,
        )
        new = new.replace(f"$ {command}\n{shown}", f"$ {command}\n{said}", 1)
    if write:
        (ROOT / page).write_text(new)


def main() -> None:
    write = "--write" in sys.argv
    asked = [a for a in sys.argv[1:] if not a.startswith("--")] or list_pages()
    for stage, make in STAGES.items():
        pages = [page for page in asked if runs_on(read_page(page)) == stage]
        if not pages:
            continue
        with tempfile.TemporaryDirectory() as place:
            (made := Path(place) / "made").mkdir()
            truth = make(made)
            for page in STORY if stage == "solar cells" else pages:
                folder = made if page in STORY else Path(place) / "page"
                if page not in STORY:
                    shutil.rmtree(folder, ignore_errors=True)
                    shutil.copytree(made, folder)
                show_page(page, folder, truth, write)
    if "README.md" in asked:
        with tempfile.TemporaryDirectory() as folder:
            printed = run_assay("assay demo", Path(folder))
        print(
            "$ make demo", *missing_lines(DEMO.search(read_page("README.md"))[1], printed), sep="\n"
        )
        if write:  # an excerpt is a person's choice
            print(printed)


if __name__ == "__main__":
    main()

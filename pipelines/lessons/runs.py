"""Run a lesson, and keep what it printed, drew and checked."""

from __future__ import annotations

import ast
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.system import processes, user_cache
from assay.curation.system.extras import require
from assay.pipelines.lessons.sources import Cell, Lesson

EXTRAS = dict(matplotlib="app", elpv_dataset="demo", torch="train")  # which extra brings a package


class LessonFailed(UserError):
    """A lesson that did not run to its end."""

    code = "lesson_failed"


@dataclass
class Check:
    """A check of a lesson."""

    should: str  # what should have been
    passed: bool
    found: str  # what was instead, "" where it passed


@dataclass
class Output:
    """What a cell printed, and its figures."""

    text: str = ""
    figures: list[str] = field(default_factory=list)  # PNG in base64


@dataclass
class Run:
    """A lesson that was run, up to where it is."""

    digest: str
    outputs: dict[int, Output] = field(default_factory=dict)  # by the cell's place
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check holds, and there is one."""
        return bool(self.checks) and all(check.passed for check in self.checks)


Hear = Callable[..., object]  # hears text=, figure= and check= as they come


class Runner:
    """Runs the cells of one lesson; `run` has what came of it."""

    def __init__(self, lesson: Lesson, kernel: processes.Child) -> None:
        self.lesson, self.kernel, self.run = lesson, kernel, Run(lesson.digest)
        self.begun = time.monotonic()

    def run_cell(self, place: int, hear: Hear = lambda **about: None) -> None:
        """Run the cell at a place, if it is code; LessonFailed where it is stopped."""
        cell = self.lesson.cells[place]
        if cell.kind != "code":
            return
        output = self.run.outputs.setdefault(place, Output())
        self.kernel.send(source=cell.source, line=cell.line, check=cell.role == "check")
        while "done" not in (told := self.receive(cell)):
            if "failure" in told:
                self.fail(told["failure"]["error"], told["failure"]["line"])
            output.text += told.get("text", "")
            output.figures += [told["figure"]] if "figure" in told else []
            if "check" in told:
                told = dict(check=Check(**told["check"]))
                self.run.checks.append(told["check"])
            hear(**told)
        self.run.seconds = time.monotonic() - self.begun

    def receive(self, cell: Cell) -> dict:
        """Wait for what the kernel tells next."""
        try:
            return self.kernel.receive()
        except processes.ChildLost as e:
            self.fail(f"its process {e}", cell.line)
            raise AssertionError from None  # not reached

    def fail(self, error: str, line: int) -> None:
        """Say what stopped the lesson, and where."""
        self.run.failure = f"{error} (line {line})"
        raise LessonFailed(
            f"expected {self.lesson.name} to run to its end, found {error}",
            f"look at {self.lesson.path}, line {line}",
        )


@contextmanager
def open_runner(lesson: Lesson) -> Iterator[Runner]:
    """Open a process that runs a lesson; MissingExtra where a package is missing."""
    for package in list_imports(lesson):
        if package in EXTRAS:
            require(EXTRAS[package], package)
    kernel = processes.Child(
        "assay.pipelines.lessons.kernel", lesson.path.absolute(), MPLBACKEND="Agg"
    )
    try:
        yield Runner(lesson, kernel)
    finally:
        kernel.close()


def list_imports(lesson: Lesson) -> list[str]:
    """List the packages that a lesson imports; [] where it is no Python."""
    with suppress(SyntaxError):
        nodes = list(ast.walk(ast.parse(lesson.text)))
        plain = [a.name for node in nodes if isinstance(node, ast.Import) for a in node.names]
        parts = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        return sorted({name.split(".")[0] for name in [*plain, *parts]})
    return []


def run_lesson(lesson: Lesson, step: Callable[[int, int], object] = lambda done, of: None) -> Run:
    """Run a whole lesson; LessonFailed where it is stopped. `step` hears how far it is."""
    with open_runner(lesson) as runner:
        try:
            for place in range(len(lesson.cells)):
                step(place, len(lesson.cells))
                runner.run_cell(place)
                keep_run(lesson, runner.run)
        except LessonFailed:
            keep_run(lesson, runner.run)
            raise
    return runner.run


def run_file(lesson: Lesson) -> Path:
    """Name the file that keeps the last run of a lesson as it is now."""
    return user_cache.cache_folder("lessons") / f"{lesson.name}-{lesson.digest}.json"


def keep_run(lesson: Lesson, run: Run) -> None:
    """Keep a run for whoever looks at the lesson next, in place of older ones.

    The file is written whole or not at all.
    """
    file = run_file(lesson)
    new = file.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(asdict(run)))
    new.replace(file)
    for old in file.parent.glob(f"{lesson.name}-*.json"):
        if old != file:
            old.unlink(missing_ok=True)


def load_run(lesson: Lesson) -> Run | None:
    """Load the last run of a lesson as it is now; None for none."""
    try:
        about = json.loads(run_file(lesson).read_text())
        outputs = {int(place): Output(**output) for place, output in about["outputs"].items()}
        checks = [Check(**check) for check in about["checks"]]
        return Run(**about | dict(outputs=outputs, checks=checks))
    except (OSError, ValueError, TypeError, KeyError):
        return None

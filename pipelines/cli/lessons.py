"""The verb lesson: short lessons that run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import print_line, print_result, progress_bar
from assay.pipelines.cli.verbs import Verbs
from assay.pipelines.lessons.notebook import write_notebook
from assay.pipelines.lessons.plain_formulas import write_plain
from assay.pipelines.lessons.runs import Check, Run, keep_run, open_runner, run_lesson
from assay.pipelines.lessons.sources import Cell, Lesson, find_lesson, list_lessons


def run_asked(args: argparse.Namespace) -> int | None:
    """List the lessons, or run one of them.

    It shows a result first, asks for a guess, then has the formula above the lines that compute it. The code runs in
    a process of its own, and changes no bench.
    """
    if not args.lesson:
        if args.check or args.notebook:
            raise UserError(
                "expected a lesson beside --check and --notebook, found none",
                "assay lesson lists them",
            )
        return show_list(args)
    lesson = find_lesson(args.lesson)
    if args.notebook and args.check:
        raise UserError("expected --check or --notebook, found both", "leave one out")
    if args.notebook:
        return write_asked(args, lesson)
    interactive = not args.check and not args.json and not args.quiet
    return report_run(
        args, lesson, tell_lesson(args, lesson) if interactive else check_lesson(lesson)
    )


def show_list(args: argparse.Namespace) -> None:
    """Print the lessons, a paragraph each."""
    lessons = list_lessons()
    for lesson in lessons:
        print_line(args, f"{lesson.number}  {lesson.title} ({lesson.minutes} min to read)")
        print_line(args, f"   {lesson.claim}")
    rows = [
        dict(number=x.number, name=x.name, title=x.title, minutes=x.minutes, claim=x.claim)
        for x in lessons
    ]
    print_result(args, rows, "assay lesson 1")


def write_asked(args: argparse.Namespace, lesson: Lesson) -> None:
    """Write a lesson as a notebook."""
    path = Path(args.notebook).expanduser()
    write_notebook(lesson, path)
    n = len(lesson.cells)
    print_line(args, f"{path} is {lesson.title}, {format_count(n, 'cell')}")
    print_result(
        args, dict(file=str(path), n_cells=n), "open it in Jupyter", schema="lesson-notebook"
    )


def check_lesson(lesson: Lesson) -> Run:
    """Run a lesson without a word."""
    with progress_bar(lesson.name) as step:
        return run_lesson(lesson, step)


def tell_lesson(args: argparse.Namespace, lesson: Lesson) -> Run:
    """Run a lesson before a reader, cell by cell."""
    guess = ""
    with open_runner(lesson) as runner:
        for place, cell in enumerate(lesson.cells):
            if cell.role != "check":
                print_line(args, "")
                told = write_plain(cell.source) if cell.kind == "text" else indent(cell)
                print_line(args, told)
            if cell.role == "question":
                guess = ask_guess(args)
            if cell.role == "answer" and guess:
                print_line(args, f"(you guessed: {guess})")
            runner.run_cell(place, make_hearer(args))
        keep_run(lesson, runner.run)
    return runner.run


def indent(cell: Cell) -> str:
    """Set code apart from text."""
    return "\n".join(f"    {line}".rstrip() for line in cell.source.splitlines())


def ask_guess(args: argparse.Namespace) -> str:
    """Ask for a guess; "" where nobody is at the keyboard."""
    if not sys.stdin.isatty():
        print_line(args, "(nobody is at the keyboard: the question is left open)")
        return ""
    try:
        return input("\nyour guess: ").strip()
    except EOFError:
        return ""


def make_hearer(args: argparse.Namespace) -> Callable[..., None]:
    """Make a function that prints what a cell prints, and names what it draws."""

    def hear(text: str = "", figure: str = "", check: Any = None) -> None:
        if text:
            print(text, end="", flush=True)
        if figure:
            print_line(args, "(a figure: the workbench and the notebook show it)")

    return hear


def report_run(args: argparse.Namespace, lesson: Lesson, run: Run) -> int:
    """Print the checks of a run, a line each; the exit status is 1 where one fails."""
    print_line(args, "")
    for check in run.checks:
        print_line(args, describe_check(check))
    failed = sum(not check.passed for check in run.checks)
    n = format_count(len(run.checks), "check")
    print_line(args, f"{lesson.name}: {n}, {failed or 'none'} failed, {run.seconds:.0f} s")
    about = dict(name=lesson.name, title=lesson.title, seconds=run.seconds, passed=run.passed)
    about |= dict(
        checks=[vars(check) for check in run.checks],
        outputs=[
            dict(line=lesson.cells[place].line, text=output.text, figures=len(output.figures))
            for place, output in sorted(run.outputs.items())
        ],
    )
    then = next((x.number for x in list_lessons() if x.number > lesson.number > 0), None)
    step = f"assay lesson {then}" if then else "assay lesson"
    print_result(args, about, step, schema="lesson-run", passed=run.passed)
    return 0 if run.passed else 1


def describe_check(check: Check) -> str:
    """Describe a check in a line."""
    return f"holds: {check.should}" if check.passed else f"FAILS: {check.should} ({check.found})"


def add(verbs: Verbs) -> None:
    """Add the verb lesson."""
    verb = verbs.add("lesson", run_asked)
    verb.add_argument(
        "lesson",
        metavar="LESSON",
        nargs="?",
        help="its number or name, or a file of your own; without it, a list",
    )
    verb.add_argument(
        "--check",
        action="store_true",
        help="run it without its text, and print whether each of its checks holds; exit status 1 where one fails",
    )
    verb.add_argument(
        "--notebook", metavar="FILE", help="write it to FILE.ipynb, to be opened in Jupyter"
    )

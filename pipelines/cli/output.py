"""What a verb prints: lines, tables, progress, or the same as --json."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from unicodedata import bidirectional

from assay import curation
from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.system import processes
from assay.curation.system.collector import keep_loaded
from assay.curation.text import defuse_formulas, escape_controls, format_count, write_csv
from assay.curation.times import iso_time, localize, show_time

if TYPE_CHECKING:
    import pandas as pd

LISTENER: Callable | None = None  # who else hears of progress and result: see task.py
QUIET = False  # whether the verb was asked to print nothing but errors and data
# of all that --json prints; raised where a field goes, or means something else: see schemas/
SCHEMA_VERSION = 2


class PipeSafeOutput:
    """Standard output that its reader may close early.

    After `| head` has read enough the rest is not printed, and the work is done all the same.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int | None:
        """Write text, unless nobody reads it."""
        return self._try(self.stream.write, text)

    def flush(self) -> None:
        """Flush the stream, unless nobody reads it."""
        return self._try(self.stream.flush)

    def _try(self, what, *arguments):
        try:
            return what(*arguments)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


def bench_path(args: argparse.Namespace) -> Path:
    """The folder of the bench: --bench, else $ASSAY_BENCH, else the current folder."""
    return Path(args.bench or os.environ.get("ASSAY_BENCH") or ".")


def open_bench(args: argparse.Namespace) -> Bench:
    """Open the bench, and print the notes about it."""
    with keep_loaded():
        import pandas  # noqa: F401 - all verbs that open a bench need it

        bench = curation.open(bench_path(args))
    print_bench_notes(args, bench)
    return bench


def print_bench_notes(args: argparse.Namespace, bench: Bench) -> None:
    """Print what is worth knowing about a bench that was opened.

    This is what its upgrade put right, and whether --who may be a known person spelled otherwise.
    """
    from assay.curation.review.reviewers import find_namesake

    if bench.upgrade_note:
        print_line(
            args,
            f"note: {bench.upgrade_note}; scan again, so that they are judged: assay scan -b {bench.given}",
        )
    if other := getattr(args, "who", None) and find_namesake(bench, args.who):
        print_line(
            args,
            f"note: {other} has decided here, and {args.who} has not: if they are one, "
            f"say --who {shlex.quote(other)}, or they count as two people",
        )


def name_reviewer(args: argparse.Namespace) -> str:
    """Name who decides, for a hint.

    As --who was given; never a login name such as root.
    """
    return "YOU" if args.who == getpass.getuser() else shlex.quote(args.who)


def add_patience_option(verb: argparse.ArgumentParser, what: str = "network") -> None:
    """Add --patience to a verb that trains networks, or waits for something else."""
    verb.add_argument(
        "--patience",
        type=float,
        default=processes.PATIENCE,
        metavar="S",
        help=f"a {what} that makes no step for S seconds is stuck, and is ended (default: %(default)s)",
    )


def add_engine_options(verb: argparse.ArgumentParser) -> None:
    """Add --engine and --address to a verb whose work can be done elsewhere."""
    verb.add_argument(
        "--engine",
        default="local",
        metavar="NAME",
        help="where it is worked on: local (default), ray, or one that a plug-in adds",
    )
    verb.add_argument(
        "--address",
        metavar="ADDRESS",
        help="of the Ray cluster: auto, or HOST:PORT (default: one on this machine alone)",
    )


def read_patience(args: argparse.Namespace) -> float:
    """Read --patience, in seconds; UserError for less than 1."""
    if not 1 <= args.patience < float("inf"):
        raise UserError(
            f"expected --patience of 1 second or more, found {args.patience:g}",
            f"leave it out for {processes.PATIENCE}",
        )
    return args.patience


def print_line(args: argparse.Namespace, line: str) -> None:
    """Print a line, to standard error where standard output carries JSON."""
    if QUIET:
        return
    file = sys.stderr if args.json else sys.stdout
    print(escape_controls(line), file=file, flush=True)


def line_printer(args: argparse.Namespace) -> Callable[[str], None]:
    """Make a function that prints one line: see print_line."""
    return partial(print_line, args)


def print_result(
    args: argparse.Namespace,
    result: dict | list | None,
    next_step: str | None = None,
    *,
    schema: str | None = None,
    passed: bool = True,
) -> None:
    """Print a result as --json, or what to do next.

    schema: what the result is, where a verb has several; by default the verb. A list is printed as
    `rows`. passed: whether a check that was asked for passed.
    """
    if LISTENER and isinstance(result, dict):
        said = {k: v for k, v in result.items() if isinstance(v, str | int | float)}
        LISTENER(often=False, said=said)
    if args.json:
        print_json(describe_result(schema or args.verb, {} if result is None else result, passed))
    elif next_step and not QUIET:
        print(escape_controls(f"next: {next_step}"))


def describe_result(schema: str, result: dict | list, passed: bool = True) -> dict:
    """Describe a result as --json prints it."""
    code = "done" if passed else "check_failed"
    about = dict(schema=schema, schema_version=SCHEMA_VERSION, code=code)
    fields = dict(rows=result) if isinstance(result, list) else result
    assert not set(about) & set(fields), "a field that says what the object is"
    return about | fields


def print_json(data: dict) -> None:
    """Print one object, to whoever asked for it."""
    text = json.dumps(replace_nan(data), default=to_json_value, indent=1, allow_nan=False)
    print(text, file=processes.open_answers(), flush=True)


def replace_nan(value: Any) -> Any:
    """Write null for NaN and infinity, which JSON has not."""
    if isinstance(value, dict):
        return {str(k): replace_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [replace_nan(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def describe_error(error: UserError) -> dict:
    """Describe an error as --json prints it."""
    return dict(
        schema="error",
        schema_version=SCHEMA_VERSION,
        code=error.code,
        problem=error.problem,
        hint=error.hint,
        suggestions=error.suggestions,
        readings=[reading._asdict() for reading in error.readings],
    )


def print_table(
    args: argparse.Namespace,
    rows: pd.DataFrame,
    columns: list[str],
    next_step: str,
    *,
    none: str = "nothing to list",
    schema: str | None = None,
) -> None:
    """Print a frame as --json, or its `columns` as a table.

    With --csv it is written to a file. none: what is said of a frame without rows. schema: as print_result takes it.
    """
    save_table(args, rows)
    if not args.json and not args.csv:
        draw_table(rows, columns, none=none)
    print_result(args, to_json_rows(rows) if args.json else None, next_step, schema=schema)


def save_table(args: argparse.Namespace, rows: pd.DataFrame) -> None:
    """Write a frame to --csv, if it was asked for."""
    if args.csv:
        write_csv(defuse_formulas(localize(rows)), args.csv)
        print_line(args, f"{format_count(len(rows), 'row')} in {args.csv}")


def draw_table(
    rows: pd.DataFrame,
    columns: list[str],
    most: int | None = 50,
    none: str = "",
) -> None:
    """Draw the first rows of a frame on the terminal; of an empty one only what `none` says."""
    if QUIET:
        return
    if not len(rows):
        if none:
            print(none)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False)
    for column in columns:
        grid.add_column(
            column,
            overflow="fold",
            no_wrap=column not in ("reason", "why", "suggested_by", "message", "failed"),
        )
    for row in rows[columns].head(most or len(rows)).itertuples(index=False):
        grid.add_row(*(Text(isolate_direction(format_cell(v))) for v in row))
    Console(width=None if sys.stdout.isatty() else 160).print(grid)
    if most and len(rows) > most:
        print(f"... and {len(rows) - most:,} more (--json for all)")


def to_json_rows(rows: pd.DataFrame) -> list[dict]:
    """Turn a frame into plain data for --json."""
    return json.loads(localize(rows).to_json(orient="records"))


def to_json_value(value: Any) -> Any:
    """Turn what JSON has no word for into text.

    Numpy's numbers are numbers. A time becomes ISO 8601 with its offset.
    """
    if type(value).__module__ == "numpy":
        return replace_nan(value.tolist())
    return iso_time(value) if isinstance(value, datetime) and value.tzinfo is None else str(value)


def format_cell(value: Any) -> str:
    """Format a value of a table on one short line."""
    import pandas as pd

    if isinstance(value, tuple):
        return escape_controls(", ".join(value))[:120]
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, pd.Timestamp):
        return show_time(value)
    return escape_controls(" ".join(str(value)[:1000].split()))[:120]


def isolate_direction(text: str) -> str:
    """Isolate a text that is read from right to left.

    Else it turns its neighbours around. Unicode's isolates take no room.
    """
    from_right = any(bidirectional(c) in ("R", "AL", "AN") for c in text)
    return f"\u2068{text}\u2069" if from_right else text


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[..., None]]:
    """Show progress on standard error.

    A bar, or plain lines where no terminal is. Yields step(done, total) or step(share, text).
    """
    if QUIET or LISTENER:
        yield lambda done, total: tell_listener(text, done, total)
    elif sys.stderr.isatty():
        with draw_bar(text) as step:
            yield step
    else:
        yield ProgressLines(text).step


def tell_listener(text: str, done: float, total: int | str) -> None:
    """Tell whoever else listens how far a verb is."""
    if LISTENER:
        share, words = read_step(text, done, total)
        LISTENER(share=share, text=words)


def read_step(text: str, done: float, total: int | str) -> tuple[float, str]:
    """Read a step of progress: (share done, words)."""
    if isinstance(total, str):
        return done, total
    return done / max(1, total), f"{text}: {done:,} of {total:,}"


class ProgressLines:
    """Progress as plain lines, for a log file.

    A line each tenth, but none sooner than SOON seconds after the last, and one at least every LATE
    seconds in which there was a step. What is done within SOON seconds says nothing.
    """

    SOON, LATE = 2, 30

    def __init__(self, text: str) -> None:
        self.text, self.tenth, self.last = text, 0, time.monotonic()

    def step(self, done: float, total: int | str) -> None:
        """Print a line, if it is time for one."""
        share, words = read_step(self.text, done, total)
        waited = time.monotonic() - self.last
        if waited < self.SOON or int(10 * share) == self.tenth and waited < self.LATE:
            return
        self.tenth, self.last = int(10 * share), time.monotonic()
        print(escape_controls(f"{share:.0%} {words}"), file=sys.stderr, flush=True)


@contextmanager
def draw_bar(text: str) -> Iterator[Callable[..., None]]:
    """Draw a progress bar on a terminal; yields step as progress_bar does."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(text, total=None)

        def step(done: float, total: int | str) -> None:
            share = isinstance(total, str)
            bar.update(
                task,
                completed=round(100 * done) if share else done,
                total=100 if share else total,
                description=total if share else text,
            )

        yield step

"""What a verb shows on the terminal: lines, tables, progress, or the same as --json."""

import json
import os
import shlex
import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from unicodedata import bidirectional

from assay import curation
from assay.curation.errors import UserError
from assay.curation.system import processes
from assay.curation.text import defused, printable, write_csv
from assay.curation.times import iso_time, localize, show_time

HEARD = None  # who else is told how far the work is and what came of it: see errands


class Patient:
    """Standard output that a reader may close early (`| head`): the rest of the story is not told, and the work is done all the same."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        return self._try(self.stream.write, text)

    def flush(self):
        return self._try(self.stream.flush)

    def _try(self, what, *arguments):
        try:
            return what(*arguments)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


def bench_path(a):
    return Path(a.bench or os.environ.get("ASSAY_BENCH") or ".")


def open_bench(a):
    return told(a, curation.open(bench_path(a)))


def told(a, bench):
    """`bench`; what its upgrade put right is said, and whether `--who` may be somebody whom it knows by another spelling."""
    from assay.curation.review.reviewers import namesake

    if bench.mended:
        say(a)(
            f"note: {bench.mended}; scan again, so that they are judged: assay scan -b {bench.given}"
        )
    if other := getattr(a, "who", None) and namesake(bench, a.who):
        say(a)(
            f"note: {other} has decided here, and {a.who} has not: if they are one, say --who {shlex.quote(other)}, or they count as two people"
        )
    return bench


def add_patience(v):
    v.add_argument(
        "--patience",
        type=float,
        default=processes.PATIENCE,
        metavar="S",
        help="a network that makes no step for S seconds is stuck, and is ended (default: %(default)s)",
    )


def patience_of(a):
    if not 1 <= a.patience < float("inf"):
        raise UserError(
            f"expected --patience of 1 second or more, found {a.patience:g}",
            f"leave it out for {processes.PATIENCE}",
        )
    return a.patience


def say(a):
    """Where a line of the story goes: the terminal, or standard error where standard output carries JSON."""
    return lambda line: print(
        printable(line), file=sys.stderr if a.json else sys.stdout, flush=True
    )


def done(a, out, next=None):
    if HEARD and isinstance(out, dict):
        HEARD(often=False, said={k: v for k, v in out.items() if isinstance(v, str | int | float)})
    if a.json:
        print(json.dumps(out, default=plain, indent=1), file=processes.answer())
    elif next:
        print(printable(f"next: {next}"))


def table(a, rows, columns, next):
    """A frame as --json, as --csv FILE, or drawn on the terminal."""
    if a.csv:
        write_csv(defused(localize(rows)), a.csv)
        say(a)(f"{len(rows):,} rows in {a.csv}")
    if a.json:
        print(localize(rows).to_json(orient="records"))
        return
    if not a.csv:
        shown(rows, columns)
    print(printable(f"next: {next}"))


def shown(rows, columns, most=50):
    """The first rows of a frame, drawn on the terminal."""
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
        grid.add_row(*(Text(apart(cell(v))) for v in row))
    Console(width=None if sys.stdout.isatty() else 160).print(grid)
    if most and len(rows) > most:
        print(f"... and {len(rows) - most:,} more (--json for all)")


def records(rows):
    """A frame as plain data for --json."""
    return json.loads(localize(rows).to_json(orient="records"))


def plain(value):
    """What JSON has no word for: a time in ISO 8601 with its offset, all else as text."""
    return iso_time(value) if isinstance(value, datetime) and value.tzinfo is None else str(value)


def cell(value):
    """One value of a table, on one line and not too long."""
    import pandas as pd

    if isinstance(value, tuple):
        return printable(", ".join(value))[:120]
    if pd.isna(value):
        return ""
    return (
        f"{value:.3f}"
        if isinstance(value, float)
        else show_time(value)
        if isinstance(value, pd.Timestamp)
        else printable(" ".join(str(value)[:1000].split()))[:120]
    )


def apart(text):
    """A text that is read from right to left, kept from turning its neighbours around (Unicode's isolates; they take no room)."""
    return (
        f"\u2068{text}\u2069" if any(bidirectional(c) in ("R", "AL", "AN") for c in text) else text
    )


@contextmanager
def progress(text):
    """A progress bar on standard error for work that takes longer than a moment; yields step(done, total) or step(share, text)."""
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
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(text, total=None)

        def step(done, total):
            share = isinstance(total, str)
            if HEARD:
                HEARD(
                    share=done if share else done / max(1, total),
                    text=total if share else f"{text}: {done:,} of {total:,}",
                )
            bar.update(
                task,
                completed=round(100 * done) if share else done,
                total=100 if share else total,
                description=total if share else text,
            )

        yield step

"""The verb fiftyone: a bench in the App, its changes as edits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from assay.curation import Bench
from assay.curation.errors import Question, UserError
from assay.curation.text import format_count
from assay.pipelines.cli.fiftyone_app import PORT, find_free_port, serve_app
from assay.pipelines.cli.fiftyone_datasets import export_dataset
from assay.pipelines.cli.output import (
    draw_table,
    open_bench,
    print_line,
    print_result,
    progress_bar,
    to_json_rows,
)
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FIELD_WORDS = dict(label="labels", keep="deletions", split="splits", tag="tags")
THEIRS = ("pymongo", "mongoengine", "fiftyone", "eta")  # whose errors are FiftyOne's, not ours
LEFT_COLUMNS = "verdict sample field value stands why".split()


def run_fiftyone(args: argparse.Namespace) -> None:
    """Show the bench in the FiftyOne App, or pull changes from it.

    --pull imports what was changed there as edits, --export NAME makes a data set of your own.
    """
    if sum(map(bool, (args.pull, args.export, args.no_app))) > 1:
        raise UserError(
            "expected one of --pull, --export and --no-app, found several",
            "run one after the other",
        )
    try:
        if args.pull:
            return pull_changes(args)
        if args.export:
            return export_kept(args)
        return show_bench(args)
    except Exception as e:
        raised_by = type(e).__module__.split(".")[0]
        if raised_by not in THEIRS:
            raise
        what = "database to answer" if raised_by == "pymongo" else "own code to work"
        raise UserError(
            f"expected FiftyOne's {what}, found: {str(e)[:500] or type(e).__name__}",
            "whoever had its database open closed it, or it ended: run it again",
        ) from None


def show_bench(args: argparse.Namespace) -> None:
    """Push the bench to FiftyOne, and serve the App."""
    from assay.pipelines.fiftyone.dataset import connect_database, open_dataset
    from assay.pipelines.fiftyone.sync import push_samples

    bench = open_bench(args)
    chosen = chosen_samples(bench, args)
    port = find_free_port(args.port) if not args.no_app else None
    fo, mine = connect_database(bench, args.trust)
    dataset = open_dataset(bench, fo)
    url = dataset.info.get("app") if not mine else None
    with progress_bar("pushing"):
        out = push_samples(bench, fo, dataset, chosen)
    print_pushed(args, out)
    back = f"assay fiftyone --pull --who NAME -b {bench.given}"
    if args.no_app or url:
        shows = f"reload {url}" if url else f"assay fiftyone -b {bench.given} opens the App"
        return print_result(args, out | dict(url=url), f"{shows}; {back}")
    if not mine:
        raise UserError(
            "expected FiftyOne's database free, found another assay fiftyone at work on it",
            "wait for its end",
        )
    serve_app(args, bench, fo, dataset, port, out, back)


def print_pushed(args: argparse.Namespace, out: dict) -> None:
    """Print what FiftyOne holds now, and what is not shown there."""
    changed = f"{out['added']:,} added, {out['updated']:,} updated, {out['removed']:,} removed"
    there = f"FiftyOne holds {format_count(out['samples'], 'sample')}: {changed}"
    print_line(args, f"{there}, {out['unchanged']:,} as they were")
    if out["waiting"]:
        waiting = f"{format_count(out['waiting'], 'sample', 'has', 'have')} changes there that nobody has pulled"
        print_line(args, f"note: {waiting}: left as they are")
    for key, why in out["lost"][:5]:
        print_line(args, f"note: {key} {why}: not shown")


def chosen_samples(bench: Bench, args: argparse.Namespace) -> np.ndarray | None:
    """The samples that --query finds or --samples lists; None for all."""
    from assay.curation.slicing.slices import resolve_slices, run_slice_query
    from assay.curation.versioning import decision_cells

    if args.samples:
        rows = decision_cells.read_decisions(args.samples)
        if "sample" not in rows:
            raise UserError(
                f"expected a column sample in {args.samples}, found {', '.join(rows.columns[:-1])}",
                "assay queue --csv FILE writes one",
            )
        return resolve_slices(bench, {"--samples": list(rows["sample"])})["--samples"]
    if args.query:
        found = run_slice_query(bench, args.query)
        return resolve_slices(bench, {"--query": found})["--query"]
    return None


def pull_changes(args: argparse.Namespace) -> None:
    """Import what was changed in FiftyOne as one batch of edits.

    Conflicts, and changes that cannot be, are shown.
    """
    from assay.pipelines.fiftyone import changes, sync

    bench = open_bench(args)
    fo, dataset, pushed = sync.open_shown(bench, args.trust)
    found = sync.find_changes(bench, dataset, pushed, args.new_class)
    applied = ("apply", "conflict") if args.take == "fiftyone" else ("apply",)
    take = found[found.verdict.isin(applied)]
    rest = found.drop(take.index)
    drops = int((take.field == "keep").sum())
    if drops > len(pushed.frame) / 10 and not args.yes:
        raise Question(
            f"expected few samples deleted in FiftyOne, found {drops:,} of {len(pushed.frame):,}",
            "if that is meant, pass --yes",
        )
    out = dict(batch=None, edits=0)
    if len(take):
        why = args.why or "changed in FiftyOne"
        out = bench.edit(changes.make_decisions(take), args.who, why, args.new_class)
    print_line(args, describe_pulled(args, out, take))
    if len(found):
        sync.rewrite_pulled(bench, fo, dataset, pushed, take, rest, args.take == "bench")
    print_left(args, rest)
    then = ""
    if len(rest) and args.take != "bench":
        then = "--take fiftyone applies conflicts, --take bench reverts to what the bench says; "
    print_result(
        args,
        out | dict(applied=to_json_rows(take), left=to_json_rows(rest)),
        f"{then}assay fiftyone -b {bench.given} shows the new scores",
        schema="fiftyone-pull",
    )


def describe_pulled(args: argparse.Namespace, out: dict, take: pd.DataFrame) -> str:
    """Describe the edits that a pull made."""
    if not out["batch"]:
        return "nothing to pull: the bench stays as it was"
    counts = take.field.value_counts()
    words = ", ".join(f"{n:,} {word}" for f, word in FIELD_WORDS.items() if (n := counts.get(f)))
    return f"{out['batch']}: {format_count(out['edits'], 'edit')} by {args.who} ({words})"


def print_left(args: argparse.Namespace, rest: pd.DataFrame) -> None:
    """Print the changes that were not applied."""
    from assay.pipelines.fiftyone import changes

    if not len(rest):
        return
    again = ": what the bench says stands in FiftyOne again" if args.take == "bench" else ""
    print_line(args, f"{len(rest):,} not applied{again}")
    if not args.json:
        values = [changes.format_value(row.field, row.value) for row in rest.itertuples()]
        draw_table(rest.assign(value=values), LEFT_COLUMNS)


def export_kept(args: argparse.Namespace) -> None:
    """Export samples to the user's own FiftyOne."""
    bench = open_bench(args)
    added, lost = export_dataset(bench, args.export, chosen_samples(bench, args))
    gone = f"; {format_count(len(lost), 'image', 'is', 'are')} gone" if lost else ""
    print_line(
        args, f"{format_count(added, 'sample')} in the FiftyOne data set {args.export}{gone}"
    )
    print_result(
        args,
        dict(dataset=args.export, samples=added, lost=lost),
        f"fo.load_dataset({args.export!r}), or assay import fiftyone:{args.export} -b OTHER",
        schema="fiftyone-export",
    )


def add(verbs: Verbs) -> None:
    """Add the verb fiftyone."""
    verb = verbs.add("fiftyone", run_fiftyone, who=True)
    verb.add_argument(
        "--query",
        metavar="SELECT",
        help="only the samples whose ids a SELECT finds (default: all that are kept; FiftyOne filters)",
    )
    verb.add_argument(
        "--samples",
        metavar="FILE",
        help="only the samples in the column sample of a CSV, such as `assay queue --csv` writes",
    )
    verb.add_argument(
        "--port", type=int, help=f"of the App (default: the first that is free from {PORT})"
    )
    verb.add_argument("--no-app", action="store_true", help="push, and come back")
    verb.add_argument(
        "--pull",
        action="store_true",
        help="import labels, tags, splits and deletions from there as one batch of edits",
    )
    verb.add_argument("--why", default="", help="the reason, for the log")
    verb.add_argument(
        "--take",
        choices=("bench", "fiftyone"),
        help="with --pull: who is right where both changed (default: show them)",
    )
    verb.add_argument(
        "--new-class",
        action="append",
        default=[],
        metavar="NAME",
        help="a class that is new on purpose",
    )
    verb.add_argument(
        "--yes", action="store_true", help="really drop over a tenth of what was shown"
    )
    verb.add_argument(
        "--trust",
        action="store_true",
        help="take FiftyOne's database as it came with the bench: you know who made it",
    )
    verb.add_argument(
        "--export", metavar="NAME", help="a new data set in your own FiftyOne instead"
    )

"""The verbs undo, redo and revert."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from datetime import datetime

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.curation.times import parse_time, show_time, to_local
from assay.pipelines.cli.output import (
    draw_table,
    line_printer,
    open_bench,
    print_line,
    print_result,
    to_json_rows,
)
from assay.pipelines.cli.verbs import Verbs


def undo_batch(args: argparse.Namespace) -> None:
    """Undo the last batch of edits, or BATCH.

    An import is undone only by its name.
    """
    print_undone(args, open_bench(args).undo(args.batch, args.who), "assay redo")


def redo_last(args: argparse.Namespace) -> None:
    """Undo the last undo or revert."""
    print_undone(args, open_bench(args).redo(args.who), "assay undo")


def print_undone(args: argparse.Namespace, out: dict, verb: str) -> None:
    """Print what an undo or redo did; `verb` reverses it."""
    alone = ""
    if out["left_alone"]:
        alone = f"; {out['left_alone']:,} left alone, edited by others since"
    values = (
        f"{format_count(out['restored'], 'value')} reverted, undoing {out['undone']} by {out['by']}"
    )
    print_line(args, f"{out['batch'] or 'nothing to revert'}: {values}{alone}")
    for rename in out["renames"]:
        again = "made again" if out["undone"].startswith(("undo-", "revert-")) else "taken back"
        print_line(args, f"rename {again}: {rename}; labels given since keep their names")
    way = f"{verb} -b {args.bench or '.'} goes the other way, " if out["batch"] else ""
    print_result(args, out, f"{way}assay log --batches -b {args.bench or '.'} shows what was done")


def revert_edits(args: argparse.Namespace) -> None:
    """Revert a batch, or a person's decisions, whatever came since.

    Name BATCH, or --who NAME, --since T, --until T or several of these. The plan is shown first, then carried out.
    """
    bench, tell = open_bench(args), line_printer(args)
    named = args.who or args.since or args.until
    if bool(args.batch) == bool(named):
        raise UserError(
            "expected what to revert: a BATCH, or --who NAME, --since T, --until T or several of these",
            "assay log --batches lists batches, authors and times",
        )
    since, until = (read_time(bench, args, end, tell) for end in ("since", "until"))
    plan, out = bench.revert(args.batch, args.who, since, args.by, dry=True, until=until)
    back = plan[[bool(p) for p in plan.popped]]
    alone = plan[[not p for p in plan.popped]]
    undone = f"reverts {len(out['undone']):,} batch(es)"
    tell(
        f"plan     {undone}: {format_count(len(back), 'value', 'goes', 'go')} back, {len(alone):,} are left alone"
    )
    columns = ["sample", "slot", "now", "said", "set_by"]
    for title, rows, more in (
        ("goes back", back, ["back_to"]),
        ("left alone, edited since by others", alone, []),
    ):
        if len(rows) and not args.json:
            tell(title)
            named = rows.rename(columns=dict(value="back_to", since_who="set_by"))
            draw_table(named, columns + more, 20)
    if args.dry_run:
        planned = dict(out, plan=to_json_rows(plan))
        return print_result(args, planned, "the same without --dry-run does it")
    _, out = bench.revert(args.batch, args.who, since, args.by, until=until)
    values = f"{format_count(out['restored'], 'value')} reverted, {out['left_alone']:,} left alone"
    print_line(args, f"{out['batch'] or 'nothing to revert'}: {values}")
    then = f"assay redo -b {bench.given} takes the revert back"
    print_result(args, dict(out, plan=to_json_rows(plan)), then)


def read_time(
    bench: Bench, args: argparse.Namespace, end: str, tell: Callable[[str], object]
) -> datetime | None:
    """Read --since or --until, and say how it was understood."""
    given = getattr(args, end)
    if not given:
        return None
    ts = parse_time(given, bench.commits().set_index("name").ts.to_dict())
    tell(f"{end}    {show_time(ts)}, which is {ts:%Y-%m-%d %H:%M} UTC")
    return to_local(ts)


def add(verbs: Verbs) -> None:
    """Add the verbs undo, redo and revert."""
    verb = verbs.add("undo", undo_batch, who=True)
    verb.add_argument(
        "batch",
        metavar="BATCH",
        nargs="?",
        help="a batch of `assay log --batches` (default: the last)",
    )
    verbs.add("redo", redo_last, who=True)
    verb = verbs.add("revert", revert_edits)
    verb.add_argument("batch", metavar="BATCH", nargs="?", help="a batch of `assay log --batches`")
    verb.add_argument("--who", metavar="NAME", help="all decisions of this person")
    verb.add_argument(
        "--by",
        metavar="NAME",
        default=getpass.getuser(),
        help="who reverts; recorded in the log (default: %(default)s)",
    )
    verb.add_argument(
        "--since",
        metavar="T",
        help="decisions since '2026-11-24 15:00' (local time, or 15:00+01:00), 2h, 30m, 3d or a version's commit",
    )
    verb.add_argument(
        "--until", metavar="T", help="decisions until then, a time or version as --since takes it"
    )
    verb.add_argument("--dry-run", action="store_true", help="only show the plan")

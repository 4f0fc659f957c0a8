"""The verb duplicates: groups of copies, of which one is kept."""

from __future__ import annotations

import argparse

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.filtering.samples import mark_samples
from assay.curation.issues.duplicate_groups import tabulate_groups
from assay.curation.issues.keep_best import keep_best, plan_state
from assay.curation.issues.not_copies import mark_not_copies
from assay.curation.text import check_text, format_count
from assay.pipelines.cli.output import open_bench, print_line, print_result, print_table
from assay.pipelines.cli.verbs import Verbs

SHOWN = ["group", "samples", "alike", "conflict", "across", "splits", "labels", "keeps"]


def list_duplicates(args: argparse.Namespace) -> None:
    """List groups of copies: contradicting labels first, then those across splits.

    --keep-best drops all but the best of each group as one batch. --not-copies stores that samples
    are no copies of each other.
    """
    bench = open_bench(args)
    if args.not_copies:
        return tell_apart(args, bench)
    if args.of:
        raise UserError("expected --not-copies before --of, found none", "name the odd ones there")
    if args.keep_best:
        return drop_copies(args, bench)
    wanted = mark_samples(bench, args.where)
    rows = tabulate_groups(bench, args.exact, wanted)
    shown = rows.assign(labels=rows.labels.map(", ".join))
    for column in ("conflict", "across"):
        shown[column] = shown[column].map({True: "yes", False: ""})
    if not args.json:
        plan = plan_state(bench, bench.state(), args.exact, wanted)
        print_line(args, describe_plan(plan.count()))
    verb = "assay duplicates --keep-best --who NAME" if len(rows) else "assay status"
    print_table(args, rows if args.json else shown, SHOWN, f"{verb} -b {bench.given}", none="")


def describe_plan(plan: dict) -> str:
    """Say what keeping the best of groups would do."""
    if not plan["dropped"]:
        return "No group of copies has a sample to drop."
    return (
        f"--keep-best would drop {plan['dropped']:,} and keep {plan['kept']:,} of "
        f"{format_count(plan['groups'], 'group')}{describe_locked(plan)}"
    )


def describe_locked(plan: dict) -> str:
    """Say how many groups keep their test or guard samples."""
    if not plan["locked"]:
        return ""
    return f"; {format_count(plan['locked'], 'group')} of these keep their test or guard samples"


def drop_copies(args: argparse.Namespace, bench: Bench) -> None:
    """Drop all but the best of each group."""
    check_text(args.who, "who drops them")
    out = keep_best(bench, args.who, args.exact, mark_samples(bench, args.where))
    schema = "duplicates-keep-best"
    if out["batch"] is None:
        none = "no group of copies has a sample to drop outside test and guard"
        print_line(args, f"nothing to drop: {none}")
        return print_result(args, out, f"assay status -b {bench.given}", schema=schema)
    dropped = f"dropped {format_count(out['dropped'], 'sample')}, kept {out['kept']:,}"
    groups = f"of {format_count(out['groups'], 'group')} of copies{describe_locked(out)}"
    print_line(args, f"{out['batch']}: {dropped} {groups}; by {args.who}")
    then = f"assay commit -m '...', or assay undo {out['batch']} -b {bench.given}"
    print_result(args, out, then, schema=schema)


def tell_apart(args: argparse.Namespace, bench: Bench) -> None:
    """Store that samples are no copies of each other."""
    if args.keep_best or args.where or args.exact:
        raise UserError(
            "expected --not-copies alone, found --keep-best, --where or --exact beside it",
            "as in: assay duplicates --not-copies SAMPLE SAMPLE --who NAME",
        )
    out = mark_not_copies(bench, args.not_copies, args.who, args.of or [])
    n = format_count(len(out["samples"]), "sample", "is no copy", "are no copies")
    of = f"{len(out['others']):,} others" if out["others"] else "each other"
    print_line(args, f"{out['batch']}: {n} of {of}, says {args.who}")
    then = f"assay duplicates, or assay undo {out['batch']} -b {bench.given}"
    print_result(args, out, then, schema="duplicates-not-copies")


def add(verbs: Verbs) -> None:
    """Add the verb duplicates."""
    verb = verbs.add("duplicates", list_duplicates, who=True, csv=True)
    verb.add_argument(
        "--where",
        metavar="CONDITION",
        default="",
        help="groups that hold a sample of which this is true, as assay samples takes it",
    )
    verb.add_argument("--exact", action="store_true", help="groups with the same bytes alone")
    verb.add_argument(
        "--keep-best",
        action="store_true",
        help="drop all but the best of each group, as one batch: nothing of test or guard; a reviewed, "
        "a labelled, the largest one stays; of equals one of val before train before pool",
    )
    verb.add_argument(
        "--not-copies",
        nargs="+",
        metavar="SAMPLE",
        help="store that these are no copies of each other: it lasts through later scans",
    )
    verb.add_argument(
        "--of",
        nargs="+",
        metavar="SAMPLE",
        help="those of --not-copies are no copies of these, in place of each other",
    )

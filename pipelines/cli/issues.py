"""The verb issues: what a scan found, and copies to drop."""

from __future__ import annotations

import argparse

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import check_text, format_count
from assay.pipelines.cli.output import (
    open_bench,
    print_line,
    print_result,
    print_table,
)
from assay.pipelines.cli.verbs import Verbs

COPIES = ("near_duplicate", "exact_duplicates")
SHOWN = ["kind", "split", "label", "suggestion", "score", "source_id", "why"]


def list_issues(args: argparse.Namespace) -> None:
    """List what the scan found, one row a sample.

    --kind lists one kind; --threshold lists all that scores below it.
    """
    bench = open_bench(args)
    if args.keep_one:
        return keep_one_copy(args, bench)
    rows = bench.issues(args.kind, args.version, args.threshold)
    then = "assay queue -n 200 --csv queue.csv"
    if args.kind in COPIES and len(rows):
        then = f"assay issues --kind {args.kind} --keep-one --who NAME"
    then = f"{then} -b {bench.given}"
    if args.kind == "similar_class_names" and len(rows):
        then = rows.why.iloc[0].rpartition("): ")[2]
    print_table(args, rows, SHOWN, then)


def keep_one_copy(args: argparse.Namespace, bench: Bench) -> None:
    """Drop all but one of each group of copies, as one batch."""
    from assay.curation.issues.duplicates import drop_copies

    if args.kind not in COPIES or args.version != "HEAD" or args.threshold is not None:
        raise UserError(
            "expected copies of which one is to be kept, found another kind, version or threshold",
            "say --kind near_duplicate --keep-one, or --kind exact_duplicates --keep-one",
        )
    check_text(args.who, "who drops them")
    out = drop_copies(bench, args.kind, args.who)
    if out["batch"] is None:
        none = f"no {args.kind} group holds more than one kept sample outside test and guard"
        print_line(args, f"nothing to drop: {none}")
        return print_result(args, out, f"assay status -b {bench.given}", schema="issues-keep-one")
    groups = format_count(out["groups"], "group")
    dropped = f"dropped {format_count(out['dropped'], 'sample')} of {groups} of {args.kind}"
    print_line(args, f"{out['batch']}: {dropped}, and kept one of each, by {args.who}")
    print_result(
        args,
        out,
        f"assay commit -m '...', or assay undo {out['batch']} -b {bench.given}",
        schema="issues-keep-one",
    )


def add(verbs: Verbs) -> None:
    """Add the verb issues."""
    verb = verbs.add("issues", list_issues, who=True, csv=True, version=True)
    verb.add_argument(
        "--kind",
        help="label, leakage, outlier, near_duplicate, dark, blurry, class_imbalance, drift, ...",
    )
    verb.add_argument(
        "--threshold",
        type=float,
        metavar="S",
        help="all that scores below S, from 0 to 1, whatever the scan's own threshold was",
    )
    verb.add_argument(
        "--keep-one",
        action="store_true",
        help="drop all but one of each group of near_duplicate or exact_duplicates, as one batch",
    )

"""The verb issues: what a scan found."""

from __future__ import annotations

import argparse

from assay.pipelines.cli.output import open_bench, print_table
from assay.pipelines.cli.verbs import Verbs

COPIES = ("near_duplicate", "exact_duplicates")
SHOWN = ["kind", "split", "label", "suggestion", "score", "source_id", "why"]


def list_issues(args: argparse.Namespace) -> None:
    """List what the scan found, one row a sample.

    --kind lists one kind; --threshold lists all that scores below it.
    """
    bench = open_bench(args)
    rows = bench.issues(args.kind, args.version, args.threshold)
    then = "assay queue -n 200 --csv queue.csv" if len(rows) else "assay status"
    if args.kind in COPIES and len(rows):
        exact = " --exact" if args.kind == "exact_duplicates" else ""
        then = f"assay duplicates{exact} --keep-best --who NAME"
    then = f"{then} -b {bench.given}"
    if args.kind == "similar_class_names" and len(rows):
        then = rows.why.iloc[0].rpartition("): ")[2]
    print_table(args, rows, SHOWN, then, none="no issues")


def add(verbs: Verbs) -> None:
    """Add the verb issues."""
    verb = verbs.add("issues", list_issues, csv=True, version=True)
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

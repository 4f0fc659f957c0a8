"""The verbs clusters and gaps, on where the data are thin."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.statistics.wording import format_share
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    draw_table,
    name_reviewer,
    open_bench,
    print_line,
    print_result,
    to_json_rows,
)
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    import pandas as pd

NONE = (
    "no gaps: no class, cluster, metadata value or pair of these stands out at 5 % false discoveries; "
    "a small val shows large gaps alone"
)
LEVELS = ("fine", "coarse")  # of clusters
CLUSTER_COLUMNS = "cluster train val pool test accuracy flagged distance labels".split()


def show_clusters(args: argparse.Namespace) -> None:
    """Show the clusters of the data: sizes, labels, accuracy, flagged labels, density."""
    from assay.curation.slicing import cluster_names, cluster_table

    bench = open_bench(args)
    if args.rename:
        out = cluster_names.rename_cluster(bench, *args.rename, args.who, args.level)
        back = f"assay undo {out['batch']} -b {bench.given} reverts it"
        print_line(args, f"{out['batch']}: {out['was']} is called {out['title']}; {back}")
        then = f"assay clusters --level {args.level} -b {bench.given}"
        return print_result(args, out, then, schema="clusters-rename")
    rows = cluster_table.tabulate_clusters(bench, args.version, args.level)
    if args.sheet:
        from assay.pipelines.reports import contact_sheet

        where = contact_sheet.write_cluster_sheet(bench, rows, args.sheet, args.level)
        print_line(args, f"{where} shows the most typical images of each, and some at its edge")
    if args.json:
        return print_result(args, to_json_rows(rows))
    flat = rows.assign(
        labels=[
            ", ".join(f"{share:.0%} {label}" for label, share in list(labels.items())[:3])
            for labels in rows.labels
        ],
        accuracy=[
            f"{format_share(r.accuracy, r.low, r.high, 0)} of {r.n}" if r.n else "no val"
            for r in rows.itertuples()
        ],
        flagged=[f"{x:.0%}" if x == x else "" for x in rows.flagged],
    )
    draw_table(flat, CLUSTER_COLUMNS, most=None)
    print_line(
        args,
        f"{len(rows)} {args.level} clusters; accuracy: the probe on val; "
        "flagged: train and val labels that look wrong to it, no rate of errors",
    )
    rename = f"assay clusters --rename '{rows.cluster[0]}' NAME --who {name_reviewer(args)} -b {bench.given}"
    print_result(args, None, f"{rename}, or assay gaps -b {bench.given}")


def show_gaps(args: argparse.Namespace) -> None:
    """List where the model fails for want of data.

    Also where it is wrong more often than elsewhere. The gaps are ranked by the validation errors that they explain.
    """
    from assay.curation.slicing.gap_text import say_left_out, say_unit
    from assay.curation.slicing.gaps import find_gaps
    from assay.curation.text import defuse_formulas, write_csv

    bench = open_bench(args)
    if args.n < 1:
        raise UserError(f"expected -n of 1 or more, found {args.n}", "for example -n 20")
    rows = find_gaps(bench, args.version, args.of_run)
    if args.csv:
        write_csv(defuse_formulas(rows), args.csv)
        print_line(args, f"{format_count(len(rows), 'row')} in {args.csv}")
    if args.sheet:
        from assay.pipelines.reports import contact_sheet

        where = contact_sheet.write_gap_sheet(
            bench, rows.head(args.n), args.sheet, args.version, args.of_run
        )
        print_line(
            args,
            f"{where} shows what the model gets wrong in each, and what the pool has from there",
        )
    if args.json:
        return print_result(args, to_json_rows(rows))
    judge = f"run {args.of_run}" if args.of_run else "the probe"
    for i, gap in enumerate(rows.head(args.n).itertuples(), 1):
        print_line(args, f"{i:>3}  {describe_gap(gap)}")
    left = f", {args.n} shown" if len(rows) > args.n else ""
    about = f"errors are those of {judge} on val by its labels as given, each counted in one gap"
    found = f"{len(rows):,} gap{'s' * (len(rows) != 1)}{left}; {about} alone"
    print_line(args, found if len(rows) else NONE)
    if unit := say_unit(rows):
        print_line(args, unit)
    if more := say_left_out(rows):
        print_line(args, f"note: {more}")
    print_result(args, None, next_step(bench, rows))


def describe_gap(gap: Any) -> str:
    """Describe a gap on three lines: name, errors, what to do."""
    if gap.val:
        low, high = gap.explains_low, gap.explains_high
        errors = f"explains {gap.explains:.1f} errors [{low:.1f}, {high:.1f}]"
    else:
        errors = "no val sample lies there"
    doubt = ""
    if gap.val and gap.flagged >= 0.005:
        doubt = f"; {gap.flagged:.0%} of these val labels look wrong themselves"
    return f"{gap.gap}\n     {errors}; {gap.why}{doubt}\n     {gap.action}"


def next_step(bench: Bench, rows: pd.DataFrame) -> str:
    """Say what to do next, about the first gap or without any."""
    if not len(rows):
        return f"assay queue -n 200 -b {bench.given}"
    from assay.curation.slicing.gap_text import quote_name

    guard = f"assay guard NAME --from-gap {quote_name(rows.gap[0])} --who YOU -b {bench.given}"
    return f"{rows.action[0]}; then keep it so: {guard}"


def add(verbs: Verbs) -> None:
    """Add the verbs clusters and gaps."""
    verb = verbs.add("clusters", show_clusters, who=True, version=True)
    verb.add_argument(
        "--level",
        choices=LEVELS,
        default="fine",
        help="fine (up to 72) or coarse (up to 18) (default: fine)",
    )
    verb.add_argument(
        "--rename",
        nargs=2,
        metavar=("CLUSTER", "NAME"),
        help="call a cluster, known by its name or the beginning of it, NAME",
    )
    verb.add_argument(
        "--sheet",
        metavar="FILE",
        help="contact sheets of all clusters, .html or .png; no test image is on them",
    )
    verb = verbs.add("gaps", show_gaps, csv=True, version=True)
    verb.add_argument(
        "--run",
        dest="of_run",
        metavar="RUN",
        help="errors of a finished run instead of the probe: its key or the beginning of it",
    )
    verb.add_argument("-n", type=int, default=20, help="gaps to show (default: %(default)s)")
    verb.add_argument(
        "--sheet", metavar="FILE.html", help="their val errors and pool samples as pictures"
    )

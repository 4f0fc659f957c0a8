"""The verb opinion: what another tool found, beside our own."""

from __future__ import annotations

import argparse

from assay.curation import Bench
from assay.curation.errors import NotScanned, UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import open_bench, print_line, print_result
from assay.pipelines.cli.verbs import Verbs


def handle_opinion(args: argparse.Namespace) -> None:
    """Add another tool's findings under its name, or list them.

    FILE is a table as cleanlab's Datalab.get_issues() gives it, or the folder of Datalab.save. They stand beside our
    issues and never change them.
    """
    from assay.curation.issues import opinions
    from assay.pipelines.indexing.opinion_files import add_opinion

    bench = open_bench(args)
    if args.remove and args.file:
        raise UserError("expected FILE or --remove NAME, found both", "leave one out")
    if args.remove:
        opinions.remove_opinion(bench, args.remove)
        print_line(args, f"removed the opinion {args.remove}")
        return print_result(
            args,
            dict(removed=args.remove),
            f"assay issues -b {bench.given}",
            schema="opinion-remove",
        )
    if args.file:
        out = add_opinion(bench, args.file, args.as_)
        counts = ", ".join(f"{n:,} {kind}" for kind, n in out["issues"].items() if n) or "nothing"
        print_line(args, f"{out['name']}: {format_count(out['rows'], 'row')}, which flag {counts}")
        for note in out["notes"]:
            print_line(args, f"note: {note}")
        first = next(iter(out["issues"]))
        then = f"assay issues --kind {first} -b {bench.given}"
        return print_result(args, out, then, schema="opinion-add")
    rows = [describe_opinion(bench, name) for name in opinions.list_opinions(bench)]
    for row in rows:
        print_line(args, f"{row['name']}: {format_count(row['rows'], 'row')}; {row['about']}")
        for kind, n in row["issues"].items():
            print_line(args, f"  {kind} {n:,}")
        if agree := row["labels"]:
            print_line(
                args,
                f"  labels doubted by both {agree['both']:,}, by {row['name']} alone {agree['only_theirs']:,}, "
                f"by our scan alone {agree['only_ours']:,}, of {agree['judged']:,} that both judged",
            )
    if not rows:
        print_line(args, "no second opinions")
    verb = "assay queue --opinion NAME" if rows else "assay opinion FILE"
    print_result(args, dict(opinions=rows), f"{verb} -b {bench.given}")


def describe_opinion(bench: Bench, name: str) -> dict:
    """Count what an opinion flags, and compare its label flags with ours."""
    from assay.curation.issues.opinions import compare_flags, load_opinion
    from assay.curation.label_quality.live import label_scores

    opinion = load_opinion(bench, name)
    try:
        labels = compare_flags(opinion, label_scores(bench).flagged)
    except NotScanned:
        labels = None
    counts = dict(zip(opinion.kinds(), opinion.flags.sum(0).tolist()))
    return dict(name=name, rows=len(opinion.ids), about=opinion.about, issues=counts, labels=labels)


def add(verbs: Verbs) -> None:
    """Add the verb opinion."""
    verb = verbs.add("opinion", handle_opinion)
    verb.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="a CSV, Parquet or Feather of Datalab.get_issues(), or Datalab.save's folder, whose pickle is not read; "
        "without it: what there is",
    )
    verb.add_argument(
        "--as",
        dest="as_",
        metavar="NAME",
        default="datalab",
        help="whose opinion it is; its issues are called NAME_label, NAME_outlier, ... (default: %(default)s)",
    )
    verb.add_argument("--remove", metavar="NAME", help="remove an opinion")

"""The verb audit: it writes a worksheet, and reads it back."""

from __future__ import annotations

import argparse

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    line_printer,
    name_reviewer,
    open_bench,
    print_line,
    print_result,
)
from assay.pipelines.cli.review import describe_columns
from assay.pipelines.cli.verbs import Verbs

SPLITS = ("test", "val", "train")


def audit_labels(args: argparse.Namespace) -> None:
    """Estimate label errors by judging random samples blind.

    Without FILE a worksheet is made; with FILE the filled worksheet is read.
    """
    from assay.curation.review import audit_answers
    from assay.curation.review.label_noise import describe_noise
    from assay.curation.statistics import wording
    from assay.curation.versioning import decision_cells

    bench = open_bench(args)
    if args.file is None:
        return start_audit(args, bench)
    if (args.split, args.n, args.repeats, args.output) != (None,) * 4:
        raise UserError(
            "expected FILE alone, found options that draw a new sheet",
            "the sheet knows its own split, n and repeats",
        )
    out = audit_answers.apply_answers(bench, decision_cells.read_decisions(args.file), args.who)
    tell, twice = line_printer(args), out["repeats"]
    for line in describe_columns(out):
        tell(line)
    tell(
        f"{out['batch']}: {format_count(out['audited'], out['split'] + ' label')} audited by {args.who}, "
        f"{out['wrong']:,} wrong, {out['unsure']:,} unsure"
    )
    if twice:
        tell(f"repeats  the same answer {wording.format_rate(out['repeats_agree'], twice)}")
    tell(f"noise    {describe_noise(out['noise'], out['split'])}")
    if out["before"]:
        alone = "so that the audit's version holds the audit alone"
        tell(f"version  {out['before']}: what was open before, {alone}")
    undo = f"assay undo {out['batch']} -b {bench.given} reverts the audit"
    tell(f"version  {out['version']}; {undo}")
    then = f"assay queue -b {bench.given}"
    if out["split"] == "test":
        then = f"assay report -b {bench.given} judges by it: no run is trained again"
    print_result(args, out, then)


def start_audit(args: argparse.Namespace, bench: Bench) -> None:
    """Make a worksheet, and say how to fill it."""
    from assay.curation.review import audit_sheet

    n = 200 if args.n is None else args.n
    out = audit_sheet.start_audit(
        bench, args.who, args.split or "test", n, args.repeats, args.output
    )
    shown = format_count(out["rows"], "row")
    if out["repeats"]:
        shown = f"{shown}, {out['repeats']:,} of them shown twice"
    print_line(
        args,
        f"audit {out['audit']}: {out['n']:,} of {out['of']:,} {out['split']} labels "
        f"in {out['folder']} ({shown}; {out['left']:,} left)",
    )
    print_line(args, f"classes  {', '.join(out['classes'])[:300]}")
    fill = "look at each image, fill in label (or verdict: unsure) in every row of worksheet.csv"
    print_result(
        args,
        out,
        f"{fill}, then: assay audit {out['folder']}/worksheet.csv --who {name_reviewer(args)} -b {bench.given}",
        schema="audit-sheet",
    )


def add(verbs: Verbs) -> None:
    """Add the verb audit."""
    verb = verbs.add("audit", audit_labels, who=True)
    verb.add_argument("file", nargs="?", metavar="FILE", help="a filled worksheet.csv")
    verb.add_argument(
        "--split", choices=SPLITS, help="what a new sheet is drawn from (default: test)"
    )
    verb.add_argument("-n", type=int, help="samples of a new sheet (default: 200)")
    verb.add_argument(
        "--repeats",
        type=int,
        metavar="N",
        help="samples shown twice, to measure the reviewer (default: a tenth, at least 5)",
    )
    verb.add_argument(
        "-o", "--output", metavar="FOLDER", help="where a new sheet goes (default: audit-ID)"
    )

"""The verb compare: two models or more, by their runs or their predictions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.text import format_count, write_csv
from assay.pipelines.cli.output import draw_table, open_bench, print_line, print_result
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    from assay.pipelines.comparison.compare import CompareOptions


def compare_models(args: argparse.Namespace) -> None:
    """Say whether the second model is better on the test set.

    A model is a run, VERSION/ARCHITECTURE for all its seeds, or files of predictions: labels,
    probabilities or both, as CSV, TSV, JSON, Parquet, Excel, npy or npz. Files of several trainings
    are a comma list or a quoted pattern, or one file with a column seed; NAME=FILES names a model.
    They are judged by the bench's test labels, or by --labels FILE without any bench. Three models
    or more are ranked.
    """
    from assay.pipelines.comparison.predictions import looks_like_file

    files = [looks_like_file(word) for word in args.words]
    if any(files) or args.labels:
        if not all(files):
            word = args.words[files.index(False)]
            raise UserError(
                f"expected files of predictions, found {word!r}", "give files alone, or runs alone"
            )
        return compare_files(args)
    from assay.pipelines.evaluation.pairwise import compare_runs

    bench = open_bench(args)
    refuse_file_options(args)
    out = compare_runs(bench, *args.words)
    print_line(args, out["verdict"])
    print_result(args, out, f"assay report -b {bench.given}")


def refuse_file_options(args: argparse.Namespace) -> None:
    """Refuse what only files of predictions take."""
    if len(args.words) != 2:
        raise UserError(
            f"expected two runs, found {len(args.words)}", "more than two are compared as files"
        )
    given = dict(
        by=args.by,
        label_column=args.label_column,
        classes=args.classes,
        audit_list=args.audit_list,
        audited=args.audited,
        report=args.report,
        split=args.split,
    )
    if said := [name for name, value in given.items() if value]:
        option = f"--{said[0].replace('_', '-')}"
        raise UserError(f"expected files of predictions for {option}, found runs", "leave it out")


def compare_files(args: argparse.Namespace) -> None:
    """Compare files of predictions, and write what was asked for."""
    from assay.pipelines.comparison import compare, wording

    if args.labels and args.bench:
        raise UserError("expected --labels or a bench, found both", "leave one out")
    for file in filter(None, (args.audit_list, args.report)):
        if not Path(file).parent.is_dir():
            raise UserError(
                f"expected a folder for {file}, found none at {Path(file).parent}", "make it"
            )
    if args.report and Path(args.report).suffix.lower() != ".md":
        raise UserError(f"expected --report FILE.md, found {args.report}", "reports are Markdown")
    bench = None if args.labels else open_bench(args)
    out = compare.compare_files(args.words, args.labels, bench, read_options(args))
    print_line(args, out["verdict"])
    if not args.json:
        draw_table(compare.make_model_frame(out), compare.MODEL_COLUMNS)
    lines = [*wording.write_lines(out), *(f"note: {note}" for note in out["notes"])]
    for line in lines:
        print_line(args, line)
    if args.report:
        Path(args.report).write_text(wording.write_markdown(out), encoding="utf-8")
        print_line(args, f"report in {args.report}")
    out |= dict(audit_list=args.audit_list, report=args.report)
    then = "audit the labels on which they differ: --audit-list FILE writes them"
    if args.audit_list:
        sheet = compare.make_audit_frame(out)
        write_csv(sheet, args.audit_list)
        print_line(args, f"{format_count(len(sheet), 'label')} to audit in {args.audit_list}")
        then = (
            f"fill in label or verdict (unsure) in {args.audit_list}, without a prediction in sight"
        )
    print_result(args, out, then, schema="compare-files")


def read_options(args: argparse.Namespace) -> CompareOptions:
    """Read the options of files of predictions."""
    from assay.pipelines.comparison.compare import CompareOptions

    return CompareOptions(
        split=args.split or "test",
        by=args.by or [],
        classes=read_classes(args.classes) if args.classes else None,
        missing_wrong=args.missing_wrong,
        effect=args.effect,
        audit_most=args.audit_most,
        label_column=args.label_column,
        audited=args.audited,
    )


def read_classes(given: str) -> list[str]:
    """Read a comma list of classes, or a text file with one a line."""
    if Path(given).is_file():
        return [c for c in Path(given).read_text(encoding="utf-8-sig").splitlines() if c.strip()]
    return [c.strip() for c in given.split(",") if c.strip()]


def add(verbs: Verbs) -> None:
    """Add the verb compare."""
    verb = verbs.add("compare", compare_models)
    verb.add_argument(
        "words",
        nargs="+",
        metavar="MODEL",
        help="a run's key or its beginning, VERSION/ARCHITECTURE, or [NAME=]FILES of predictions; two or more",
    )
    verb.add_argument(
        "--labels",
        metavar="FILE",
        help="test labels, without a bench: columns of ids or paths, label, and perhaps also (cat|dog) and group",
    )
    verb.add_argument(
        "--label-column", metavar="COLUMN", help="the column of --labels that holds the labels"
    )
    verb.add_argument("--split", metavar="SPLIT", help="of the bench: test (default), val or train")
    verb.add_argument(
        "--by",
        action="append",
        metavar="COLUMN",
        help="a column of the labels' file to slice by (default: group); may be given again",
    )
    verb.add_argument(
        "--classes",
        metavar="LIST",
        help="what class numbers and unnamed columns stand for: cat,dog in their order, or a file with one a line",
    )
    verb.add_argument(
        "--missing-wrong",
        action="store_true",
        help="count samples without a prediction as wrong, instead of leaving them out for all models",
    )
    verb.add_argument(
        "--effect",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="say what it would take to see a difference of POINTS (default: %(default)s)",
    )
    verb.add_argument(
        "--audit-list",
        metavar="FILE",
        help="write the samples whose labels settle the verdict, to be audited blind, as CSV",
    )
    verb.add_argument(
        "--audit-most",
        type=int,
        default=200,
        metavar="N",
        help="labels to audit at most; a random draw where models differ on more (default: %(default)s)",
    )
    verb.add_argument(
        "--audited",
        metavar="FILE",
        help="the list of --audit-list with label or verdict filled in, from its beginning on: its labels judge",
    )
    verb.add_argument("--report", metavar="FILE", help="write the comparison as Markdown, FILE.md")

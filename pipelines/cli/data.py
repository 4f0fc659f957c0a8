"""The verbs import and export."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from assay import curation
from assay.curation import UserError
from assay.pipelines.cli.fiftyone_datasets import read_dataset
from assay.pipelines.cli.output import (
    bench_path,
    open_bench,
    print_bench_notes,
    print_line,
    print_result,
    progress_bar,
)
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    from assay.curation.formats.base import ImportOptions

COLUMNS = ("image", "label", "split", "id", "group")
CHANGES = dict(  # by an import, beside what it adds
    removed="removed",
    moved="moved",
    returned="returned",
    relabelled="relabelled by the source",
    left_alone="changed in the source but reviewed here, left alone",
    left_out="left out",
)


def import_source(args: argparse.Namespace) -> None:
    """Import a source of samples into a new or existing bench.

    SOURCE is class folders, split/class folders, a zip of them, CSV, Parquet, fiftyone:NAME or example:solar-cells.
    """
    from assay.curation.formats import uploads
    from assay.pipelines.indexing.ingest import ingest
    from assay.pipelines.simulation.example_data import resolve_example

    source = (
        read_dataset(args.source, args.label_column, parse_split_map(args.split_map)) or args.source
    )
    folder, given = bench_path(args), Path(args.source)
    new = not (folder / "assay.duckdb").exists()
    if new and given.is_dir() and folder.resolve() == given.resolve():
        raise UserError(
            f"expected a bench in a folder of its own, found the folder of images {args.source}",
            "choose another: -b BENCH",
        )
    bench = curation.create(folder, args.group)
    print_bench_notes(args, bench)
    try:
        source = resolve_example(bench, source)
        with (
            progress_bar("decoding") as step,
            uploads.open_source(bench, source, args.skip_bad) as there,
        ):
            out = ingest(bench, there, args.who, read_options(args), step)
    except UserError:
        if new:
            remove_empty_bench(bench)
        raise
    print_line(args, describe_import(out))
    for note in out["notes"]:
        print_line(args, f"note: {note}")
    print_result(args, out, f"assay scan -b {bench.given}")


def read_options(args: argparse.Namespace) -> ImportOptions:
    """Read the options of an import."""
    from assay.curation.formats.base import ImportOptions
    from assay.curation.formats.split_shares import parse_shares

    return ImportOptions(
        columns={k: getattr(args, f"{k}_column") for k in COLUMNS},
        split_map=parse_split_map(args.split_map),
        images=args.images,
        skip_bad=args.skip_bad,
        name=args.as_,
        audited_test=args.audited_test,
        yes=args.yes,
        refreeze_test=args.refreeze_test,
        shares=parse_shares(args.split, args.no_test) if args.split is not None else None,
        no_test=args.no_test,
    )


def remove_empty_bench(bench: curation.Bench) -> None:
    """Remove a new bench into which nothing was imported.

    Decoded pixels stay, for the next try.
    """
    if not len(bench.state()):
        for file in ("assay.duckdb", "assay.duckdb.wal", ".lock"):
            (bench.path / file).unlink(missing_ok=True)
        with suppress(OSError):
            bench.path.rmdir()


def describe_import(out: dict) -> str:
    """Describe what an import changed; `out`: as `ingest` returns it."""
    splits = ", ".join(f"{n:,} {s}" for s, n in out["splits"].items())
    changes = "".join(f"; {out[k]:,} {word}" for k, word in CHANGES.items() if out[k])
    nameless = f"; {out['unlabelled']:,} of them without a label" if out["unlabelled"] else ""
    return (
        f"{out['source']}: {out['added']:,} samples added{changes}; "
        f"the bench holds {out['samples']:,} in {out['classes']} classes ({splits}){nameless}"
    )


def export_version(args: argparse.Namespace) -> None:
    """Export a version as manifest, class folders or its source's layout."""
    from assay.curation.formats import write

    bench = open_bench(args)
    out = write.export_version(bench, args.output, args.version, args.format, args.copy, args.size)
    print_line(
        args,
        f"{out['samples']:,} samples of {out['version']} in {out['folder']} ({out['format']}), "
        f"tree {out['tree']}",
    )
    for file in out.get("files", ()):
        shape = " x ".join(f"{n:,}" for n in file["shape"])
        print_line(args, f"  {file['file']}: uint8 {shape}, {file['bytes']:,} bytes")
    elsewhere = "" if args.copy else " (elsewhere: --images FOLDER)"
    again = f"assay import {out['folder']}/manifest.csv -b OTHER{elsewhere} reproduces the tree"
    print_result(args, out, again if args.format == "manifest" else "train on it")


def parse_split_map(text: str | None) -> dict[str, str]:
    """Parse --split-map NAME=SPLIT,... into {name: split}."""
    try:
        return dict(pair.split("=") for pair in text.split(",")) if text else {}
    except ValueError:
        raise UserError(
            f"expected --split-map NAME=SPLIT,..., found {text!r}",
            "for example --split-map label_book=pool",
        ) from None


def add(verbs: Verbs) -> None:
    """Add the verbs import and export."""
    verb = verbs.add("import", import_source, who=True)
    verb.add_argument("source")
    verb.add_argument(
        "--as",
        dest="as_",
        metavar="NAME",
        help="name of the source (default: its file or folder name)",
    )
    for column in COLUMNS:
        verb.add_argument(f"--{column}-column", metavar="NAME")
    verb.add_argument(
        "--split",
        metavar="SHARES",
        help="draw train/val/test so, by class: 80/10/10, or 0.8/0.1/0.1; copies and groups stay together"
        " (default, where the source has no splits: 70/10/20)",
    )
    verb.add_argument(
        "--no-test", action="store_true", help="draw no test split; --split is then train/val"
    )
    verb.add_argument(
        "--images",
        metavar="FOLDER",
        help="an exported manifest: find its images here by their bytes, whatever they are called",
    )
    verb.add_argument(
        "--split-map",
        metavar="NAME=SPLIT,...",
        help="what other split names mean, such as label_book=pool",
    )
    verb.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave bad rows out, and list them in `assay status --json`",
    )
    verb.add_argument(
        "--audited-test", action="store_true", help="declare the test labels verified, by --who"
    )
    verb.add_argument(
        "--refreeze-test", action="store_true", help="let this import change the frozen test split"
    )
    verb.add_argument(
        "--group",
        action="store_true",
        help="your group may read and write the bench, too (default: you alone, whatever the umask)",
    )
    verb.add_argument("--yes", action="store_true", help="really remove over a tenth of the source")
    verb = verbs.add("export", export_version, version=True)
    verb.add_argument("-o", "--output", required=True)
    verb.add_argument(  # the formats are listed when one is asked for: that takes a tenth of a second
        "--format",
        default="manifest",
        help="manifest (default), folders (class folders), source (as it was imported), cleanlab (Datalab's columns), "
        "torch (tensors), or another format that can be written",
    )
    verb.add_argument(
        "--size",
        type=int,
        metavar="SIDE",
        help="of torch: images as squares of so many pixels, 128 at most; without it as they are, all of one size",
    )
    verb.add_argument(
        "--copy",
        action="store_true",
        help="take the images along, so that the folder can go anywhere; else they are named or linked",
    )

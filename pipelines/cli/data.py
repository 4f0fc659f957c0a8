"""The verbs import and export."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from assay import curation
from assay.curation import UserError
from assay.curation.errors import shorten
from assay.curation.text import format_count
from assay.pipelines.cli.fiftyone_datasets import read_dataset
from assay.pipelines.cli.output import (
    bench_path,
    open_bench,
    print_bench_notes,
    print_line,
    print_result,
    progress_bar,
)
from assay.pipelines.cli.parser import BadCommand
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    from assay.curation.formats.base import ImportOptions

COLUMNS = dict(
    image="paths or bytes of images",
    text="texts",
    label="labels",
    split="split names: train, val, test, pool",
    id="a name of each sample that stays",
    group="what belongs together, such as a patient: one group is never in two splits",
)
CHANGES = dict(  # by an import, beside what it adds
    removed="removed",
    moved="moved",
    returned="returned",
    relabelled="relabelled by the source",
    left_alone="changed in the source but reviewed here, left alone",
    left_out="left out",
    votes="votes of people",
)


def import_source(args: argparse.Namespace) -> None:
    """Import a source of samples into a new or existing bench.

    SOURCE is class folders, split/class folders, a zip or tar of them, a table, WebDataset shards, arrays (.npz, IDX,
    .mat, HDF5), the address of one of these (s3://, gs://, https://), fiftyone:NAME or example:solar-cells.
    """
    from assay.curation.formats import uploads
    from assay.pipelines.indexing.ingest import ingest
    from assay.pipelines.simulation.example_data import resolve_example

    if args.dry_run:
        return preview_import(args)
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
            uploads.open_source(bench, source, args.skip_bad, args.format) as there,
        ):
            out = ingest(bench, there, args.who, read_options(args), step)
    except BaseException as e:
        bench.remove_empty(e)
        raise
    print_line(args, describe_import(out))
    for line in describe_reading(out):
        print_line(args, line)
    print_result(args, out, f"assay scan -b {bench.given}")


def preview_import(args: argparse.Namespace) -> None:
    """Say how a source would be read, and write nothing."""
    from assay.curation.formats.preview import preview_source

    out = preview_source(args.source, read_options(args))
    print_line(args, describe_preview(out))
    for line in describe_reading(out):
        print_line(args, line)
    print_result(
        args,
        out,
        f"assay import {shlex.quote(show_source(args.source))} -b {args.bench or 'BENCH'} imports it",
        schema="import-preview",
    )


def show_source(source: str) -> str:
    """Show a source as given, without a signature or password."""
    from assay.curation.media.addresses import clean_address, is_address

    return clean_address(source) if is_address(source) else source


def describe_preview(out: dict) -> str:
    """Describe what a source lists; `out`: as preview_source returns it."""
    names = ", ".join(f"{name} ({n:,})" for name, n in list(out["classes"].items())[:10])
    more = f" and {len(out['classes']) - 10:,} more" if len(out["classes"]) > 10 else ""
    splits = ", ".join(f"{n:,} {split}" for split, n in out["splits"].items())
    labels = (
        f"{format_count(len(out['classes']), 'class')}: {names}{more}"
        if out["classes"]
        else "no labels"
    )
    bad = ""
    if out["left_out"]:
        place, why = out["left_out"][0]
        bad = (
            f"; {format_count(len(out['left_out']), 'row')} cannot be used, first {place}: it {why}"
        )
    return f"{out['source']}: {format_count(out['samples'], 'sample')} ({splits}); {labels}{bad}; nothing was written"


def describe_reading(out: dict) -> Iterator[str]:
    """Describe how a source was read, a line each.

    What it was taken for, what became label, split and metadata, what was not read, and what was
    guessed. `out`: as ingest or preview_source returns it.
    """
    yield f"read as: {out['kind']}" + (f" (--format {out['format']})" if out["format"] else "")
    yield from (f"{role}: {what}" for role, what in out["roles"].items())
    yield from (f"not read: {describe_unread(unread)}" for unread in out["unread"])
    yield from (f"note: {note}" for note in out["notes"])


def describe_unread(unread: dict) -> str:
    """Describe files that were not read; `unread`: the fields of formats.base.Unread."""
    ending = unread["ending"] or "without an ending"
    why = f": {unread['why']}" if unread["why"] else ""
    return f"{unread['count']:,} {ending}, first {shorten(unread['first'], 200)}{why}"


def read_options(args: argparse.Namespace) -> ImportOptions:
    """Read the options of an import."""
    from assay.curation.formats.base import ImportOptions
    from assay.curation.formats.split_shares import parse_shares

    return ImportOptions(
        columns={k: getattr(args, f"{k}_column") for k in COLUMNS},
        split_map=parse_split_map(args.split_map),
        images=args.images,
        format=args.format,
        class_level=args.class_level,
        pictures_only=args.pictures_only,
        multilabel=args.multilabel,
        config=args.config,
        sheet=args.sheet,
        media=args.media,
        task=args.task,
        decimal=args.decimal,
        skip_bad=args.skip_bad,
        name=args.as_,
        audited_test=args.audited_test,
        yes=args.yes,
        refreeze_test=args.refreeze_test,
        shares=parse_shares(args.split, args.no_test) if args.split is not None else None,
        no_test=args.no_test,
        fetch=args.fetch,
    )


def describe_import(out: dict) -> str:
    """Describe what an import changed; `out`: as `ingest` returns it."""
    splits = ", ".join(f"{n:,} {s}" for s, n in out["splits"].items())
    changes = "".join(f"; {out[k]:,} {word}" for k, word in CHANGES.items() if out[k])
    nameless = f"; {out['unlabelled']:,} of them without a label" if out["unlabelled"] else ""
    return (
        f"{out['source']}: {format_count(out['added'], 'sample')} added{changes}; "
        f"the bench holds {out['samples']:,} in {format_count(out['classes'], 'class')} ({splits}){nameless}"
    )


def export_version(args: argparse.Namespace) -> None:
    """Export a version as manifest, class folders or its source's layout."""
    from assay.curation.formats import write

    ways = [way for way in (args.output, args.patch, args.in_place) if way]
    if len(ways) != 1:
        raise BadCommand(
            f"expected one of -o FOLDER, --patch FOLDER and --in-place, found {len(ways) or 'none'}",
            "-o exports a version, --patch its corrections alone, --in-place mends the sources",
        )
    bench = open_bench(args)
    if not args.output:
        return export_changes(args, bench)
    out = write.export_version(bench, args.output, args.version, args.format, args.copy, args.size)
    print_line(
        args,
        f"{format_count(out['samples'], 'sample')} of {out['version']} in {out['folder']} ({out['format']}), "
        f"tree {out['tree']}",
    )
    for note in out["notes"]:
        print_line(args, f"note: {note}")
    elsewhere = "" if args.copy else " (elsewhere: --images FOLDER)"
    again = f"assay import {out['folder']}/manifest.csv -b OTHER{elsewhere} reproduces the tree"
    print_result(args, out, again if args.format == "manifest" else "train on it")


def export_changes(args: argparse.Namespace, bench: curation.Bench) -> None:
    """Mend the sources themselves, or write their corrections alone."""
    from assay.curation.formats import write

    if args.in_place:
        done = write.write_in_place(bench, args.version)
    else:
        done = write.write_corrections(bench, args.patch, args.version)
    for row in done:
        where = row["backup"] if args.in_place else row["file"]
        word = "mended in place, as it was in" if args.in_place else "corrections in"
        told = f"{word} {where}" if where else "nothing to correct"
        print_line(args, f"{row['source']}: {format_count(row['changes'], 'change')}; {told}")
        for note in row.get("notes", []):
            print_line(args, f"note: {note}")
    out = dict(version=str(args.version), in_place=args.in_place, sources=done)
    again = "assay import SOURCE again: nothing should change"
    next_step = again if args.in_place else "bring them to whoever keeps the source"
    print_result(args, out, next_step, schema="export-changes")


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
    verb.add_argument("source", metavar="SOURCE", help="a folder, file or name, as above")
    verb.add_argument(
        "--as",
        dest="as_",
        metavar="NAME",
        help="name of the source (default: its file or folder name)",
    )
    for column in COLUMNS:
        verb.add_argument(
            f"--{column}-column", metavar="NAME", help=f"the column that holds {COLUMNS[column]}"
        )
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
        help="where the images of a table lie, where that is not its own folder; those of an exported"
        " manifest are found there by their bytes, whatever they are called",
    )
    verb.add_argument(
        "--format", help="how to read it (default: Assay looks; see the reference of formats)"
    )
    verb.add_argument(
        "--class-level",
        type=int,
        metavar="N",
        help="nested folders: which level is the class, 1 being the topmost, -1 the one that holds the images",
    )
    verb.add_argument(
        "--pictures-only",
        action="store_true",
        help="import the images alone, without labels: a pool to label",
    )
    verb.add_argument(
        "--multilabel",
        action="store_true",
        help="several labels a sample: a|b in a cell is two (; and , likewise), of boxes and masks each image gets"
        " the classes of all its objects; lists and columns of 0 and 1 are known without it",
    )
    verb.add_argument(
        "--config", metavar="NAME", help="which configuration, of a data set that has several"
    )
    verb.add_argument(
        "--sheet", metavar="NAME", help="which sheet of a workbook is read, where several hold rows"
    )
    verb.add_argument(
        "--media",
        metavar="MEDIUM",
        help="what a table holds, where it could be several: image, text, row (each row is a sample, described by its"
        " columns), or a medium that a plug-in adds",
    )
    verb.add_argument(
        "--task",
        metavar="TASK",
        help="what a label says, where a plug-in adds to classification (one class) and multilabel (several)",
    )
    verb.add_argument(
        "--decimal",
        choices=(",", "."),
        metavar="MARK",
        help="the decimal mark in numbers, a comma or a point, where they do not tell: 1,234 is 1.234, or 1234",
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="say how it would be read, and write nothing"
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
        "--fetch",
        action="store_true",
        help="fetch the images at addresses that an uploaded or zipped table names",
    )
    verb.add_argument(
        "--group",
        action="store_true",
        help="your group may read and write the bench, too (default: you alone, whatever the umask)",
    )
    verb.add_argument("--yes", action="store_true", help="really remove over a tenth of the source")
    verb = verbs.add("export", export_version, version=True)
    verb.add_argument("-o", "--output", metavar="FOLDER", help="a new folder to export to")
    verb.add_argument(
        "--in-place",
        action="store_true",
        help="mend the sources themselves, and leave a backup beside each",
    )
    verb.add_argument(
        "--patch",
        metavar="FOLDER",
        help="write the corrections alone into a new folder: a small file for each source",
    )
    verb.add_argument(  # the formats are listed when one is asked for: that takes a tenth of a second
        "--format",
        default="manifest",
        help="manifest (default), folders (class folders), source (each source as it was, but for what "
        "was corrected), cleanlab (Datalab's columns), torch (tensors), or another format that can be written",
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

"""The verbs check, gc, relocate and restore, which keep a bench sound."""

from __future__ import annotations

import argparse

from assay import curation
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    bench_path,
    format_cell,
    open_bench,
    print_line,
    print_result,
    progress_bar,
)
from assay.pipelines.cli.verbs import Verbs


def check_soundness(args: argparse.Namespace) -> int:
    """Check that log, arrays and images are what was written.

    --repair mends what is derived from them. Exits with 1 where something is wrong.
    """
    from assay.curation.maintenance.array_checks import NOTES
    from assay.curation.maintenance.integrity import check_bench, check_tree, find_tree
    from assay.curation.maintenance.repair import repair_bench

    bench = curation.Bench(bench_path(args))  # not opened: a damaged one is what this verb is for
    with progress_bar("checking") as step:
        found = check_bench(bench, step)
    print_findings(args, found)
    if args.repair and any(f["repair"] for f in found):
        with progress_bar("repairing") as step:
            found = repair_bench(bench, found, step)
        print_line(args, "repaired, and checked again:")
        print_findings(args, found)
    named = None
    if args.tree and not any(f["kind"] == "file" for f in found):  # else there is no state to ask
        named, missing = find_tree(bench, args.tree), check_tree(bench, args.tree)
        print_findings(args, missing)
        found = [*found, *missing]
    if named:
        print_line(args, f"the tree {args.tree} is that of {named}")
    wrong = [f for f in found if f["kind"] not in NOTES]
    print_line(
        args,
        f"{format_count(len(wrong), 'thing', 'is', 'are')} wrong"
        if wrong
        else "sound: log, arrays and images are what was written",
    )
    found_out = dict(sound=not wrong, findings=found, tree_of=named)
    print_result(args, found_out, next_step(bench, wrong or found), passed=not wrong)
    return int(bool(wrong))  # the check that was asked for failed


def print_findings(args: argparse.Namespace, found: list[dict]) -> None:
    """Print findings, each with what can be done about it."""
    for f in found:
        then = f"--repair: {f['repair']}" if f["repair"] else f["hint"]
        print_line(args, f"{f['kind']:<15} {f['what']}\n{'':<15} {then}")


def next_step(bench: curation.Bench, found: list[dict]) -> str:
    """Say what to do next, about findings or without any."""
    if any(f["repair"] for f in found):
        return f"assay check --repair -b {bench.given}"
    return next(
        (f["hint"].removeprefix("run: ") for f in found if f["hint"]),
        f"assay status -b {bench.given}",
    )


def collect_garbage(args: argparse.Namespace) -> None:
    """Delete derived arrays that nothing needs.

    Edits, samples and commits stay.
    """
    from assay.curation.maintenance.garbage import collect_garbage

    bench = open_bench(args)
    out = collect_garbage(bench, args.dry_run)
    for why, size in out["freed"].items():
        print_line(args, f"{size / 1e6:>9,.1f} MB  {why}")
    freed = "would free" if args.dry_run else "freed"
    print_line(
        args, f"{freed} {out['bytes'] / 1e6:,.1f} MB in {format_count(out['files'], 'file')}"
    )
    if out["partly"]:
        print_line(
            args,
            f"{format_count(out['partly'], 'pixel shard', 'holds', 'hold')} images needed and not: kept whole",
        )
    if (cache := out["remote_cache"])["files"]:
        print_line(
            args,
            f"fetched from addresses, for all your benches: {cache['bytes'] / 1e6:,.1f} of at most"
            f" {cache['most'] / 1e6:,.0f} MB in {cache['folder']} (ASSAY_REMOTE_CACHE_GB)",
        )
    print_result(args, out, f"assay {'gc' if args.dry_run else 'check'} -b {bench.given}")


def relocate_images(args: argparse.Namespace) -> None:
    """Find images that have moved to FOLDER.

    They are known by their bytes, whatever they are called.
    """
    from assay.curation.media import relocation

    bench = open_bench(args)
    with progress_bar("reading") as step:
        out = relocation.relocate_images(bench, args.folder, step)
    rest = (
        f"; {out['left']:,} are not under {args.folder}, first {format_cell(out['first'])}"
        if out["left"]
        else ""
    )
    print_line(
        args,
        f"{out['found']:,} of {format_count(out['gone'], 'sample')} that had moved are found by their bytes{rest}",
    )
    then = "relocate ANOTHER" if out["left"] else "status"
    print_result(args, out, f"assay {then} -b {bench.given}")


def restore_backup(args: argparse.Namespace) -> None:
    """Restore the last good backup, or the one of a version.

    A backup is kept at each commit. The file that is replaced is kept, too.
    """
    from assay.curation.storage import backup

    bench = curation.Bench(bench_path(args))
    out = backup.restore_backup(bench, args.name)
    at = f"the bench is as it was at edit {out['upto']:,}"
    print_line(
        args,
        f"{out['restored']}: {at}; {format_count(out['lost'], 'later edit', 'is', 'are')} not in it",
    )
    if out["aside"]:
        print_line(args, f"what stood there is in {out['aside']}")
    print_result(args, out, f"assay check -b {bench.given}")


def add(verbs: Verbs) -> None:
    """Add the verbs check, gc, relocate and restore."""
    verb = verbs.add("check", check_soundness)
    verb.add_argument(
        "--repair",
        action="store_true",
        help="set damaged arrays aside, decode lost pixels again, delete what is left over",
    )
    verb.add_argument(
        "--tree",
        metavar="HASH",
        help="check that a version has this tree, as a labels card says it",
    )
    verb = verbs.add("gc", collect_garbage)
    verb.add_argument("--dry-run", action="store_true", help="only say what would go")
    verb = verbs.add("relocate", relocate_images)
    verb.add_argument(
        "folder",
        metavar="FOLDER",
        help="where the images are now: a folder, or a Parquet file that holds them",
    )
    verb = verbs.add("restore", restore_backup)
    verb.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="a version that has a backup (default: the last that is good)",
    )

"""The verb split: train, val and test drawn anew."""

from __future__ import annotations

import argparse

from assay.curation.text import format_count
from assay.pipelines.cli.output import format_cell, open_bench, print_line, print_result
from assay.pipelines.cli.verbs import Verbs

MOST_CLASSES = 20  # rows that are printed; --json has all
SHOWN = ("train", "val", "test")


def draw_splits(args: argparse.Namespace) -> None:
    """Draw train, val and test anew, as one batch.

    By class and by lot, or by time. Groups, near duplicates and equal files stay in one split. Shows counts, leaks and
    the probe's accuracy on validation, before and after.
    """
    from assay.pipelines.indexing.split_again import split_again
    from assay.pipelines.indexing.split_options import SplitOptions

    bench = open_bench(args)
    options = SplitOptions(
        shares=args.shares,
        no_test=args.no_test,
        group_column=args.group_column,
        time_column=args.time_column,
        source=args.source,
        pool=args.pool,
        seed=args.seed,
        refreeze_test=args.refreeze_test,
        dry_run=args.dry_run,
    )
    out = split_again(bench, options, args.who)
    for line in describe_split(out, args.group_column):
        print_line(args, line)
    if args.dry_run:
        print_line(args, "dry run    nothing was written")
        return print_result(args, out, "the same without --dry-run writes it, as one batch")
    if out["batch"] is None:
        print_line(args, "nothing to write: the splits are drawn so already")
        return print_result(args, out, f"assay status -b {bench.given}")
    print_line(args, f"batch      {out['batch']} by {args.who}")
    takes_back = f"assay undo {out['batch']} takes it back"
    print_result(args, out, f"assay scan -b {bench.given} judges by the new splits; {takes_back}")


def describe_split(out: dict, group_column: str | None = None) -> list[str]:
    """Describe a drawing, line by line; out: as split_again returns it."""
    before, after = out["before"], out["after"]
    places = [s for s in (*SHOWN, "pool", "guard") if s in before["splits"] or s in after["splits"]]
    counts = ", ".join(
        f"{s} {before['splits'].get(s, 0):,} -> {after['splits'].get(s, 0):,}" for s in places
    )
    lines = [
        f"splits     {counts}",
        f"drawn      {format_count(out['drawn'], 'sample')} as {out['shares']}, {out['moved']:,} moved",
    ]
    for name in list(after["classes"] | before["classes"])[:MOST_CLASSES]:
        was, now = before["classes"].get(name, {}), after["classes"].get(name, {})
        cells = [
            f"{s} {was.get(s, 0):,} -> {now.get(s, 0):,}" for s in SHOWN if s in was or s in now
        ]
        lines.append(f"  {format_cell(name)}: {', '.join(cells)}")
    if (more := len(after["classes"]) - MOST_CLASSES) > 0:
        lines.append(f"  ... and {format_count(more, 'class')} more: --json has all")
    lines.append(f"leaks      {describe_leaks(out, group_column)}")
    lines.append(f"val        {describe_accuracy(out)}")
    return lines + [f"note: {note}" for note in out["notes"]]


def describe_leaks(out: dict, group_column: str | None) -> str:
    """Describe what crosses splits, before and after."""
    before, after = out["before"], out["after"]
    if before["near_duplicates"] is None:
        parts = ["near duplicates: not known, not every image is scanned"]
    else:
        held = f" ({out['restored']:,} held out come back)" if out["restored"] else ""
        parts = [
            f"near duplicates {before['near_duplicates']:,} -> {after['near_duplicates']:,}{held}"
        ]
    if group_column:
        groups = f"{before['groups']:,} -> {after['groups']:,}"
        parts.append(f"{format_cell(group_column)} in two splits {groups}")
    return ", ".join(parts)


def describe_accuracy(out: dict) -> str:
    """Describe the probe's accuracy on val, before and after.

    These are two sets of images: the difference is of the sets, too.
    """
    said = []
    for side in ("before", "after"):
        e = out[side]["accuracy"]
        if e is None:
            said.append(f"not known ({out[side]['why']})")
            continue
        numbers = "{:.1f} [{:.1f}, {:.1f}]".format(
            *(100 * e[k] for k in ("estimate", "low", "high"))
        )
        said.append(f"{numbers} % of {e['n']:,}")
    line = f"accuracy of the probe {said[0]} -> {said[1]}, against the labels as they are"
    if out["before"]["leaking"]:
        line += f"; the old split leaked {format_count(out['before']['leaking'], 'sample')}"
    return line


def add(verbs: Verbs) -> None:
    """Add the verb split."""
    verb = verbs.add("split", draw_splits, who=True)
    verb.add_argument(
        "shares",
        nargs="?",
        metavar="SHARES",
        help="train/val/test: 80/10/10, or 0.8/0.1/0.1 (default: 70/10/20)",
    )
    verb.add_argument(
        "--no-test",
        action="store_true",
        help="draw train and val alone, SHARES being train/val; what is in test stays there",
    )
    verb.add_argument(
        "--group-column",
        metavar="NAME",
        help="of the metadata, or source: samples of one value stay in one split, such as a patient's",
    )
    verb.add_argument(
        "--time-column",
        metavar="NAME",
        help="of the metadata: the newest go to test, the next to val",
    )
    verb.add_argument("--source", metavar="NAME", help="draw the samples of this source alone")
    verb.add_argument("--pool", action="store_true", help="draw the labelled samples in pool alone")
    verb.add_argument("--seed", type=int, default=0, help="of the lots (default: 0)")
    verb.add_argument(
        "--refreeze-test",
        action="store_true",
        help="draw a new test split where one is frozen: reports before and after do not compare",
    )
    verb.add_argument("--dry-run", action="store_true", help="only show what would come of it")

"""The verbs commit and merge."""

from __future__ import annotations

import argparse

from assay.curation.text import format_count
from assay.pipelines.cli.output import line_printer, open_bench, print_line, print_result
from assay.pipelines.cli.verbs import Verbs


def commit_version(args: argparse.Namespace) -> None:
    """Name the present state v1, v2, ..., and back it up.

    The bench's file is copied to backups/.
    """
    bench = open_bench(args)
    out = bench.commit(args.message, args.who, args.name)
    name = out["name"] if out["new"] else f"nothing changed since {out['name']}"
    print_line(args, f"{name}{':' if out['new'] else ','} tree {out['tree']}")
    if out["new"] and not out["backup"].endswith(".duckdb"):  # a version may be called none
        print_line(args, f"note: no backup: {out['backup'][6:-1]}")
    print_result(args, out, f"assay experiment -b {bench.given}")


def merge_bench(args: argparse.Namespace) -> None:
    """Merge the edits of another copy of this bench.

    Where both edited the same thing, this one's stands, and it comes to the queue.
    """
    bench, tell = open_bench(args), line_printer(args)
    out = bench.merge(args.other, args.who)
    if not out["edits"]:
        tell("nothing new there: every edit of it is here already")
        return print_result(args, out, f"assay log -b {bench.given}")
    merged = f"{format_count(out['edits'], 'edit')} by {', '.join(out['authors'])} merged"
    tell(
        f"{merged}, {format_count(out['samples'], 'new sample')}, {format_count(len(out['conflicts']), 'conflict')}"
    )
    for c in out["conflicts"][:20]:
        tell(f"  {describe_conflict(c)}")
    if len(out["conflicts"]) > 20:
        all_of_them = f"assay issues --kind merge_conflict -b {bench.given}"
        tell(f"  ... and {len(out['conflicts']) - 20:,} more: {all_of_them}")
    print_result(args, out, f"assay {'scan' if out['samples'] else 'queue'} -b {bench.given}")


def describe_conflict(c: dict) -> str:
    """Describe what both benches edited; c: as merge.merge_benches has it."""
    what, ours, theirs = f"{c['sample']} {c['slot']}", c["ours"], c["theirs"]
    if isinstance(ours, dict) and "from" in ours:
        what, ours, theirs = f"class {ours['from']}", ours["to"], theirs.get("to")
    return f"{what}: {ours} stands, {c['their_who']} says {theirs}"


def add(verbs: Verbs) -> None:
    """Add the verbs commit and merge."""
    verb = verbs.add("commit", commit_version, who=True)
    verb.add_argument("-m", "--message", default="", help="what changed, in a sentence")
    verb.add_argument("--name", help="a name other than the next v1, v2, ...")
    verb = verbs.add("merge", merge_bench, who=True)
    verb.add_argument("other", metavar="OTHER", help="folder of the other bench")

"""The verbs log, diff and blame: who decided what and when."""

from __future__ import annotations

import argparse
from shlex import quote

from assay.pipelines.cli.output import (
    draw_table,
    format_cell,
    line_printer,
    open_bench,
    print_line,
    print_result,
    print_table,
    to_json_rows,
)
from assay.pipelines.cli.verbs import Verbs

BATCH_COLUMNS = "kind name who ts samples relabelled confirmed unsure dropped why".split()
# kinds of edit that a version has a column for where it has any
COUNTS = "relabelled confirmed unsure dropped restored moved tagged imported put_back".split()
DIFFERENCES = ("relabelled", "added", "removed", "moved", "tagged")
BLAME_COLUMNS = "ts who field value verdict state version batch why suggested_by".split()


def show_log(args: argparse.Namespace) -> None:
    """List commits and open work by kind, author and time spent.

    --batches lists the batches that can be undone or reverted.
    """
    bench = open_bench(args)
    if args.batches:
        then = f"assay undo BATCH, or assay revert BATCH, -b {bench.given} reverts one"
        return print_table(args, bench.batches(), BATCH_COLUMNS, then, schema="log-batches")
    rows = bench.log()
    rows["version"] = rows.version.where(rows.version.notna(), "(open)")
    rows["minutes"] = rows.seconds / 60
    counts = [c for c in COUNTS if rows[c].any()]
    columns = ["version", "author", "last", "samples", *counts, "minutes", "message"]
    diff = f"assay diff {rows.version.iloc[0] if len(rows) else 'v1'} HEAD"
    then = f"assay log --batches, {diff}, or assay blame SAMPLE -b {bench.given}"
    print_table(args, rows, columns, then)


def show_diff(args: argparse.Namespace) -> None:
    """Show what version B has that version A has not.

    These are labels from-to, and samples added, removed, moved or tagged; --samples lists them.
    """
    bench = open_bench(args)
    out = bench.diff(args.a, args.b)
    if args.json:
        rows = {k: to_json_rows(v) if hasattr(v, "columns") else v for k, v in out.items()}
        return print_result(args, rows)
    tell = line_printer(args)
    tell(f"{args.a} -> {args.b}: " + ", ".join(f"{len(out[k]):,} {k}" for k in DIFFERENCES))
    for old, new, n in out["renamed"].itertuples(index=False):
        tell(f"renamed: {format_cell(old)} -> {format_cell(new)} ({n:,})")
    if len(out["matrix"]):
        draw_table(out["matrix"], ["from", "to", "n"])
    for kind in ("moved", "tagged"):
        pairs = (
            out[kind]
            .assign(**{c: [str(v) for v in out[kind][c]] for c in ("from", "to")})
            .groupby(["from", "to"])
            .size()
        )
        for (one, other), n in pairs.items():
            tell(f"{kind} {one} -> {other}: {n:,}")
    for kind in DIFFERENCES if args.samples else ():
        if len(out[kind]):
            tell(f"\n{kind}")
            draw_table(out[kind], ["sample", "source_id", "from", "to"], most=None)
    samples = f"assay diff {quote(args.a)} {quote(args.b)} --samples -b {bench.given} lists them"
    blame = f"assay blame SAMPLE -b {bench.given} tells one's life"
    print_result(args, out, f"{samples}, {blame}")


def show_blame(args: argparse.Namespace) -> None:
    """Show the life of one sample: every value, who, when and why.

    It also shows what suggested each value.
    """
    from assay.curation.versioning.history import describe_suggestion

    bench = open_bench(args)
    sample, key, rows = bench.blame(args.sample, args.version)
    if args.json:
        return print_result(args, dict(sample=sample, key=key, life=to_json_rows(rows)))
    print_line(args, f"{sample}  {format_cell(key)}")
    state = ["stands" if s else "taken back" if u else "" for s, u in zip(rows.stands, rows.undone)]
    rows = rows.assign(
        state=state,
        suggested_by=[describe_suggestion(s) for s in rows.suggested],
        version=rows.version.fillna("(open)"),
    )
    draw_table(rows, BLAME_COLUMNS, most=None)
    print_result(args, None, f"assay revert BATCH -b {bench.given} takes one of them back")


def add(verbs: Verbs) -> None:
    """Add the verbs log, diff and blame."""
    verb = verbs.add("log", show_log, csv=True)
    verb.add_argument(
        "--batches",
        action="store_true",
        help="a row for each batch, with the name that undo and revert take",
    )
    verb = verbs.add("diff", show_diff)
    verb.add_argument("a", metavar="A", help="the older version")
    verb.add_argument(
        "b", metavar="B", nargs="?", default="HEAD", help="the newer one (default: HEAD)"
    )
    verb.add_argument("--samples", action="store_true", help="list every sample that differs")
    verb = verbs.add("blame", show_blame, version=True)
    verb.add_argument(
        "sample",
        metavar="SAMPLE",
        help="its id, the beginning of it, its key in its source, or its file name",
    )

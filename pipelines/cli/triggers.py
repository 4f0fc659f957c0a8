"""The verb trigger: questions that every import is asked."""

from __future__ import annotations

import argparse

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.candidates import gap_samples, print_candidates
from assay.pipelines.cli.output import open_bench, print_line, print_result, print_table
from assay.pipelines.cli.verbs import Verbs


def manage_triggers(args: argparse.Namespace) -> None:
    """Add, list, run or remove questions that every import is asked.

    `assay scan` runs them all.
    """
    from assay.curation.selection import triggers

    bench = open_bench(args)
    if args.action in ("add", "remove") and not args.name:
        raise UserError(
            f"expected a name for the trigger to {args.action}, found none",
            f"as in: assay trigger {args.action} night ...",
        )
    if args.action == "add":
        return add_trigger(args, bench)
    if args.action == "remove":
        return remove_trigger(args, bench)
    if args.name:
        triggers.require_trigger(bench, args.name)
    if args.action == "run":
        return run_triggers(args, bench)
    return print_caught(args, bench) if args.name else list_triggers(args, bench)


def add_trigger(args: argparse.Namespace, bench: Bench) -> None:
    """Add a trigger, and say what it would have caught."""
    from assay.curation.selection import triggers

    kind, parts = read_question(bench, args)
    out = triggers.add_trigger(bench, args.name, kind, args.who, **parts)
    control = ""
    if out["base"] is not None:
        control = f"; of {format_count(out['older'], 'sample')} that are there it would catch {out['base']:.1%}"
    print_line(args, f"{args.name}: {out['said']}{control}")
    scan = "assay scan, which runs it (assay trigger run: at once)"
    then = f"assay import SOURCE -b {bench.given}, then {scan}"
    print_result(args, out, then, schema="trigger-add")


def remove_trigger(args: argparse.Namespace, bench: Bench) -> None:
    """Remove a trigger; what it caught keeps its tag."""
    from assay.curation.selection import triggers

    triggers.remove_trigger(bench, args.name, args.who)
    tag = f"{triggers.PREFIX}{args.name}"
    print_line(args, f"{args.name}: removed; what it caught keeps the tag {tag}")
    then = f"assay trigger list -b {bench.given}"
    print_result(args, dict(removed=args.name), then, schema="trigger-remove")


def run_triggers(args: argparse.Namespace, bench: Bench) -> None:
    """Run all triggers, or the one that is named."""
    from assay.pipelines.indexing import triggers

    out, lines = triggers.run_triggers(bench, args.who, args.name)
    for line in lines or ["no triggers"]:
        print_line(args, line)
    then = f"assay trigger list NAME --csv new.csv -b {bench.given}"
    print_result(args, out, then, schema="trigger-run")


def list_triggers(args: argparse.Namespace, bench: Bench) -> None:
    """List all triggers."""
    import pandas as pd

    from assay.curation.selection import triggers

    active = triggers.active_triggers(bench).items()
    rows = [(name, t["kind"], t["said"], len(t["caught"]), t["since"]) for name, t in active]
    found = pd.DataFrame(rows, columns=["name", "kind", "question", "caught", "since"])
    then = f"assay trigger add NAME --similar SAMPLE -b {bench.given}"
    if rows:
        then = f"assay trigger list NAME --csv new.csv -b {bench.given}, or {then}"
    print_table(args, found, ["name", "question", "caught"], then, none="no triggers")


def print_caught(args: argparse.Namespace, bench: Bench) -> None:
    """Print what the trigger that is named caught."""
    from assay.curation.selection import triggers

    trigger, state = triggers.active_triggers(bench)[args.name], bench.state()
    caught = [s for s in trigger["caught"] if state.keep[s]]
    found = state.loc[caught].reset_index(names="sample")
    found = found.rename(columns=dict(key="source_id", uri="path")).assign(reason=trigger["said"])
    columns = ["source_id", "split", "label", "reason"]
    again = f"assay trigger list {args.name}"
    print_candidates(args, bench, found, columns, again, schema="trigger-caught")


def read_question(bench: Bench, args: argparse.Namespace) -> tuple[str, dict]:
    """Read the one question that the options ask: (kind, its parts)."""
    from assay.curation.predictions.runs import find_runs

    asked = dict(
        similar=args.similar and dict(samples=args.similar),
        gap=args.gap and dict(gap=args.gap),
        confidence=args.confidence_below is not None and dict(below=args.confidence_below),
        disagreement=args.disagreement and dict(runs=args.disagreement),
        query=args.query and dict(query=args.query),
    )
    kinds = [kind for kind, parts in asked.items() if parts]
    if len(kinds) != 1:
        raise UserError(
            f"expected one question, found {len(kinds)}",
            "say --similar SAMPLE..., --gap, --confidence-below, --disagreement A B or --query",
        )
    kind, parts = kinds[0], asked[kinds[0]]
    for name in parts.get("runs", ()):
        find_runs(bench, name)  # one that is not there is refused now
    if kind == "gap":
        return "similar", parts | dict(samples=gap_samples(bench, args.gap))
    return kind, parts


def add(verbs: Verbs) -> None:
    """Add the verb trigger."""
    verb = verbs.add("trigger", manage_triggers, who=True, csv=True)
    verb.add_argument("action", choices=("add", "list", "run", "remove"), help="what to do")
    verb.add_argument(
        "name", nargs="?", metavar="NAME", help="the trigger (default: all, for list and run)"
    )
    verb.add_argument("--similar", nargs="+", metavar="SAMPLE", help="catch what looks like these")
    verb.add_argument(
        "--gap",
        metavar="NAME",
        help="catch what looks like the samples of a gap's region, as it is now",
    )
    verb.add_argument(
        "--confidence-below",
        type=float,
        metavar="P",
        help="catch what the model gives no class so much",
    )
    verb.add_argument(
        "--disagreement",
        nargs=2,
        metavar="RUN",
        help="catch what two models name differently (see assay disagreements)",
    )
    verb.add_argument("--query", metavar="SQL", help="catch what a SELECT of sample ids returns")

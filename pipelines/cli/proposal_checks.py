"""Check and merge proposals, and say what is asked of them: actions of the verb proposal."""

from __future__ import annotations

import argparse

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import print_line, print_result, progress_bar, to_json_rows


def one_name(args: argparse.Namespace) -> str:
    """The one proposal that is named."""
    if len(args.words) != 1:
        raise UserError(
            f"expected the name of one proposal, found {len(args.words)}",
            f"as in: assay proposal {args.action} p1",
        )
    return args.words[0]


def write_markdown(args: argparse.Namespace, about: dict, judgement: dict | None = None) -> None:
    """Write --markdown, where it was asked for."""
    from assay.pipelines.reports import proposal_summary
    from assay.pipelines.reports.templates import write_page

    if args.markdown:
        text = proposal_summary.write_markdown(about, judgement)
        write_page(text.encode("utf-8", "replace"), args.markdown)
        print_line(args, f"Markdown in {args.markdown}")


def check_proposal(args: argparse.Namespace, bench: Bench) -> int:
    """Measure a proposal, and judge it by the policy."""
    from assay.pipelines.evaluation import proposal_checks
    from assay.pipelines.reports import proposal_summary

    name = one_name(args)
    with progress_bar("measuring"):
        out = proposal_checks.check_proposal(bench, name, args.who)
    if args.markdown:
        write_markdown(args, proposal_summary.describe_proposal(bench, name)[0], out)
    print_checks(args, out)
    then = f"assay proposal merge {name} -b {bench.given}"
    if not out["passed"]:
        then = f"assay proposal show {name} -b {bench.given}"
    print_result(args, out, then, schema="proposal-check", passed=out["passed"])
    return int(not out["passed"])


def print_checks(args: argparse.Namespace, out: dict) -> None:
    """Print each check, and what changes of the classes."""
    for c in out["checks"]:
        print_line(args, f"{'pass' if c['passed'] else 'FAIL'}  {c['check']}: {c['reason']}")
    for row in (out["measured"] or {}).get("classes", [])[:12]:
        print_line(args, f"  {row['class']}: {row['before']:,} -> {row['after']:,} in train")


def merge_proposal(args: argparse.Namespace, bench: Bench) -> int:
    """Merge what was approved, if the policy is met."""
    from assay.curation.versioning.proposal_merge import describe_conflicts
    from assay.pipelines.evaluation import proposal_checks

    name = one_name(args)
    with progress_bar("measuring"):
        judgement, merged = proposal_checks.merge_proposal(bench, name, args.who)
    print_checks(args, judgement)
    if merged is None:
        print_line(args, f"{name} is not merged: the policy is not met")
        out = judgement | dict(batch=None, edits=0, left_out=[], rescored=False)
        then = f"assay proposal show {name} -b {bench.given}"
        print_result(args, out, then, schema="proposal-merge", passed=False)
        return 1
    edits = f"{format_count(merged.edits, 'edit')} on {format_count(merged.samples, 'sample')}"
    print_line(args, f"{merged.batch}: {edits}")
    for status, n in merged.left.status.value_counts().items():
        print_line(args, f"note: {format_count(n, 'change')} left out: {status}")
    for line in describe_conflicts(merged.left):
        print_line(args, f"  {line}")
    left = merged.left[["sample", "field", "value", "stands", "status", "last_who"]]
    out = judgement | dict(
        batch=merged.batch,
        edits=merged.edits,
        left_out=to_json_rows(left),
        rescored=merged.rescored,
    )
    then = f"assay undo {merged.batch} -b {bench.given} takes it back"
    print_result(args, out, then, schema="proposal-merge")
    return 0


def change_policy(args: argparse.Namespace, bench: Bench) -> None:
    """Show the policy, or change what is said of it."""
    from dataclasses import asdict

    from assay.curation.versioning.proposal_policy import describe_policy, read_policy, set_policy

    names = ("approvals", "look_at", "regression", "measured")
    said = {n: getattr(args, n) for n in names if getattr(args, n) is not None}
    for name in ("margin", "wrong", "agreement"):
        if (value := getattr(args, name)) is not None:
            said[name] = None if value < 0 else value / 100
    batch = set_policy(bench, said, args.who)["batch"] if said else None
    policy = read_policy(bench)
    print_line(args, f"policy: {describe_policy(policy)}")
    out = dict(batch=batch) | asdict(policy)
    print_result(args, out, f"assay proposal list -b {bench.given}", schema="proposal-policy")


def add_policy_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of a policy."""
    verb.add_argument("--approvals", type=int, metavar="N", help="people who must approve (policy)")
    verb.add_argument(
        "--margin",
        type=float,
        metavar="POINTS",
        help="the gain must surely not be below minus this (policy; -1: not asked)",
    )
    verb.add_argument(
        "--look-at", type=int, metavar="N", help="random samples to look at first (policy)"
    )
    verb.add_argument(
        "--wrong",
        type=float,
        metavar="PERCENT",
        help="these must show that fewer are wrong (policy)",
    )
    verb.add_argument(
        "--agreement",
        type=float,
        metavar="PERCENT",
        help="of its labels the probe must surely say so many (policy; -1: not asked)",
    )
    verb.add_argument(
        "--measured",
        action=argparse.BooleanOptionalAction,
        help="ask for a measured gain, whatever it is, before a merge (policy; the default)",
    )
    verb.add_argument(
        "--regression",
        action=argparse.BooleanOptionalAction,
        help="let no frozen regression set fall (policy; the default)",
    )

"""The verb proposal: changes that stand beside the data until they are merged."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from assay.curation import Bench
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    draw_table,
    open_bench,
    print_line,
    print_result,
    save_table,
)
from assay.pipelines.cli.proposal_checks import (
    add_policy_options,
    change_policy,
    check_proposal,
    merge_proposal,
    one_name,
    write_markdown,
)
from assay.pipelines.cli.proposed_changes import read_changes
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    from assay.curation.versioning.proposals import Proposal

COLUMNS = [
    "name",
    "status",
    "title",
    "who",
    "labeller",
    "changes",
    "samples",
    "approvals",
    "checks",
]


def manage_proposals(args: argparse.Namespace) -> int | None:
    """Propose changes, look at them, approve, check and merge them.

    Nothing of a proposal counts before its merge. check exits with 1 where the policy is not met, merge too.
    """
    return ACTIONS[args.action](args, open_bench(args))


def open_proposal(args: argparse.Namespace, bench: Bench) -> None:
    """Open a proposal from a file, stdin, a batch, a copy or FiftyOne."""
    changes, left, source = read_changes(args, bench)
    opened = bench.propose(args.title, changes, args.who, args.labeller, source, args.new_class)
    for why, n in left.items():
        print_line(args, f"note: {format_count(n, 'sample')} left out: {why}")
    print_line(
        args,
        f"{opened.name}: {format_count(opened.n_changes, 'change')} of "
        f"{format_count(opened.n_samples, 'sample')} proposed; the data is as it was",
    )
    print_result(
        args,
        describe(opened) | dict(left_out=left),
        f"assay proposal show {opened.name} --html look.html -b {bench.given}",
        schema="proposal-open",
    )


def list_proposals(args: argparse.Namespace, bench: Bench) -> None:
    """List all proposals."""
    import pandas as pd

    rows = [describe(p) for p in bench.proposals()]
    if args.json:
        return print_result(args, rows, schema="proposal")
    if not rows:
        print_line(args, "no proposals")
    else:
        frame = pd.DataFrame(rows)
        draw_table(frame.assign(approvals=frame.approvals.map(", ".join)), COLUMNS)
    then = f"assay proposal show {rows[-1]['name']} -b {bench.given}" if rows else ""
    print_result(args, None, then or f"assay proposal open FILE --title '...' -b {bench.given}")


def show_proposal(args: argparse.Namespace, bench: Bench) -> None:
    """Show who proposes what and why, and what to look at first."""
    from assay.pipelines.reports import proposal_summary

    name = one_name(args)
    about, judged = proposal_summary.describe_proposal(bench, name)
    if args.html:
        proposal_summary.write_proposal_sheet(bench, name, args.html)
        print_line(args, f"pictures in {args.html}")
    write_markdown(args, about)
    save_table(args, judged.assign(approved_by=judged.approved_by.map(", ".join)))
    print_line(args, f"{about['name']}: {about['title']}")
    for line in proposal_summary.describe_lines(about):
        print_line(args, line)
    for row in about["classes"][:12]:
        print_line(args, f"  {row['from']} -> {row['to']}: {row['changes']:,}")
    for reason in about["reasons"][:5]:
        print_line(args, f"  why: {reason['why']} ({reason['changes']:,})")
    for row in about["conflicts"][:5]:
        stands = f"{row['stands']} stands by {row['by']}"
        print_line(args, f"  conflict {row['sample'][:12]}: {stands}, asked {row['asked']}")
    for event in about["events"]:
        some = "" if event["samples"] is None else f" {format_count(event['samples'], 'sample')}"
        print_line(args, f"  {event['event']}{some} by {event['who']}: {event['text']}")
    if args.looks:
        for sample in about["first"]["samples"]:
            print_line(args, sample)
    print_result(
        args,
        about,
        f"assay proposal check {name} -b {bench.given}; approve {name} --who NAME",
        schema="proposal-show",
    )


def comment_proposal(args: argparse.Namespace, bench: Bench) -> None:
    """Say something about a proposal."""
    name, *words = args.words or [""]
    proposal = bench.comment_proposal(name, " ".join(words) or args.text, args.who)
    print_said(args, bench, proposal, "comment stored")


def vote(args: argparse.Namespace, bench: Bench) -> None:
    """Approve or reject a proposal, or some of its samples."""
    name = one_name(args)
    samples = args.samples
    if args.where:
        found = set(bench.samples(where=args.where, columns=[])["sample"])
        mine = bench.proposal_changes(name)["sample"]
        samples = [s for s in mine.unique() if s in found and (samples is None or s in samples)]
    act = bench.approve_proposal if args.action == "approve" else bench.reject_proposal
    proposal = act(name, args.who, samples, args.text)
    done = "approved" if args.action == "approve" else "rejected"
    part = "all of it" if samples is None else format_count(len(set(samples)), "sample")
    own = args.action == "approve" and args.who == proposal.author
    note = "; it is your own, so that does not count" if own else ""
    print_said(args, bench, proposal, f"{part} {done} by {args.who}{note}")


def close_proposal(args: argparse.Namespace, bench: Bench) -> None:
    """End a proposal without merging it."""
    proposal = bench.close_proposal(one_name(args), args.who, args.text)
    print_said(args, bench, proposal, "closed; the data is as it was")


def print_said(args: argparse.Namespace, bench: Bench, proposal: Proposal, done: str) -> None:
    """Print what was said of a proposal."""
    print_line(args, f"{proposal.name}: {done}")
    then = f"assay proposal check {proposal.name} -b {bench.given}"
    print_result(args, describe(proposal), then, schema=f"proposal-{args.action}")


def describe(proposal: Proposal) -> dict:
    """Describe a proposal without its changes."""
    from assay.pipelines.reports.proposal_summary import describe_head

    return describe_head(proposal)


ACTIONS = dict(
    list=list_proposals,
    open=open_proposal,
    show=show_proposal,
    comment=comment_proposal,
    approve=vote,
    reject=vote,
    check=check_proposal,
    merge=merge_proposal,
    close=close_proposal,
    policy=change_policy,
)


def add(verbs: Verbs) -> None:
    """Add the verb proposal."""
    verb = verbs.add("proposal", manage_proposals, who=True, csv=True)
    verb.add_argument("action", choices=list(ACTIONS), help="what to do")
    verb.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="open FILE (or - for stdin), show NAME, comment NAME TEXT, approve NAME, reject NAME, "
        "check NAME, merge NAME, close NAME",
    )
    verb.add_argument("--title", default="", help="what it is about (open)")
    verb.add_argument(
        "--labeller", default="", metavar="NAME", help="the rule, model or agent whose it is (open)"
    )
    verb.add_argument("--batch", metavar="BATCH", help="propose a batch of the log again (open)")
    verb.add_argument(
        "--from", dest="from_", metavar="BENCH", help="propose what a copy says otherwise (open)"
    )
    verb.add_argument(
        "--fiftyone", action="store_true", help="propose what was changed in FiftyOne (open)"
    )
    verb.add_argument(
        "--trust", action="store_true", help="take FiftyOne's database as it came with the bench"
    )
    verb.add_argument(
        "--new-class",
        action="append",
        default=[],
        metavar="NAME",
        help="a class that is new on purpose (open)",
    )
    verb.add_argument(
        "--samples", nargs="+", metavar="SAMPLE", help="only these samples (approve, reject)"
    )
    verb.add_argument(
        "--where", default="", metavar="CONDITION", help="only what it finds (approve, reject)"
    )
    verb.add_argument("--text", default="", help="why (approve, reject, close)")
    verb.add_argument("--html", metavar="FILE", help="write a page of pictures (show)")
    verb.add_argument(
        "--markdown", metavar="FILE", help="write it for a code forge's pull request (show, check)"
    )
    verb.add_argument(
        "--looks", action="store_true", help="list the random samples to look at first (show)"
    )
    add_policy_options(verb)

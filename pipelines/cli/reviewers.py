"""The verb reviewers: who reviewed how much, and how well two agree."""

from __future__ import annotations

import argparse

from assay.curation.statistics.wording import format_share
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    draw_table,
    open_bench,
    print_line,
    print_result,
    to_json_rows,
)
from assay.pipelines.cli.verbs import Verbs

RULE_WORDS = dict(
    latest="the latest decision",
    majority="the label with the most votes, one a person; on a tie the latest",
)
COLUMNS = "who samples relabelled confirmed unsure dropped median_seconds seconds last".split()


def show_reviewers(args: argparse.Namespace) -> None:
    """Show each reviewer's count, speed and agreement with others.

    --rule says whose label stands from now on.
    """
    bench = open_bench(args)
    if args.rule:
        out = bench.set_rule(args.rule, args.who)
        stands = f"the label that counts is {RULE_WORDS[args.rule]}"
        changed = format_count(out["changed"], "label", "changes", "change")
        print_line(args, f"{out['batch'] or 'nothing changed'}: {stands}; {changed}")
    people, pairs = bench.reviewers(args.version)
    rule = bench.rule(args.version)
    if args.json:
        rows = dict(people=to_json_rows(people), pairs=to_json_rows(pairs))
        return print_result(args, dict(rule=rule) | rows)
    print_line(args, f"rule     {RULE_WORDS[rule]}")
    draw_table(people, COLUMNS, none="nobody has reviewed anything yet")
    for p in pairs.itertuples():
        share = format_share(p.agreement, p.low, p.high)
        agreed = f"{p.a} and {p.b} agree on {p.agree:,} of {p.n:,}"
        print_line(args, f"{agreed} that both decided, {share}")
    if not len(pairs):
        print_line(args, "no two people decided about the same sample")
    again = f"assay queue --again 0.1 --who NAME -b {bench.given} mixes in what others decided"
    print_result(args, None, f"{again}; assay issues --kind reviewer_disagreement")


def add(verbs: Verbs) -> None:
    """Add the verb reviewers."""
    verb = verbs.add("reviewers", show_reviewers, who=True, version=True)
    verb.add_argument(
        "--rule",
        choices=tuple(RULE_WORDS),
        help="from now on the label that counts is the latest decision, or that of the majority",
    )

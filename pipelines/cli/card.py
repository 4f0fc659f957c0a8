"""The verb card: what whoever receives the labels should know."""

from __future__ import annotations

import argparse

from assay.curation.text import escape_controls
from assay.pipelines.cli.output import open_bench, print_line, print_result
from assay.pipelines.cli.verbs import Verbs


def show_card(args: argparse.Namespace) -> None:
    """Describe a version's labels on one page, for whoever receives them.

    Counts, classes, errors left, audits, issues, gaps, versions with hashes, and what is not known.
    """
    from assay.pipelines.evaluation.labels_card import describe_labels
    from assay.pipelines.reports.labels_card import write_card, write_markdown

    bench = open_bench(args)
    card = describe_labels(bench, args.version)
    where = str(write_card(card, args.output)) if args.output else None
    if where:
        print_line(args, f"{where} is the card of {card['called'] or card['version']}")
    elif not args.json:
        print("\n".join(map(escape_controls, write_markdown(card).splitlines())))
    out = f"-b {bench.given}"
    then = f"assay check --tree {card['tree']} {out}"
    print_result(
        args, card | dict(file=where), then if where else f"assay card --output labels.html {out}"
    )


def add(verbs: Verbs) -> None:
    """Add the verb card."""
    verb = verbs.add("card", show_card, version=True)
    verb.add_argument(
        "-o", "--output", metavar="FILE", help="write it to FILE.html, FILE.md or FILE.json"
    )

"""The verb explain: how a number came about."""

from __future__ import annotations

import argparse

from assay.curation.errors import UserError
from assay.pipelines.cli.output import open_bench, print_line, print_result
from assay.pipelines.cli.verbs import Verbs


def show_explanation(args: argparse.Namespace) -> None:
    """Explain a number: formula, numbers put in, and line of code.

    SAMPLE is explained with its score and every step to it, its issues, its place in the queue. NAME is a number of
    the whole bench, such as errors-left.
    """
    from assay.pipelines.explaining.explain import explain, list_numbers

    if args.list:
        numbers = list_numbers()
        width = max(len(number.name) for number in numbers.numbers)
        for number in numbers.numbers:
            print_line(args, f"{number.name:<{width}}  {number.title}")
        return print_result(args, numbers.to_json(), "assay explain NAME, or assay explain SAMPLE")
    if args.what is None:
        raise UserError(
            "expected a sample or the name of a number, found neither",
            "for example: assay explain errors-left; assay explain --list lists the numbers",
        )
    bench = open_bench(args)
    found = explain(bench, args.what)
    for line in found.describe():
        print_line(args, line)
    then = "assay explain --list"
    if found.sample is not None:
        then = f"assay blame {found.sample} -b {bench.given}, or assay explain --list"
    print_result(args, found.to_json(), then)


def add(verbs: Verbs) -> None:
    """Add the verb explain."""
    verb = verbs.add("explain", show_explanation)
    verb.add_argument(
        "what",
        nargs="?",
        metavar="SAMPLE|NAME",
        help="a sample: its id, the beginning of it, or its key; or the name of a number",
    )
    verb.add_argument("--list", action="store_true", help="list the numbers that can be explained")

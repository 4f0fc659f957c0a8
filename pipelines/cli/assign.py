"""The verb assign: give samples to a person who reviews them."""

from __future__ import annotations

import argparse
import shlex

from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import open_bench, print_line, print_result, print_table
from assay.pipelines.cli.samples import add_question_options, read_question
from assay.pipelines.cli.verbs import Verbs

SHOWN = ["name", "to", "where", "samples", "reviewed", "who", "saved"]


def assign_samples(args: argparse.Namespace) -> None:
    """Assign what a condition finds to a person, or list assignments.

    The person sees it in the workbench, with a button that reviews it. It is a saved view that keeps the samples it
    found: `assay views --remove NAME` ends it.
    """
    bench = open_bench(args)
    if args.to is None:
        if args.where or args.search or args.view or args.name:
            raise UserError(
                "expected somebody to assign it to, found a condition alone", "add --to NAME"
            )
        rows = bench.assignments()
        then = f'assay assign --where "flagged" --to NAME -b {bench.given}'
        return print_table(args, rows, SHOWN, then, none="nothing is assigned")
    asked = read_question(args, bench)
    if words := asked.pop("words"):
        raise UserError(
            f"expected a condition or a search, found the words {words!r}, which put all samples in an order",
            "assign what --where or --search finds",
        )
    out = bench.assign(args.to, **asked, name=args.name, who=args.who)
    done = f" ({out['reviewed']:,} reviewed already)" if out["reviewed"] else ""
    print_line(
        args,
        f"{out['batch']}: {format_count(out['samples'], 'sample')}{done} assigned to {out['to']} as {out['name']}",
    )
    if out["left_out"]:
        print_line(
            args,
            f"note: {out['left_out']:,} left out: dropped, or of another split than train and val",
        )
    then = f"assay views --remove {shlex.quote(out['name'])} -b {bench.given} ends it"
    print_result(args, out, then, schema="assign-to")


def add(verbs: Verbs) -> None:
    """Add the verb assign."""
    verb = verbs.add("assign", assign_samples, who=True, csv=True)
    verb.add_argument("--to", metavar="NAME", help="who is to review it (default: list all)")
    verb.add_argument(
        "--name",
        default="",
        metavar="NAME",
        help="its name (default: made of person and condition)",
    )
    verb.add_argument("--view", metavar="NAME", help="what a saved view asks for (assay views)")
    add_question_options(verb)

"""The verb views: conditions that are saved under a name."""

from __future__ import annotations

import argparse
import shlex

from assay.curation.errors import UserError
from assay.pipelines.cli.output import open_bench, print_line, print_result, print_table
from assay.pipelines.cli.samples import QUESTION, add_like_words, add_question_options, print_notes
from assay.pipelines.cli.verbs import Verbs

SHOWN = ["name", "where", "sort", "search", "words", "who", "saved"]


def show_views(args: argparse.Namespace) -> None:
    """List saved views, save one, or remove one.

    A view is a condition, an order, a search, or words for an image-text model, under a name.
    """
    bench = open_bench(args)
    asked = {name: getattr(args, name) for name in QUESTION}
    if args.save and args.remove or any(asked.values()) and not args.save:
        raise UserError(
            "expected a view to save or one to remove, found "
            + ("both" if args.remove else "a condition without a name"),
            'as in: assay views --save doubtful --where "score < 0.1"',
        )
    if args.save:
        out = bench.save_view(args.save, **asked, who=args.who)
        print_notes(args, bench.sample_table().check(args.where, args.sort))
        done = "replaced" if out["replaced"] else "saved"
        print_line(args, f"{out['batch']}: {done} the view {args.save} by {args.who}")
        then = f"assay samples --view {shlex.quote(args.save)} -b {bench.given}"
        return print_result(args, out, then, schema="views-save")
    if args.remove:
        out = bench.remove_view(args.remove, args.who)
        print_line(args, f"{out['batch']}: removed the view {args.remove} by {args.who}")
        then = f"assay undo {out['batch']} -b {bench.given} brings it back"
        return print_result(args, out, then, schema="views-remove")
    rows = bench.views()
    then = f"assay views --save NAME --where CONDITION -b {bench.given}"
    if len(rows):
        then = f"assay samples --view {shlex.quote(rows['name'].iloc[-1])} -b {bench.given}"
    print_table(args, rows, SHOWN, then, none="no saved views")


def add(verbs: Verbs) -> None:
    """Add the verb views."""
    verb = verbs.add("views", show_views, who=True, csv=True)
    verb.add_argument("--save", metavar="NAME", help="save what is asked for under this name")
    verb.add_argument("--remove", metavar="NAME", help="remove the view of this name")
    add_question_options(verb)
    add_like_words(verb)

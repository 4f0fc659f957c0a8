"""The verbs guard and gate, which guard a data set."""

from __future__ import annotations

import argparse

from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    line_printer,
    open_bench,
    print_line,
    print_result,
    progress_bar,
)
from assay.pipelines.cli.verbs import Verbs


def freeze_sets(args: argparse.Namespace) -> None:
    """Freeze the regression sets of SLICES.toml, or a gap as set NAME.

    With their near duplicates they leave train, val and pool for good.
    """
    from assay.curation.slicing import regression_sets, set_definitions
    from assay.pipelines.evaluation.regression_check import FEW

    bench, tell = open_bench(args), line_printer(args)
    if args.from_gap is None and args.score is not None:
        raise UserError(
            "expected --score beside --from-gap, found it alone",
            "in a file of sets each has its own score",
        )
    sets, left_out = (
        (set_definitions.read_regression_sets(args.slices), 0)
        if args.from_gap is None
        else set_definitions.make_set_from_gap(bench, args.slices, args.from_gap, args.score)
    )
    out = regression_sets.freeze_sets(bench, sets, args.who)
    if args.from_gap is not None:
        args.slices = str(set_definitions.write_regression_sets(bench, sets))
        out |= dict(file=args.slices, like_test=left_out)
        like = f"; {left_out:,} that nearly equal a test sample are left out" if left_out else ""
        tell(
            f"{args.slices} names the labelled val and pool samples of the gap, for the gate{like}"
        )
    for s in out["sets"]:
        alike = few = ""
        if s["like_test"]:
            alike = f"; {s['like_test']:,} that nearly equal a test sample are left out"
        if s["n"] < FEW:
            few = f", under {FEW}: a gate will state its power"
        tell(
            f"{s['name']}: {format_count(s['n'], 'sample')} ({s['new']:,} new to it), "
            f"{s['near']:,} near duplicates, required {s['score']:.1%}{few}{alike}"
        )
    if out["batch"] is None:
        return print_result(
            args,
            out,
            f"frozen as it was; assay gate --no-regression {args.slices} -b {bench.given}",
        )
    left = ", ".join(f"{n:,} left {split}" for split, n in out["moved"].items()) or "nothing moved"
    undo = f"assay undo {out['batch']} -b {bench.given} reverts a mistake"
    tell(f"{out['batch']}: {left}; {undo}, and the sets are then not frozen")
    then = "assay commit, and assay experiment on that version, which never sees them"
    print_result(args, out, f"assay scan -b {bench.given}, {then}")


def check_gate(args: argparse.Namespace) -> int:
    """Exit with 1 unless the last experiment gained enough.

    It must also fall below no regression set's score. The reason is printed. --plan names another experiment.
    """
    from assay.curation.slicing import set_definitions
    from assay.pipelines.evaluation.gates import judge_gates
    from assay.pipelines.experiments.plan import last_plan, read_plan

    bench = open_bench(args)
    if args.min_gain is None and args.no_regression is None:
        raise UserError(
            "expected something to check, found nothing",
            "say --min-gain POINTS, --no-regression SLICES.toml, or both",
        )
    if not 0.5 < args.confidence < 1:
        raise UserError(
            f"expected a confidence between 0.5 and 1, found {args.confidence}",
            "for example --confidence 0.95",
        )
    if args.min_gain is not None and not -100 <= args.min_gain <= 100:
        raise UserError(
            f"expected a gain in points, from -100 to 100, found {args.min_gain}",
            "for example --min-gain 0.5",
        )
    plan = read_plan(args.plan) if args.plan else last_plan(bench)
    sets = set_definitions.read_regression_sets(args.no_regression) if args.no_regression else None
    with progress_bar("judging"):
        out = judge_gates(bench, plan, args.min_gain, sets, args.confidence, args.no_regression)
    for c in out["checks"]:
        print_line(args, f"{'pass' if c['passed'] else 'FAIL'}  {c['name']}: {c['reason']}")
    shows = "shows all of it" if out["passed"] else "shows where it went wrong"
    print_result(args, out, f"assay report -b {bench.given} {shows}", passed=out["passed"])
    return int(not out["passed"])


def add(verbs: Verbs) -> None:
    """Add the verbs guard and gate."""
    verb = verbs.add("guard", freeze_sets, who=True)
    verb.add_argument(
        "slices",
        metavar="SLICES.toml|NAME",
        help="sets: [NAME], query = 'select id ...' or samples = [...], score = 0.9",
    )
    verb.add_argument(
        "--from-gap",
        metavar="GAP",
        help="freeze what is labelled of a gap (assay gaps) in val and pool, as the set NAME",
    )
    verb.add_argument(
        "--score",
        type=float,
        metavar="S",
        help="the accuracy that is required on it, a fraction from 0 to 1 "
        "(default: the accuracy outside the gap)",
    )
    verb = verbs.add("gate", check_gate)
    verb.add_argument(
        "--plan",
        metavar="PLAN.toml",
        help="a plan whose runs are there (default: the last experiment)",
    )
    verb.add_argument(
        "--min-gain",
        type=float,
        metavar="POINTS",
        help="points of accuracy (0.5 is half a percentage point; --json says 0.005) "
        "that the last version must have gained over the first on the test set",
    )
    verb.add_argument(
        "--no-regression",
        metavar="SLICES.toml",
        help="frozen sets (assay guard) that it must not fall below the score of",
    )
    verb.add_argument(
        "--confidence",
        type=float,
        metavar="SHARE",
        default=0.95,
        help="of each check, one-sided, a fraction from 0.5 to 1 (default: %(default)s)",
    )

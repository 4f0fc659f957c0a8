"""The verbs label and labellers: votes of anybody and anything, and how often each errs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.statistics.crowds import METHODS
from assay.curation.statistics.wording import format_interval
from assay.curation.text import format_count
from assay.pipelines.cli.output import (
    add_patience_option,
    draw_table,
    open_bench,
    print_line,
    print_result,
    progress_bar,
    read_patience,
    to_json_rows,
)
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    from assay.pipelines.indexing.label_samples import Labelled

COLUMNS = "labeller votes coverage measured wrong unsure error low high confidence".split()
SHOWN = 5  # confusions of a labeller on the terminal


def label(args: argparse.Namespace) -> None:
    """Let a function, or a file of predictions, vote on labels.

    Its votes are a proposal: no label changes before somebody merges it. `assay labellers` says how often it errs. The
    function takes a list of samples (PIL images, texts, or dicts of a row) and returns a label for each, None where it
    abstains, or (labels, probabilities). It runs in a process of its own.
    """
    from assay.pipelines.indexing.label_samples import choose_samples, label_samples

    bench = open_bench(args)
    if bool(args.function) == bool(args.predictions):
        found = "both" if args.function else "neither"
        raise UserError(
            f"expected --with or --predictions, found {found}",
            "as in: assay label --with mymodel:classify",
        )
    if args.predictions and not args.as_:
        raise UserError("expected --as NAME beside --predictions, found none", "say whose they are")
    name = args.as_ or args.function
    source = args.function or Path(args.predictions)
    chosen = choose_samples(bench, args.where, args.split)
    with progress_bar("labelling") as step:
        found = label_samples(bench, source, name, chosen, args.who, read_patience(args), step)
    for line in describe_labelled(found):
        print_line(args, line)
    out = asdict(found) | dict(proposal=found.proposal.name)
    print_result(args, out, f"assay labellers -b {bench.given}")


def describe_labelled(found: Labelled) -> list[str]:
    """Say what a labeller labelled, and what was left out."""
    new = f", {found.unlabelled:,} where there is none" if found.unlabelled else ""
    lines = [
        f"{found.proposal.name}: {format_count(found.votes, 'vote')} by {found.labeller}: {found.agree:,} as the label "
        f"that stands, {found.differ:,} another{new}; no label has changed"
    ]
    left = {
        f"{format_count(found.abstained, 'sample')} on which it abstains": found.abstained,
        f"{format_count(found.locked, 'sample')} of test and guard, which are locked": found.locked,
        f"{format_count(found.unreadable, 'sample')} whose file cannot be read": found.unreadable,
        f"{format_count(found.unmatched, 'sample')} in no row of the file": found.unmatched,
    }
    lines += [f"left out: {text}" for text, n in left.items() if n]
    return lines + [f"note: {note}" for note in found.notes]


def show_labellers(args: argparse.Namespace) -> None:
    """Show how often each labeller errs, class by class.

    Labellers are people, what proposals name as theirs, and the labels as given. They are measured by what other people
    decided about samples drawn at random. --compare says which of two is the better annotator; --consensus joins all
    votes into one label a sample.
    """
    bench = open_bench(args)
    if args.compare and args.consensus:
        raise UserError("expected --compare or --consensus, found both", "leave one out")
    if args.propose and not args.consensus:
        raise UserError("expected --consensus beside --propose, found none", "--consensus crowdlab")
    if args.compare:
        return show_comparison(args, bench)
    if args.consensus:
        return show_consensus(args, bench)
    from assay.curation.review.labeller_rates import describe_error, measure_labellers

    found = measure_labellers(bench)
    rows, confusion = to_json_rows(found.labellers), to_json_rows(found.confusion)
    if args.json:
        return print_result(args, dict(labellers=rows, confusion=confusion))
    draw_table(found.labellers, COLUMNS, none="nobody has labelled anything yet")
    for row in rows:
        print_line(args, f"{row['labeller']}: {describe_error(row)}{describe_looks(row)}")
        for line in describe_confusions(found.confusion, row["labeller"]):
            print_line(args, line)
    print_result(
        args,
        None,
        f"assay labellers --compare A B, or --consensus dawid-skene, -b {bench.given}; more truth: "
        f"assay audit -n 200 --split val -b {bench.given}",
    )


def describe_looks(row: dict) -> str:
    """Say where the truth comes from, and what may flatter."""
    if not row["measured"] + row["unsure"]:
        return ": nobody else has decided samples drawn at random that it labelled"
    text = f" ({row['by_audit']:,} of a blind audit, {row['by_random']:,} reviewed at random)"
    if row["kind"] == "labeller" and row["earlier"]:
        text += f"; {row['earlier']:,} were decided before it voted: if it learnt from them, they flatter it"
    return text


def describe_confusions(confusion, name: str) -> list[str]:
    """Say what a labeller takes for what most often."""
    wrong = confusion[(confusion.labeller == name) & (confusion.truth != confusion.said)]
    lines = []
    for c in wrong.sort_values("n", ascending=False).head(SHOWN).itertuples():
        known = c.share == c.share
        share = f", {c.share:.1%} [{c.low:.1%}, {c.high:.1%}]" if known else ", too few for a rate"
        lines.append(f"  {c.truth} taken for {c.said}: {c.n:,} of {c.of:,}{share}")
    return lines


def show_comparison(args: argparse.Namespace, bench: Bench) -> None:
    """Say which of two labellers is the better annotator."""
    from assay.curation.review.labeller_rates import HOW, compare_labellers

    found = compare_labellers(bench, *args.compare)
    a, b = found["a"], found["b"]
    print_line(args, found["verdict"])
    print_line(
        args,
        f"both labelled {format_count(found['both'], 'sample')}; a third person decided {found['n']:,} of these at "
        f"random ({found['by_audit']:,} of a blind audit): both right {found['both_right']:,}, {a} alone "
        f"{found['a_alone']:,}, {b} alone {found['b_alone']:,}, both wrong {found['both_wrong']:,}",
    )
    if found["unsure"]:
        print_line(
            args,
            f"{found['unsure']:,} more on which they differ and nobody is sure: the interval spans both ends",
        )
    for note in found["notes"]:
        print_line(args, f"note: {note}")
    print_result(args, found, f"{HOW} -b {bench.given}", schema="labellers-compare")


def show_consensus(args: argparse.Namespace, bench: Bench) -> None:
    """Join all votes, beside latest and majority; with --propose as a proposal."""
    from assay.curation.review.consensus import compare_methods, find_consensus, propose_consensus

    consensus = find_consensus(bench, args.consensus)
    compared = compare_methods(bench, args.consensus)
    differ = int((consensus.label != consensus.standing).sum())
    proposal = propose_consensus(bench, args.consensus, args.who).name if args.propose else None
    left_out = consensus.attrs["left_out"]
    out = dict(
        method=args.consensus,
        samples=len(consensus),
        several=int((consensus.votes > 1).sum()),
        differ=differ,
        left_out=left_out,
        compared=to_json_rows(compared),
        proposal=proposal,
    )
    print_line(
        args,
        f"{args.consensus}: a label for {format_count(len(consensus), 'sample')}, {out['several']:,} of several votes; "
        f"{differ:,} differ from what stands",
    )
    for text in left_out:
        print_line(args, f"left out: {text}")
    if not args.json:
        draw_table(compared, "method measured wrong unsure error low high".split())
    for row in out["compared"]:
        if row["method"] not in ("majority", "latest"):
            print_line(args, f"{row['method']} against the majority: {describe_gain(row)}")
    print_line(args, "who tells the truth of a sample has no vote on it in this table")
    then = f"assay labellers --consensus {args.consensus} --propose -b {bench.given}"
    if proposal:
        print_line(args, f"{proposal}: {format_count(differ, 'label')} proposed; none has changed")
        then = f"assay labellers -b {bench.given}"
    print_result(args, out, then, schema="labellers-consensus")


def describe_gain(row: dict) -> str:
    """Say how much better than the majority a method is."""
    alone, theirs = row["alone"], row["majority_alone"]
    counts = (
        f"{alone:,} right where that is wrong, {theirs:,} the other way, of {row['measured']:,}"
    )
    if row["gain"] is None:
        return f"{counts}, too few for a rate"
    found = dict(estimate=row["gain"], low=row["gain_low"], high=row["gain_high"])
    return f"{format_interval(found)} ({counts})"


def add(verbs: Verbs) -> None:
    """Add the verbs label and labellers."""
    verb = verbs.add("label", label, who=True)
    verb.add_argument(
        "--with", dest="function", metavar="MODULE:FUNCTION", help="the function that labels"
    )
    verb.add_argument(
        "--predictions",
        metavar="FILE",
        help="a CSV, Parquet, JSON, ... of ids, keys or paths and a column label, or probabilities of each class",
    )
    verb.add_argument(
        "--as", dest="as_", metavar="NAME", help="name of the labeller (default: the function's)"
    )
    verb.add_argument(
        "--where", default="", metavar="CONDITION", help="only samples that this finds"
    )
    verb.add_argument(
        "--split", default="", choices=("train", "val", "pool"), help="only of this split"
    )
    add_patience_option(verb, "function")
    verb = verbs.add("labellers", show_labellers, who=True)
    verb.add_argument(
        "--compare", nargs=2, metavar=("A", "B"), help="is A a better annotator than B?"
    )
    verb.add_argument("--consensus", choices=METHODS, help="join all votes into one label a sample")
    verb.add_argument(
        "--propose",
        action="store_true",
        help="open a proposal of the consensus labels that differ from what stands",
    )

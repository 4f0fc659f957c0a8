"""The verb disagreements: where two models disagree."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from assay.curation import Bench
from assay.curation.text import format_count
from assay.pipelines.cli.candidates import add_count_option, print_candidates, read_count
from assay.pipelines.cli.output import line_printer, open_bench, print_line, progress_bar
from assay.pipelines.cli.verbs import Verbs

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = "rank sample source_id path current suggested_label score reason".split()
SHOWN = "rank source_id current suggested_label score reason".split()


def show_disagreements(args: argparse.Namespace) -> None:
    """Show where a candidate disagrees with the current model on the pool.

    What chance in training explains is left out.
    """
    from assay.pipelines.experiments.predictions import compare_models

    bench = open_bench(args)
    with progress_bar("predicting"):
        found, about = compare_models(
            bench, args.first, args.second, args.in_, args.predict, line_printer(args)
        )
    print_summary(args, about)
    found = add_reasons(bench, found.head(read_count(args)))
    print_candidates(args, bench, found[COLUMNS], SHOWN, "assay disagreements ...")


def print_summary(args: argparse.Namespace, about: dict) -> None:
    """Print how often the models differ, and how much is chance."""
    control, differ = about["control"], f"for {about['share']:.1%} of {about['n']:,} {args.in_}"
    noise = "one seed each: how much of it is chance is not known"
    if control == control:
        noise = f"two seeds of one recipe on {control:.1%}"
    print_line(args, f"they name different classes {differ} samples; {noise}")
    if about["noise"]:
        among = f"{about['noise']:,} of {format_count(about['differ'], 'sample')} where the recipes differ"
        print_line(args, f"{among} are within what seeds differ by, and left out")
    if about["unseen"]:
        unseen = f"{format_count(about['unseen'], 'sample', 'is', 'are')} not judged by all of these runs"
        again = f"assay disagreements {args.first} {args.second} --predict trains them once more for that"
        print_line(args, f"{unseen}: {again}")


def add_reasons(bench: Bench, found: pd.DataFrame) -> pd.DataFrame:
    """Add rank, source and reason to the samples found."""
    state = bench.state()
    found = found.rename(columns=dict(candidate="suggested_label"))
    found.insert(0, "rank", range(1, len(found) + 1))
    for column, name in (("source_id", "key"), ("path", "uri")):
        found[column] = state[name].reindex(found["sample"]).to_numpy(object)
    return found.assign(reason=[describe_difference(row) for row in found.itertuples()])


def describe_difference(row: Any) -> str:
    """Describe what two models say of a row's sample."""
    seeds = f", seeds {row.within:.2f}" if row.within == row.within else ""
    apart = f"{row.between:.2f} apart{seeds}"
    if question := getattr(row, "question", None):
        both = f"{row.p_current:.0%} now, {row.p_candidate:.0%} candidate"
        return f"{question}? {both}; {apart}"
    now = f"{row.current} {row.p_current:.0%} now"
    candidate = f"{row.suggested_label} {row.p_candidate:.0%} candidate"
    return f"{now}, {candidate}; {apart}"


def add(verbs: Verbs) -> None:
    """Add the verb disagreements."""
    verb = verbs.add("disagreements", show_disagreements, csv=True)
    verb.add_argument(
        "first",
        metavar="RUN",
        help="the current model: a run's key or its beginning, or VERSION/ARCHITECTURE for all its seeds",
    )
    verb.add_argument("second", metavar="RUN", help="the candidate")
    verb.add_argument(
        "--in",
        dest="in_",
        choices=("pool", "val"),
        default="pool",
        help="where to look (default: pool)",
    )
    verb.add_argument(
        "--predict",
        action="store_true",
        help="train networks once more for samples that they have not predicted",
    )
    add_count_option(verb, 100)

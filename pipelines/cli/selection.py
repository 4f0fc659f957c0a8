"""The verbs similar and suggest, which find samples worth a label."""

from __future__ import annotations

import argparse

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.pipelines.cli.candidates import (
    PICTURES,
    add_count_option,
    gap_samples,
    print_candidates,
    read_count,
    write_sheet,
)
from assay.pipelines.cli.output import open_bench, progress_bar
from assay.pipelines.cli.verbs import Verbs

MINED = ("pool", "train", "val")
SIMILAR = "rank source_id label score distance nearest_source_id nearest".split()
SUGGESTED = "rank source_id suggested_label score reason".split()


def find_similar(args: argparse.Namespace) -> None:
    """Find the samples most like given ones, or like a gap's."""
    from assay.curation.selection import similarity

    bench = open_bench(args)
    with progress_bar("comparing"):
        found = similarity.find_similar(bench, read_seeds(bench, args), args.in_, args.copies)
        found = found.head(read_count(args))
    if args.sheet:
        nearest = zip(found.score, found.distance, found.nearest_source_id)
        text = [f"{s:.2f} alike, {d:.2f} from {n}" for s, d, n in nearest]
        title = f"Of {args.in_} most like {args.gap or ', '.join(args.samples)}"
        write_sheet(args, bench, found, title, text)
    print_candidates(args, bench, found, SIMILAR, f"assay similar ... --in {args.in_}")


def read_seeds(bench: Bench, args: argparse.Namespace) -> list[str]:
    """Read the samples to start from: given ones, or a gap's."""
    if bool(args.samples) == bool(args.gap):
        raise UserError(
            "expected samples, or --gap NAME, found " + ("both" if args.gap else "neither"),
            "as in: assay similar d0017",
        )
    return gap_samples(bench, args.gap) if args.gap else args.samples


def suggest_samples(args: argparse.Namespace) -> None:
    """Suggest what to label next in the pool.

    It takes samples of which the model is unsure, where train is thin and val is not, no two alike.
    """
    from assay.curation.selection import active_learning

    bench = open_bench(args)
    with progress_bar("choosing"):
        found = active_learning.suggest_samples(bench, read_count(args))
    if args.sheet:
        write_sheet(args, bench, found, "What to label next", found.reason)
    print_candidates(args, bench, found, SUGGESTED, f"assay suggest -n {args.n}")


def add(verbs: Verbs) -> None:
    """Add the verbs similar and suggest."""
    sheet = dict(metavar="FILE.html", help=f"a page with the first {PICTURES} samples")
    verb = verbs.add("similar", find_similar, csv=True)
    verb.add_argument("samples", nargs="*", metavar="SAMPLE", help="ids or keys")
    verb.add_argument(
        "--gap", metavar="NAME", help="like the samples of a gap's region (assay gaps lists them)"
    )
    verb.add_argument(
        "--in",
        dest="in_",
        choices=MINED,
        default="pool",
        help="where to look (default: pool)",
    )
    verb.add_argument(
        "--copies", action="store_true", help="near duplicates too, of them and of each other"
    )
    add_count_option(verb, 100)
    verb.add_argument("--sheet", **sheet)
    verb = verbs.add("suggest", suggest_samples, csv=True)
    add_count_option(verb, 100)
    verb.add_argument("--sheet", **sheet)

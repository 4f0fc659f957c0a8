"""Read the changes that a proposal is opened with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from assay import curation
from assay.curation import Bench
from assay.curation.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def read_changes(
    args: argparse.Namespace, bench: Bench
) -> tuple[pd.DataFrame, dict[str, int], str]:
    """Read changes from a file, stdin, a batch, a copy or FiftyOne.

    Returns (decisions, samples left out by reason, what they were read from).
    """
    from assay.curation.versioning import proposal_sources

    given = [*args.words, *filter(None, (args.batch, args.from_)), *["FiftyOne"] * args.fiftyone]
    if len(given) != 1:
        raise UserError(
            f"expected one source of changes, found {len(given)}",
            "say FILE, - for stdin, --batch BATCH, --from BENCH or --fiftyone",
        )
    if args.batch:
        return *proposal_sources.read_batch_decisions(bench, args.batch), given[0]
    if args.from_:
        other = curation.open(args.from_)
        return *proposal_sources.read_copy_decisions(bench, other), given[0]
    if args.fiftyone:
        return *read_fiftyone(args, bench), given[0]
    return read_file(args.words[0]), {}, given[0]


def read_file(name: str) -> pd.DataFrame:
    """Read decisions from a CSV, a Parquet file, or - for stdin."""
    from assay.curation.versioning.proposal_sources import read_decision_file

    if name != "-":
        return read_decision_file(name)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "stdin"
        file.write_bytes(sys.stdin.buffer.read())
        return read_decision_file(file)


def read_fiftyone(args: argparse.Namespace, bench: Bench) -> tuple[pd.DataFrame, dict[str, int]]:
    """Read what people changed in FiftyOne; there it waits as it is until it is pulled."""
    from assay.pipelines.fiftyone import changes, sync

    _, dataset, pushed = sync.open_shown(bench, args.trust)
    found = sync.find_changes(bench, dataset, pushed, args.new_class)
    take = found[found.verdict == "apply"]
    rest = found.drop(take.index)
    if not len(take):
        raise UserError(
            f"expected changes in FiftyOne, found none that can be proposed and {len(rest):,} others",
            f"assay fiftyone --pull -b {bench.given} shows these",
        )
    return changes.make_decisions(take), rest.verdict.value_counts().to_dict()

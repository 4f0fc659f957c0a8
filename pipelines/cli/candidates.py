"""Candidates for a label, as a table or a sheet."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.curation import Bench
from assay.curation.errors import UserError
from assay.curation.text import format_count
from assay.pipelines.cli.output import print_line, print_table

if TYPE_CHECKING:
    import pandas as pd

PICTURES = 200  # on a sheet
KEPT = "rank sample source_id path suggested_label score reason".split()  # in a table to fill in


def print_candidates(
    args: argparse.Namespace,
    bench: Bench,
    found: pd.DataFrame,
    columns: list[str],
    again: str,
    *,
    schema: str | None = None,
) -> None:
    """Print candidates, with --csv as a table to fill in.

    `again`: the verb that writes such a table, for `assay edit`. Its columns label, keep and why are empty: a
    suggestion is no decision until a person writes it into `label`.
    """
    then = f"{again} --csv new.csv -b {bench.given} writes a table to fill in"
    if args.csv:
        kept = {c: found[c] for c in KEPT if c in found}
        found = found.iloc[:, :0].assign(**kept, label="", keep="", why="")
        edit = f"assay edit {args.csv} --to train --who YOU -b {bench.given}"
        then = f"fill in label, then: {edit} (labelled rows move to train), and assay commit"
    print_table(args, found, columns, then, none="no such samples there", schema=schema)


def write_sheet(
    args: argparse.Namespace, bench: Bench, found: pd.DataFrame, title: str, text: Sequence[str]
) -> None:
    """Write the first images to --sheet, `text` (n,) under each."""
    from assay.pipelines.reports.contact_sheet import write_search_sheet

    rows = found.assign(text=text).head(PICTURES)
    write_search_sheet(bench, rows, title, args.sheet)
    print_line(args, f"{format_count(len(rows), 'sample')} in {args.sheet}")


def gap_samples(bench: Bench, gap: str) -> list[str]:
    """List the samples from which a search for a gap starts.

    They lie in the gap's region. Those of the pool are not among them: they are looked for.
    """
    from assay.curation.slicing import gaps

    return list(gaps.gap_seeds(bench, gap))


def add_count_option(verb: argparse.ArgumentParser, n: int) -> None:
    """Add -n, the number of samples, which is `n` by default."""
    verb.add_argument("-n", type=int, default=n, help="samples (default: %(default)s)")


def read_count(args: argparse.Namespace) -> int:
    """Read -n; UserError for less than 1."""
    if args.n < 1:
        raise UserError(f"expected at least one sample, found -n {args.n}", "for example: -n 100")
    return args.n

"""The verb map."""

from __future__ import annotations

import argparse

from assay.pipelines.cli.output import line_printer, open_bench, print_table
from assay.pipelines.cli.verbs import Verbs


def show_map(args: argparse.Namespace) -> None:
    """List where every sample lies on the map, one row a sample.

    `assay scan` draws the map; UMAP draws it anew in the background.
    """
    from assay.curation.features import image_map
    from assay.pipelines.indexing.draw_map import draw_map

    bench = open_bench(args)
    draw_map(bench, line_printer(args), args.wait)
    state = bench.state(args.version)
    state = state[state.keep]
    xy, method = image_map.read_positions(bench, state)
    rows = state.reset_index(names="sample")[["sample", "split", "key"]].assign(
        x=xy[:, 0], y=xy[:, 1], method=method
    )
    print_table(
        args,
        rows.rename(columns=dict(key="source_id")),
        ["source_id", "split", "x", "y", "method"],
        f"assay clusters -b {bench.given}",
    )


def add(verbs: Verbs) -> None:
    """Add the verb map."""
    verbs.add("map", show_map, csv=True, version=True).add_argument(
        "--wait", action="store_true", help="come back when UMAP has drawn it"
    )

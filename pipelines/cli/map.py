"""`assay map`."""

from assay.curation.features import projection
from assay.pipelines.cli.output import open_bench, say, table
from assay.pipelines.indexing.draw_map import draw


def map_(a):
    """where every image lies on the map: x and y, one row a sample; drawn by `assay scan`, by umap in the background"""
    bench = open_bench(a)
    draw(bench, say(a), a.wait)
    state = bench.state(a.version)
    state = state[state.keep]
    xy, method = projection.positions(bench, state)
    rows = state.reset_index(names="sample")[["sample", "split", "key"]].assign(
        x=xy[:, 0], y=xy[:, 1], method=method
    )
    table(
        a,
        rows.rename(columns=dict(key="source_id")),
        ["source_id", "split", "x", "y", "method"],
        f"assay clusters -b {bench.given}",
    )


def add(verb):
    """Register the verb with the command line."""
    verb(map_, csv=True, version=True).add_argument(
        "--wait", action="store_true", help="come back when umap has drawn it"
    )

"""Drawing the map: a place for every image at once, and UMAP in a process of its own, since its threads do not mix with others."""

import sys

import curation
from curation import atlas
from curation.arrays import load
from pipelines import jobs
from pipelines.terminal import open_bench, say, table


def draw(bench, say=print, wait=False):
    """The map of the images that were scanned: by principal components at once, by UMAP from a process that goes on alone (`wait`: until it is done)."""
    method, unfinished = atlas.sketch(bench)
    n = len(atlas.standing(bench)["hashes"])
    if not unfinished:
        return say(f"map         {n:,} images, by {method}")
    process = jobs.background(bench, "map", "pipelines.mapping", bench.path)
    if wait and process.wait():
        raise RuntimeError(f"the map's process ended with status {process.returncode}; see {bench.path / 'jobs' / 'map.log'}")
    how = "by umap" if wait else f"by {method}; umap draws it anew as process {process.pid}"
    say(f"map         {n:,} images, {how}")


def run(bench):
    """Draw the standing map by UMAP, from where its images are now, and keep it unless a scan made another graph meanwhile."""
    with jobs.claim(bench, "map", question="the map by UMAP") as job:
        if job is None:
            return
        graph, now = load(bench.arrays / "graph.npz"), atlas.standing(bench)
        xy = atlas.umap(graph["neighbours"], graph["distances"], now["xy"])
        if bench.file.exists() and str(load(bench.arrays / "graph.npz", ["key"])["key"]) == str(graph["key"]):
            atlas.keep(bench, graph, xy, "umap")


def map_(a):
    """where every image lies on the map: x and y, one row a sample; drawn by `assay scan`, by umap in the background"""
    bench = open_bench(a)
    draw(bench, say(a), a.wait)
    state = bench.state(a.version)
    state = state[state.keep]
    xy, method = atlas.positions(bench, state)
    rows = state.reset_index(names="sample")[["sample", "split", "key"]].assign(x=xy[:, 0], y=xy[:, 1], method=method)
    table(a, rows.rename(columns=dict(key="source_id")), ["source_id", "split", "x", "y", "method"], f"assay clusters -b {bench.given}")


def add(verb):
    """Register the verb with the command line."""
    verb(map_, csv=True, version=True).add_argument("--wait", action="store_true", help="come back when umap has drawn it")


if __name__ == "__main__":
    run(curation.open(sys.argv[1]))

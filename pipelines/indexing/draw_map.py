"""Drawing the map: a place for every image at once, and UMAP in a process of its own, since its threads do not mix with others."""

import sys

from assay import curation
from assay.curation.features import projection
from assay.curation.storage.arrays import load
from assay.pipelines.jobs import job_files, processes


def draw(bench, say=print, wait=False):
    """The map of the images that were scanned: by principal components at once, by UMAP from a process that goes on alone (`wait`: until it is done)."""
    method, unfinished = projection.sketch(bench)
    n = len(projection.standing(bench)["hashes"])
    if not unfinished:
        return say(f"map         {n:,} images, by {method}")
    process = processes.background(bench, "map", "assay.pipelines.indexing.draw_map", bench.path)
    if wait and process.wait():
        raise RuntimeError(
            f"the map's process ended with status {process.returncode}; see {bench.path / 'jobs' / 'map.log'}"
        )
    how = "by umap" if wait else f"by {method}; umap draws it anew as process {process.pid}"
    say(f"map         {n:,} images, {how}")


def run(bench):
    """Draw the standing map by UMAP, from where its images are now, and keep it unless a scan made another graph meanwhile."""
    with job_files.claim(bench, "map", question="the map by UMAP") as job:
        if job is None:
            return
        graph, now = load(bench.arrays / "graph.npz"), projection.standing(bench)
        xy = projection.umap(graph["neighbours"], graph["distances"], now["xy"])
        if bench.file.exists() and str(load(bench.arrays / "graph.npz", ["key"])["key"]) == str(
            graph["key"]
        ):
            projection.keep(bench, graph, xy, "umap")


if __name__ == "__main__":
    run(curation.open(sys.argv[1]))

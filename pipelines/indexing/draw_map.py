"""Draw the map: every image's place at once.

UMAP follows in a process of its own, since its threads do not mix with others.
"""

from __future__ import annotations

import sys

from assay import curation
from assay.curation.features import image_map, neighbor_graph, projection
from assay.curation.storage.interface import Bench, Tell
from assay.curation.text import format_count
from assay.pipelines.jobs import job_files, tasks


def draw_map(bench: Bench, say: Tell = print, wait: bool = False) -> None:
    """Draw the map of the images that were scanned.

    By principal components at once, then by UMAP in a process that goes on alone (`wait`: until it is done).
    """
    sketch = image_map.sketch_map(bench)
    n = len(sketch.hashes)
    if not sketch.needs_umap:
        say(f"map         {format_count(n, 'image')}, by {sketch.method}")
        return
    process = tasks.start_process(bench, "map", "assay.pipelines.indexing.draw_map", bench.path)
    if wait and process.wait():
        raise RuntimeError(
            f"the map's process ended with status {process.returncode};"
            f" see {bench.path / 'jobs' / 'map.log'}"
        )
    how = "by umap" if wait else f"by {sketch.method}; umap draws it anew as process {process.pid}"
    say(f"map         {format_count(n, 'image')}, {how}")


def refine_map(bench: Bench) -> None:
    """Draw the map by UMAP, from where its images are now.

    It is kept unless a scan made another graph meanwhile.
    """
    with job_files.claim_job(bench, "map", question="the map by UMAP") as job:
        if job is None:
            return
        graph = neighbor_graph.Graph.load(bench.arrays / "graph.npz")
        now = image_map.load_map(bench)
        xy = projection.run_umap(graph.neighbours, graph.distances, now.xy)
        if bench.file.exists() and neighbor_graph.load_key(bench) == graph.key:
            image_map.save_map(bench, graph, xy, "umap")


if __name__ == "__main__":
    refine_map(curation.open(sys.argv[1]))

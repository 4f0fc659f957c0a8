"""Draw the map: every image's place at once.

UMAP follows in a process of its own, since its threads do not mix with others.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from assay import curation
from assay.curation.features import image_map, neighbor_graph, projection
from assay.curation.media.base import media_of
from assay.curation.storage.interface import Bench, Tell
from assay.curation.text import format_count
from assay.pipelines.jobs import job_files, tasks

JOB = "map"
WORDS = dict(umap="the map by UMAP", components="the map by principal components")


def start_drawing(bench: Bench, method: str) -> subprocess.Popen:
    """Start to draw the map in a process that goes on alone.

    method: umap or components.
    """
    return tasks.start_process(bench, JOB, "assay.pipelines.indexing.draw_map", bench.path, method)


def draw_map(bench: Bench, say: Tell = print, wait: bool = False) -> None:
    """Draw the map of the images that were scanned.

    By principal components at once, then by UMAP in a process that goes on alone (`wait`: until it is done).
    """
    sketch = image_map.sketch_map(bench)
    many = format_count(len(sketch.hashes), media_of(bench).name)
    if not sketch.needs_umap:
        most = f"; UMAP draws up to {image_map.MOST:,}" if len(sketch.xy) > image_map.MOST else ""
        say(f"map         {many}, by {sketch.method}{most}")
        return
    process = start_drawing(bench, "umap")
    if wait and process.wait():
        raise RuntimeError(
            f"the map's process ended with status {process.returncode};"
            f" see {bench.path / 'jobs' / 'map.log'}"
        )
    how = "by umap" if wait else f"by {sketch.method}; umap draws it anew as process {process.pid}"
    say(f"map         {many}, {how}")


def refine_map(bench: Bench, method: str = "umap") -> None:
    """Draw the map by UMAP or by principal components.

    UMAP begins from where the images are now. The map is kept unless a scan made another graph
    meanwhile.
    """
    with job_files.claim_job(bench, JOB, question=WORDS[method]) as job:
        if job is None:
            return
        try:
            job.tell(often=False, text="reads what the scan found", share=0.0)
            if method == "components":
                job.tell(often=False, text="principal components", share=0.1)
                return image_map.draw_components(bench)
            draw_umap(bench, job)
        except Exception as e:
            job.fail(f"{type(e).__name__}: {e}"[:2000])
            raise


def draw_umap(bench: Bench, job: job_files.Job) -> None:
    """Draw the map by UMAP, and tell how far it is."""
    now = image_map.sketch_map(bench)
    graph = neighbor_graph.Graph.load(bench.arrays / "graph.npz")
    assert graph is not None, "it was sketched"
    job.tell(often=False, text="joins neighbours", share=0.05)
    begun = time.monotonic()

    def tell(done: int, of: int) -> None:
        left = (time.monotonic() - begun) / max(done, 1) * (of - done)
        words = f"epoch {done:,} of {of:,}"
        words += f", {format_wait(left)} to go" if done else ""
        job.tell(text=words, share=0.05 + 0.95 * done / max(of, 1))

    xy = projection.run_umap(graph.neighbours, graph.distances, now.xy, tell)
    if bench.file.exists() and neighbor_graph.load_key(bench) == graph.key:
        image_map.save_map(bench, graph, xy, "umap")


def format_wait(seconds: float) -> str:
    """Write how long something takes."""
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end as by Ctrl-C
    refine_map(curation.open(sys.argv[1]), *sys.argv[2:])

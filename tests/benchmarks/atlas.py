"""The map in a real browser: how long a frame takes while it is dragged, at 50,000 and at 1,000,000 points; places and colours are made up."""

import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from assay.app.server import map_data
from assay.curation.features import image_map
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.browser import browser, workbench
from tests.conftest import bench_of, digits

SIZES = 50_000, 1_000_000


def made(n, seed=0):
    """The answer of the server's route for n points: 20 heaps, each of a colour."""
    rng = np.random.default_rng(seed)
    heap = rng.integers(0, 20, n)
    xy = np.clip(rng.random((20, 2))[heap] + rng.normal(0, 0.04, (n, 2)), 0, 1).astype("f4")
    return map_data.pack_bytes(xy, (heap % 10).astype("u1"), dict(palette=[], legend=[]))


def moved(page, n, steps=120):
    """(ms between frames while the map is dragged, points drawn meanwhile, ms until all are drawn once it stands)."""
    page.wait_for_selector(f".assay-map[data-drawn='{n}']", timeout=120_000)
    page.evaluate(
        "window.ticks = []; const tick = (t) => { window.ticks.push(t); requestAnimationFrame(tick); }; requestAnimationFrame(tick)"
    )
    box = page.locator(".assay-map canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(steps):
        page.mouse.move(x + i, y + i)
    few, ticks = (
        int(page.locator(".assay-map").get_attribute("data-drawn")),
        page.evaluate("window.ticks"),
    )
    start = time.perf_counter()
    page.mouse.up()
    page.wait_for_function(
        f"document.querySelector('.assay-map').dataset.drawn === '{n}'", timeout=60_000
    )
    page.evaluate("new Promise(requestAnimationFrame)")
    return np.diff(ticks), few, 1000 * (time.perf_counter() - start)


def main(folder):
    bench = bench_of(digits(300), folder, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    image_map.sketch_map(bench)
    with workbench(bench.path) as server, browser() as chrome:
        for n in SIZES:
            page = server.page(chrome, "/", viewport=dict(width=1440, height=900))
            answer = partial(
                lambda body, route: route.fulfill(
                    body=body, content_type="application/octet-stream"
                ),
                made(n),
            )
            page.route("**/assay/map*", answer)
            page.goto(f"{server.url}/map?who=ann")
            ticks, few, still = moved(page, n)
            between = f"median {np.median(ticks):4.0f} ms, p95 {np.quantile(ticks, 0.95):4.0f} ms between frames ({len(ticks)}, of {few:,} points)"
            print(
                f"    {n:>9,} points, while it moves: {between}; all of them {still:.0f} ms after it stands",
                flush=True,
            )
            page.context.close()


if __name__ == "__main__":
    made_in = Path(tempfile.mkdtemp())
    try:
        main(Path(sys.argv[1]) if sys.argv[1:] else made_in)
    finally:
        shutil.rmtree(made_in)

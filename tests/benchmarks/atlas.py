"""The map in a real browser: how soon it is drawn, coloured anew, and how soon what is circled is selected; how smoothly it moves.

    python -m tests.benchmarks.atlas [N ...]

N samples (60,000 and 1,000,000 by default), as filtering.py makes them; places are drawn: 20 heaps. Recolouring is the time from
the choice to the points painted, of which the server's answer is a part; a lasso is the time from the pointer let go to the map
and the count painted. Beside each stands what a bare canvas takes to fill its pixels once, since machines and their load differ.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from assay.curation.features import image_map
from tests.benchmarks.browsing import build, spread
from tests.benchmarks.tools import clock
from tests.browser import Workbench, browser, until

ROOT = "document.querySelector('.assay-map')"
COLOURS = ["score", "split", "suggestion", "site", "brightness", "flagged", "cluster", "label"]
LIMITS = {60_000: (150, 300), 1_000_000: (500, 1000)}  # ms: recolour p95, a lasso
BARE = """() => { const c = document.createElement('canvas'); c.width = 1440; c.height = 900; const pen = c.getContext('2d'), i = new ImageData(1440, 900), out = [];
  for (let k = 0; k < 9; k++) { const start = performance.now(); new Uint32Array(i.data.buffer).fill(k); pen.putImageData(i, 0, 0); pen.getImageData(0, 0, 1, 1); out.push(performance.now() - start); }
  return out; }"""


def place(bench, seed=0):
    """Lay the images in 20 heaps."""
    graph, rng = np.load(bench.arrays / "graph.npz"), np.random.default_rng(seed)
    hashes = graph["hashes"]
    heap = rng.integers(0, 20, len(hashes))
    xy = rng.random((20, 2))[heap] + rng.normal(0, 0.04, (len(hashes), 2))

    class Drawn:
        key = str(graph["key"])

    Drawn.hashes = hashes
    image_map.save_map(bench, Drawn, xy, "umap")


def measured(page, name):
    return page.evaluate(f"performance.getEntriesByName('assay:{name}').map(e => e.duration)")


def drawn(page):
    until(page, f"{ROOT}?.dataset.painted", seconds=240)


def recoloured(page, times=24):
    page.evaluate("performance.clearMeasures()")
    for i in range(times):
        by = COLOURS[i % len(COLOURS)]
        page.get_by_label("colour by").select_option(by)
        until(page, f"{ROOT}.dataset.colour === '{by}'", seconds=120)
        page.wait_for_timeout(150)
    return measured(page, "recolour")


def circled(page, share, times=8):
    """Circle about a share of what is in view; ms each, and how many are selected."""
    box, out = page.locator(".chart").bounding_box(), []
    x, y, scale = map(float, page.evaluate(f"{ROOT}.dataset.view").split())
    page.evaluate("performance.clearMeasures()")
    middle, half = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), np.sqrt(share) / 2
    corners = [
        (middle[0] + half * box["width"] * a, middle[1] + half * box["height"] * b)
        for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))  # not from beneath the legend
    ]
    for _ in range(times):
        page.locator(".chart").focus()
        page.keyboard.press("Escape")
        page.mouse.move(*corners[0])
        page.keyboard.down("Shift")
        page.mouse.down()
        for corner in corners[1:]:
            page.mouse.move(*corner, steps=12)
        page.mouse.up()
        page.keyboard.up("Shift")
        page.wait_for_timeout(700)
        out.append(int(page.evaluate(f"{ROOT}.dataset.selected")))
    return measured(page, "lasso"), measured(page, "panel"), max(out)


def dragged(page, steps=60):
    """ms between frames while the map is dragged."""
    page.evaluate(
        "window.ticks = []; const tick = (t) => { ticks.push(t); requestAnimationFrame(tick); }; requestAnimationFrame(tick)"
    )
    box = page.locator(".chart").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(steps):
        page.mouse.move(x + 2 * i, y + i)
    page.mouse.up()
    return np.diff(page.evaluate("ticks"))


def measure(n):
    with tempfile.TemporaryDirectory() as folder:
        with clock(f"a bench of {n:,} samples"):
            bench = build(Path(folder), n)
            place(bench)
        server = Workbench(bench.path).start()
        try:
            with browser() as chrome:
                page = server.page(chrome, "/map?who=ann", viewport=dict(width=1440, height=900))
                drawn(page)
                page.wait_for_timeout(3000)
                print(f"    first drawn          {page.evaluate(ROOT + '.dataset.painted')} ms")
                bare, (recolour, lasso) = page.evaluate(BARE), LIMITS.get(n, (0, 0))
                print(f"    bare canvas          {spread(bare)}", flush=True)
                print(f"    recolour             {spread(recoloured(page))}; p95 limit {recolour}")
                took, panel, some = circled(page, 0.72)
                print(f"    lasso of {some:,}     {spread(took)}; limit {lasso}", flush=True)
                print(f"    its first pictures   {spread(panel)} after that", flush=True)
                page.keyboard.press("Escape")
                print(f"    paint                {spread(measured(page, 'map'))}", flush=True)
                print(f"    frames when dragged  {spread(dragged(page))}", flush=True)
                assert not page.failed, page.failed
        finally:
            server.kill()
    print(f"    load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)


if __name__ == "__main__":
    for n in map(int, sys.argv[1:] or (60_000, 1_000_000)):
        measure(n)

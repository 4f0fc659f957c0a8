"""Browse in a real browser: how soon a grid is painted, a filter applied, facets counted, 10,000 samples changed, and how smoothly it scrolls.

    python -m tests.benchmarks.browsing [N ...]

N samples (60,000 and 1,000,000 by default): the photographs of CIFAR-10N repeated under distinct ids, with the pixels of 60,000. Late
frames are those over 33 ms; beside them stands a bare page that scrolls the same pictures in the same run. Overview is opened beside it,
since machines differ.
"""

import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from assay.curation.media.images import decode_pixels
from assay.curation.storage.shards import Shards
from tests.benchmarks import filtering
from tests.benchmarks.app import memory
from tests.benchmarks.tools import clock, need
from tests.browser import Workbench, browser, until

ROOT = "document.querySelector('.assay-browse')"
FILTERS = [
    "label = 'cat'",
    "score < 0.1",
    "suggestion = 'dog' and label <> 'dog'",
    "split = 'val' or site = 'north'",
    "brightness between 0.3 and 0.5",
    "hour >= 12 and flagged",
    "key like '%77%'",
]
SORTS = ["score asc", "confidence desc", "brightness desc"]
FRAMES = """(steps) => new Promise(done => {
  const where = document.querySelector('.assay-browse .grid') ?? document.scrollingElement, late = [];
  let n = 0, last = performance.now();
  const step = now => { late.push(now - last); last = now; where.scrollTop += 120; n++ < steps ? requestAnimationFrame(step) : done(late.slice(1)); };
  requestAnimationFrame(step);
})"""


def build(folder, n):
    """A bench of n samples with pixels, as an import and a scan leave it."""
    bench = filtering.build(folder / "bench", n)
    table = pd.read_parquet(need("cifar10n.parquet"), columns=["image"])
    pixels = np.stack([decode_pixels(blob) for blob in table.image])
    hashes = pd.unique(bench.state().content_hash)
    rows = np.arange(len(hashes)) * pixels[0].size
    Shards(bench.arrays / "pixels").append(hashes, pixels[: len(hashes)].ravel(), 32, 32, rows)
    return bench


def spread(times):
    """Median and 95th percentile, in words."""
    found = np.array(times)
    return f"median {np.median(found):6.0f} ms, p95 {np.quantile(found, 0.95):6.0f} ms (n {len(found)})"


def measured(page, name):
    """How long each of a page's measures took, ms."""
    return page.evaluate(f"performance.getEntriesByName('assay:{name}').map(e => e.duration)")


def painted(page):
    until(page, f"{ROOT}?.dataset.painted", seconds=120)


def opened(server, chrome, times=5):
    """First grid painted after the page opens, and Overview's script ended, ms each."""
    first, overview = [], []
    for _ in range(times):
        page = server.page(chrome, "/browse?who=ann")
        painted(page)
        first.append(float(page.evaluate(f"{ROOT}.dataset.painted")))
        page.context.close()
        start = time.perf_counter()
        page = server.page(chrome, "/?who=ann")
        page.locator(".assay-cards").wait_for(timeout=120_000)
        overview.append(1000 * (time.perf_counter() - start))
        page.context.close()
    print(
        f"    first grid painted   {spread(first)}; Overview's cards {spread(overview)}", flush=True
    )


def filtered(page):
    """Filters and sorts applied, with counts and the first screen painted, and facets counted."""
    page.evaluate("performance.clearMeasures()")
    for sort in ("", *SORTS):
        if sort:
            page.get_by_label("sort by").select_option(sort.split()[0])
            painted(page)
        for condition in FILTERS:
            page.locator("input.where").fill(condition)
            page.keyboard.press("Enter")
            page.wait_for_timeout(700)
            painted(page)
            page.get_by_role("button", name="clear").click()
            page.wait_for_timeout(700)
            painted(page)
    print(f"    filter or sort       {spread(measured(page, 'painted'))}", flush=True)
    print(f"    facets               {spread(measured(page, 'facets'))}", flush=True)


def scrolled(server, chrome, side, steps=300):
    """Late frames of the grid and of a bare page with the same pictures."""
    page = server.page(chrome, "/browse?who=ann")
    painted(page)
    page.evaluate(f"localStorage.setItem('assay:size', {side})")
    page.reload()
    painted(page)
    page.evaluate(FRAMES, 60)
    frames = np.array(page.evaluate(FRAMES, steps))
    of = page.evaluate(f"{ROOT}.dataset.of")
    ids = page.evaluate(f"fetch('/assay/tiles/{of}/0').then(a => a.json()).then(a => a.ids)")
    small = side <= 64
    urls = [f"/assay/sprite/{i}?of={of}" for i in range(40)] if small else []
    urls = urls or [f"/assay/image/{s}?side=128" for s in ids]
    page.goto(server.url + "/assay/position?since=0")
    page.evaluate(
        f"""urls => {{ for (const src of urls) {{ const img = new Image({1024 if small else side}); img.src = src;
        img.loading = 'lazy'; document.body.append(img); }} }}""",
        urls * (1 if small else 6),
    )
    page.wait_for_timeout(1500)
    page.evaluate(FRAMES, 60)
    bare = np.array(page.evaluate(FRAMES, steps))
    late, plain = int((frames > 33.4).sum()), int((bare > 33.4).sum())
    print(
        f"    scroll, {side:3} px tiles  {late} of {steps} frames late, bare page {plain} "
        f"(median {np.median(frames):.1f} and {np.median(bare):.1f} ms)",
        flush=True,
    )
    page.context.close()


def changed(page, n, times=5):
    """An act on about 10,000 samples, durable and shown, and taken back."""
    page.locator("input.where").fill(f"hash(sample) % {n // 10_000} = 0")
    page.keyboard.press("Enter")
    page.wait_for_timeout(1000)
    painted(page)
    some = page.locator(".assay-browse").get_attribute("data-total")
    for i in range(times):
        page.locator(".grid").focus()
        page.keyboard.press("Control+a")
        page.get_by_label("tag the selected samples").fill(f"seen {i}")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="yes, all").click()
        page.get_by_role("button", name="Undo (Ctrl+Z)").wait_for(timeout=120_000)
        page.wait_for_timeout(2000)
    print(f"    act on {int(some):,}        {spread(measured(page, 'act'))}", flush=True)


def measure(n):
    with tempfile.TemporaryDirectory() as folder:
        with clock(f"a bench of {n:,} samples"):
            bench = build(Path(folder), n)
        with clock("server up"):
            server = Workbench(bench.path).start()
        try:
            with browser() as chrome:
                opened(server, chrome)
                for side in (64, 112):
                    scrolled(server, chrome, side)
                page = server.page(chrome, "/browse?who=ann", viewport=dict(width=1440, height=900))
                painted(page)
                filtered(page)
                changed(page, n)
                print(f"    server {memory(server):.2f} GB", flush=True)
        finally:
            server.kill()


if __name__ == "__main__":
    print(platform.processor() or platform.machine())
    for n in map(int, sys.argv[1:] or (60_000, 1_000_000)):
        measure(n)

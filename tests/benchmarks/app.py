"""The workbench in a real browser on 60,000 photographs: how soon the next image is painted, a decision is durable, its effect is on the screen, and
a page is there; then four browsers at once, while a batch script edits and an experiment runs.

    python -m tests.benchmarks.app [BENCH]            of a ready, scanned bench, which is copied, or of one that is made
    python -m tests.benchmarks.app million FOLDER     makes a bench of 1,000,000 images of 32 pixels there (3 GB), and scans it
    python -m tests.benchmarks.app large BENCH        the same measures, where nothing need be copied
"""

import io
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.formats.base import ImportOptions
from assay.curation.slicing import gaps
from assay.pipelines.experiments.run import detach_run
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.jobs import job_files
from tests.benchmarks.tools import clock, need
from tests.browser import Workbench, browser, look, stored, until

PAGES = ("overview", "review", "map", "gaps", "experiments", "audit", "history")
KEYS = ["Enter", " ", "Enter", "n", "Enter", "d", "Enter", "u"]


def vectors(x):
    """An embedder of 128 numbers that costs no time: a random projection of the pixels."""
    return (
        x.reshape(len(x), -1).astype("f4")
        @ np.random.default_rng(0).normal(size=(768, 128)).astype("f4")
        / 255
    )


vectors.side = 16


def million(folder, n=1_000_000, each=50_000):
    """n photographs of 32 pixels: those of CIFAR-10, mirrored, shifted, brighter or darker and with noise, so that none equals another."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    table = pd.read_parquet(need("cifar10n.parquet"), columns=["image", "aggre", "split"])
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in table.image])
    folder, writer = Path(folder), None
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(n // each):
        rng = np.random.default_rng(part)
        rows = rng.integers(0, len(table), each)
        x = pixels[rows].astype("f4")
        x[::2] = x[::2, :, ::-1]
        x = np.roll(x, tuple(rng.integers(-3, 4, 2)), (1, 2)) * rng.uniform(
            0.7, 1.3, (each, 1, 1, 1)
        ) + rng.normal(0, 8, x.shape)
        split = np.where(
            table["split"].to_numpy()[rows] == "test",
            "test",
            np.where(np.arange(each) % 10, "train", "val"),
        )
        some = dict(
            image=[jpeg(one) for one in x.clip(0, 255).astype("u1")],
            label=table.aggre.astype(str).to_numpy()[rows],
            split=split,
        )
        some = pa.table(dict(id=[f"{part:02d}-{i:05d}" for i in range(each)]) | some)
        writer = writer or pq.ParquetWriter(folder / "photographs.parquet", some.schema)
        writer.write_table(some)
    writer.close()
    bench = assay.create(folder / "bench")
    with clock(f"import {n:,} images"):
        ingest(
            bench,
            folder / "photographs.parquet",
            "benchmark",
            ImportOptions(columns=dict(label="label"), audited_test=True),
        )
    with clock("scan"):
        scan(
            bench,
            ScanOptions(embedder="tests.benchmarks.app:vectors"),
            say=lambda line: print("   ", line, flush=True),
        )


def jpeg(pixels):
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def build(folder):
    bench = assay.create(folder / "bench")
    with clock("import and scan 60,000 images"):
        ingest(
            bench,
            need("cifar10n.parquet"),
            "benchmark",
            ImportOptions(columns=dict(label="aggre"), audited_test=True),
        )
        scan(bench, say=lambda line: None)
    return bench


def spread(page, name):
    found = np.array(
        page.evaluate(f"performance.getEntriesByName('assay:{name}').map(e => e.duration)")
    )
    return f"{name:<8} median {np.median(found):5.0f} ms, p95 {np.quantile(found, 0.95):5.0f} ms, worst {found.max():5.0f} ms ({len(found)} times)"


def memory(server):
    """Resident memory of the server, GB; NaN where the kernel does not say."""
    status = Path(f"/proc/{server.process.pid}/status")
    found = (
        [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmRSS")]
        if status.exists()
        else []
    )
    return int(found[0]) / 1e6 if found else float("nan")


def review(page, n, pause):
    """n decisions with a person's pauses; how many were presses that decide."""
    for i in range(n):
        look(page)
        page.keyboard.press(KEYS[i % len(KEYS)])
        page.wait_for_timeout(pause)
    stored(page)


def one(server, chrome, n=200):
    page = server.page(chrome, "/review?who=ann")
    review(page, n, 400)
    page.wait_for_timeout(3000)
    for name in ("painted", "stored", "live"):
        print("   ", spread(page, name), flush=True)
    print(f"    server {memory(server):.2f} GB")


def opened(server, chrome):
    for name in PAGES:
        start = time.perf_counter()
        page = server.page(chrome, f"/{name}?who=ann")
        until(
            page,
            "document.querySelector('h1') && document.querySelector('[data-test-script-state=\"notRunning\"]')",
            seconds=120,
        )
        print(f"    page {name:<12} {time.perf_counter() - start:5.1f} s", flush=True)
        page.context.close()


def four(server, bench, n=500, pause=1000):
    """Four people at once, a thread and a browser each, who press a key every `pause` ms, while a batch script edits and an experiment runs: is
    everything there, once, and how long did the slowest wait for the next image, and for a decision to be stored (limit 2 s)?"""
    told, stop, decide = {}, threading.Event(), sum(KEYS[i % len(KEYS)] != "u" for i in range(n))
    version = bench.commit("before four people", "benchmark")["name"]
    (bench.path / "plan.toml").write_text(
        f'versions = ["{version}"]\narchitectures = ["probe", "mlp"]\nseeds = 100\n'
    )
    experiment, _ = detach_run(bench, bench.path / "plan.toml", ["-o", bench.path / "report.html"])

    def person(who):
        with browser() as chrome:
            page = server.page(chrome, f"/review?who={who}")
            review(page, n, pause)
            told[who] = f"{spread(page, 'painted')}; {spread(page, 'stored')}"

    def script():
        ids, took = bench.state().query("split == 'train'").index, []
        for i in range(10_000):
            if stop.is_set():
                break
            start = time.perf_counter()
            assay.open(bench.path).edit(
                pd.DataFrame(dict(sample=ids[i : i + 1], tag=f"seen {pause}")), f"script-{pause}"
            )
            took.append(time.perf_counter() - start)
            time.sleep(0.5)
        told[f"script-{pause}"] = (
            f"re-scored by each, median {np.median(took):.1f} s, p95 {np.quantile(took, 0.95):.1f}, worst {max(took):.1f}"
        )

    people = [threading.Thread(target=person, args=(f"p{i}-{pause}",)) for i in range(4)]
    busy = threading.Thread(target=script)
    for t in (*people, busy):
        t.start()
    for t in people:
        t.join()
    stop.set()
    busy.join()
    for who, times in sorted(told.items()):
        kept = bench.rows(
            "select count(distinct batch) from edits where who = ? and batch like 'edit-%'", [who]
        )[0][0]
        print(
            f"    {who}: {kept} batches in the log{f' of {decide} decisions' * who.startswith('p')}; {times}",
            flush=True,
        )
    running = any(job["state"] == "running" for job in job_files.list_jobs(bench) if "runs" in job)
    if running:
        os.kill(experiment, signal.SIGINT)
    runs = bench.rows("select count(*) from runs where ts > (select max(ts) from commits)")[0][0]
    print(
        f"    chain {'sound' if bench.chain_breaks() == [] else 'BROKEN'}; server {memory(server):.2f} GB"
    )
    print(f"    experiment {'still runs' if running else 'ended'}, {runs} runs done meanwhile")


def main(*asked):
    if asked[:1] == ("million",):
        return million(*asked[1:])
    with tempfile.TemporaryDirectory() as folder:
        large, folder = asked[:1] == ("large",), Path(folder)
        given = asked[-1] if asked else None
        bench = (
            assay.open(given if large else shutil.copytree(given, folder / "bench"))
            if given
            else build(folder)
        )
        gaps.find_gaps(
            bench
        )  # all is written down as a scan leaves it: a server that was killed before is no part of a page's time
        print(f"{len(bench.state()):,} samples")
        with clock("server up"):
            server = Workbench(bench.path).start()
        try:
            with browser() as chrome:
                opened(server, chrome)
                one(server, chrome)
            for pause in () if large else (1000, 100):
                print(f"  four, a key every {pause} ms")
                four(server, bench, pause=pause)
        finally:
            server.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])

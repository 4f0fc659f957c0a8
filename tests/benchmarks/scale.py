"""Millions of samples by shards, from a table to a queue: `make bench scale` does a million, `scale 10_000_000 FOLDER` the rest.

    python -m tests.benchmarks.scale [N] [FOLDER] [ENGINE]

A sample is a short text; its vector (128 numbers) is made from the number that it begins with, so that embedding costs
next to nothing. Of the labels 5 % are wrong; 1 % of the samples are copies of others with one word more. Printed are the
seconds and the memory of each stage, and a gate: a table of what must be exact (samples, vectors, copies found in a
window, shards), and of the least throughput, by a yardstick that is measured beside it. Exit status 1 where it fails.
"""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

import assay
from assay.curation.features.neighbor_graph import Graph
from assay.curation.formats.base import ImportOptions
from assay.curation.storage.shards import Shards
from assay.pipelines.estimates.records import read_records
from assay.pipelines.indexing.costs import DRIVER, FILE
from assay.pipelines.indexing.ingest import ingest
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.sharding import ShardOptions
from tests.benchmarks.tools import clock

D, CLASSES, POCKETS, RANK = 128, 10, 40, 12
WRONG, COPIES, VAL = 0.05, 0.01, 0.05
WORDS = "amber birch cedar delta ember fjord glade heath inlet jetty knoll larch marsh north ocean pines quartz ridge stone thorn umber vale wharf yarrow zephyr".split()
EACH = 1_000_000  # rows of an import


def mix(i, salt):
    """Lots of numbers i: uint64, the same on every machine (splitmix64)."""
    with np.errstate(over="ignore"):
        z = np.asarray(i, "u8") * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def share(i, salt):
    return mix(i, salt) / 2.0**64


def original(i):
    """Which sample i is a copy of: itself, but for 1 %."""
    copy = (share(i, 1) < COPIES) & (i > 0)
    return np.where(copy, mix(i, 2) % np.maximum(i, 1).astype("u8"), i).astype("i8")


def true_class(i):
    return (mix(original(i), 3) % np.uint64(CLASSES)).astype(int)


def labels(i):
    wrong = share(i, 4) < WRONG
    return np.where(
        wrong, (true_class(i) + 1 + mix(i, 5) % np.uint64(CLASSES - 1)) % CLASSES, true_class(i)
    ).astype(int)


def write_texts(i):
    """A text for each sample: its number, or that of the one it copies, and words."""
    of, draws = original(i), np.stack([mix(original(i), 20 + w) for w in range(9)], 1)
    picked = (draws % np.uint64(len(WORDS))).astype(int)
    return [
        f"{n:010d} " + " ".join(WORDS[w] for w in row) + (" again" if n != m else "")
        for n, m, row in zip(of.tolist(), i.tolist(), picked.tolist())
    ]


_rng = np.random.default_rng(0)
CENTRES = _rng.normal(size=(CLASSES * POCKETS, D)).astype("f4")
AXES = _rng.normal(size=(CLASSES * POCKETS, RANK, D)).astype("f4") / RANK**0.5
TABLES = _rng.normal(size=(2, 65_536, RANK)).astype("f4")
NOISE = _rng.normal(size=(2, 65_536, D)).astype("f4")


def vectors(texts):
    """The vectors of texts (b, 128): a pocket of its class, a place along the pocket's axes, and noise."""
    i = np.array([int(text[:10]) for text in texts])
    pocket = true_class(i) * POCKETS + (mix(i, 6) % np.uint64(POCKETS)).astype(int)
    a, b, c, d = ((mix(i, salt) >> np.uint64(48)).astype(int) for salt in (7, 8, 9, 10))
    along = TABLES[0, a] + TABLES[1, b]
    out = CENTRES[pocket] + np.einsum("ir,ird->id", along, AXES[pocket])
    out += 0.35 * (NOISE[0, c] + NOISE[1, d])
    again = np.array([text.endswith("again") for text in texts])
    out[again] += 0.01 * NOISE[0, d[again]]
    return out


vectors.batch = 4096


class Memory:
    """The most memory that this process and its children have together, in GB."""

    def __init__(self):
        self.most, self.over = 0.0, False
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        me = psutil.Process()
        while not self.over:
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.most = max(self.most, total / 1e9)
            time.sleep(1)


def import_all(path, n):
    """Import n samples into `bench` in a folder, a table of EACH at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(path)
    bench = assay.create(folder / "bench")
    for start in range(0, n, EACH):
        i = np.arange(start, min(start + EACH, n))
        split = np.where(share(i, 11) < VAL, "val", "train")
        table = pa.table(
            dict(
                id=[f"{x:010d}" for x in i],
                text=write_texts(i),
                label=[f"class {c}" for c in labels(i)],
                split=split,
            )
        )
        source = folder / f"part-{start // EACH:03d}.parquet"
        pq.write_table(table, source)
        columns = dict(text="text", label="label", id="id")
        with clock(f"import {start + len(i):,}"):
            ingest(bench, source, "benchmark", ImportOptions(columns=columns, no_test=True))
        source.unlink()


def main(n=EACH, folder=None, engine="local"):
    n, memory = int(n), Memory()
    with TemporaryDirectory() as other:
        folder = Path(folder or other)
        folder.mkdir(parents=True, exist_ok=True)
        if not (
            folder / "bench" / "assay.duckdb"
        ).exists():  # in a process of its own, as a command is
            code = f"from tests.benchmarks import scale; scale.import_all({str(folder)!r}, {n})"
            subprocess.run([sys.executable, "-c", code], check=True)
            print(f"memory of the import: {memory.most:.1f} GB")
            memory.most = 0.0
        bench = assay.open(folder / "bench")
        began, shards = time.perf_counter(), ShardOptions(-(-n // 100_000), engine=engine)
        told = began

        def say(line):
            nonlocal told
            now = time.perf_counter()
            print(f"  {now - told:7.1f} s  {memory.most:5.1f} GB  {line}", flush=True)
            told = now

        found = scan(
            bench,
            ScanOptions(embedder="tests.benchmarks.scale:vectors", sharding=shards, yes=True),
            say=say,
        )
        seconds = time.perf_counter() - began
        with clock("queue of 200"):
            queue = bench.queue(200)
        report(bench, n, found, queue, seconds, memory.most)
        memory.over = True


PACE = 2_000  # samples scanned in the seconds of a yardstick, at least: see docs/lab-notebook
FOUND = 0.98  # of the planted copies, at least
EACH_SHARD = (
    "sum_squares assign_rows sum_columns sum_products measure_leverage project_rows".split()
)


def measure_yardstick():
    """The seconds of a fixed piece of work on one core, of what a scan is made of: products, sorting, and words."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(20_000, D)).astype("f4"), rng.normal(size=(D, 1000)).astype("f4")
    lots = mix(np.arange(500_000), 30)
    with threadpool_limits(1):
        began = time.perf_counter()
        for _ in range(5):
            (X @ Y).argmax(1)
            np.sort(lots)
            len({word for text in write_texts(np.arange(20_000)) for word in text.split()})
        return time.perf_counter() - began


def count_shards(bench, shards):
    """(tasks done, tasks of all shards once) of the stages that work on each shard; none where a scan went on."""
    scans = [r for r in read_records(bench.arrays / FILE) if r.kind == "scan"]
    costs = [c for r in scans[-1:] for c in r.costs if c.part in EACH_SHARD or c.step == "embed"]
    each = [c for c in costs if c.part != DRIVER]
    return sum(c.tasks for c in each), shards * sum(c.calls for c in each)


def report(bench, n, found, queue, seconds, most):
    """The gate: what must be exact, and how much must be done at least; exit status 1 where something is not."""
    state = bench.state()
    numbers = np.array([int(x) for x in found.index.map(state.key)])
    wrong = labels(numbers) != true_class(numbers)
    order = np.argsort(found.score.to_numpy(), kind="stable")
    hits = wrong[order]
    precision = float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    index = Shards(
        bench.arrays
        / "embeddings"
        / json.loads(bench.rows("select value from meta where key = 'scan'")[0][0])["folder"]
    ).index
    graph = Graph.load(bench.arrays / "graph.npz")
    pairs = {tuple(pair) for pair in np.sort(graph.pairs, 1).tolist()}
    at = dict(zip(graph.hashes.astype(str), range(len(graph.hashes))))
    node = state.content_hash.map(at).to_numpy()
    of = dict(zip(state.key.astype(int), node))
    every = np.arange(n)
    first = original(every)
    # what was to be a copy of a copy is of the number of one, and like neither
    copies = every[(first != every) & (original(first) == first)]
    nodes = (sorted((of[c], of[int(o)])) for c, o in zip(copies, first[copies]))
    met = sum(tuple(pair) in pairs for pair in nodes)
    texts = len(np.unique(2 * first + (first != every)))
    done, shards = count_shards(bench, -(-n // 100_000))
    kept = int((state.keep & state.label.notna() & state.split.isin(["train", "val"])).sum())
    yardstick = measure_yardstick()
    rows = [  # what, how much, the least, the most
        ("samples", len(state), n, n),
        ("vectors, one a text", len(index), texts, texts),
        ("of them different", len(np.unique(index["hash"])), texts, texts),
        ("planted copies found", met, int(np.ceil(FOUND * len(copies))), len(copies)),
        ("labels judged, of those kept", len(found), kept, kept),
        ("samples in a yardstick's seconds", int(n / seconds * yardstick), PACE, np.inf),
        ("memory, MB", int(most * 1000), 0, 20 * 2**30 // 10**6),
    ]
    if shards:
        rows.insert(3, ("shards of stages, each once", done, shards, shards))
    else:
        print("shards are not counted: the scan went on from an earlier one")
    print(f"{'':<34} {'found':>12} {'least':>12} {'most':>12}")
    for name, have, least, top in rows:
        print(
            f"{name:<34} {have:>12,} {least:>12,} {top:>12,}  {'' if least <= have <= top else 'FAILS'}"
        )
    print(
        f"{seconds:,.0f} s, {n / seconds:,.0f} samples a second; a yardstick {yardstick:.2f} s;"
        f" average precision of the queue {precision:.6f}"
    )
    if failed := [name for name, have, least, top in rows if not least <= have <= top]:
        sys.exit(f"scale: {', '.join(failed)}")


if __name__ == "__main__":
    main(*sys.argv[1:])

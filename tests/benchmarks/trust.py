"""What a bench survives: many writers at once, kills at any moment, a full disk, a file that is damaged. tests/test_trust.py runs it small."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.maintenance import array_checks, integrity

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))


def write(path, name, threads, batches, edits):
    """One process with some threads, each making its share of batches through a bench of its own; returns every wait in seconds."""
    waits, samples = [], list(assay.open(path).state().query("split == 'train'").index)

    def one(thread):
        bench, rng = assay.open(path), random.Random(f"{name}-{thread}")
        for i in range(batches):
            rows = pd.DataFrame(
                [
                    # a reason of its own, or what repeats is stored no second time
                    dict(sample=s, label=str(rng.randrange(10)), seconds=i, why=f"batch {i}")
                    for s in rng.sample(samples, edits)
                ]
            )
            start = time.perf_counter()
            bench.edit(rows, f"{name}-{thread}")
            waits.append(time.perf_counter() - start)

    crowd = [threading.Thread(target=one, args=(t,)) for t in range(threads)]
    [t.start() for t in crowd]
    [t.join() for t in crowd]
    return waits


def storm(path, crowd=(1,) * 8 + (8,), batches=1000, edits=10):
    """About `batches` batches of `edits` edits by one process for each number of threads in `crowd`, all at once. Returns (every wait for an
    acknowledgement in seconds, seconds in all)."""
    each, start = -(-batches // sum(crowd)), time.perf_counter()
    with ProcessPoolExecutor(
        len(crowd), multiprocessing.get_context("spawn")
    ) as pool:  # which says so when one of its processes dies
        shares = [
            pool.submit(write, path, f"p{p}", threads, each, edits)
            for p, threads in enumerate(crowd)
        ]
        waits = [wait for share in shares for wait in share.result()]
    return waits, time.perf_counter() - start


def calm(path, batches, edits):
    """After a storm: all edits are there, in one order, each batch whole and in one piece; returns the log's length."""
    bench = assay.open(path)
    log = bench.query(
        "select seq, uid, batch, who, seconds from edits where batch like 'edit-%' order by seq"
    )
    assert len(log) == batches * edits and log.uid.is_unique and (np.diff(log.seq) == 1).all()
    assert (log.batch != log.batch.shift()).sum() == batches == log.batch.nunique(), (
        "a batch lies in one piece"
    )
    own = log.drop_duplicates("batch").groupby("who").seconds
    assert all(list(s) == sorted(s) for _, s in own), (
        "each writer's batches lie in the order in which it made them"
    )
    assert bench.chain_breaks() == []
    return len(log)


VICTIM = """
import random, sys, assay, pandas as pd
from assay.pipelines.indexing.scan import ScanOptions, scan
bench, other, rng = assay.open(sys.argv[1]), assay.open(sys.argv[2]), random.Random(int(sys.argv[3]))
samples = list(bench.state().query("split == 'train'").index)
def edit(b, who):
    return b.edit(pd.DataFrame([dict(sample=s, label=str(rng.randrange(10))) for s in rng.sample(samples, 5)]), who)["batch"]
edit(bench, "victim")  # what it imports is imported
print("ready", flush=True)
while True:
    what = rng.choice(sys.argv[4].split(","))
    if what == "edit":
        done = edit(bench, "victim")
    elif what == "commit":
        edit(bench, "victim")
        done = bench.commit("", "victim")["name"]
    elif what == "merge":
        done = edit(other, "elsewhere")
        bench.merge(other.path, "victim")
    else:
        scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
        done = "scan"
    print(what, done, flush=True)
"""


def killed(path, other, seed, what="edit,commit,merge,scan", most=2.0, after=0):
    """Let a process work on the bench, kill it at a random moment, and look: what it acknowledged is there, the bench is sound, work goes
    on. The moment comes up to `most` seconds after it acknowledged `after` jobs. Returns the lines that it had told."""
    rng = random.Random(seed)
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(path), str(other), str(seed), what],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert victim.stdout.readline() == "ready\n"
    told = [victim.stdout.readline().split() for _ in range(after)]
    time.sleep(rng.uniform(0, most))
    os.kill(victim.pid, signal.SIGKILL)
    told += [
        line.split()
        for line in victim.stdout.read().splitlines(keepends=True)
        if line.endswith("\n")
    ]
    victim.wait()
    bench = assay.open(path)
    batches = {b for (b,) in bench.rows("select distinct batch from edits")}
    names = set(bench.commits().name)
    for kind, done in told:
        assert kind == "scan" or done in (names if kind == "commit" else batches), (kind, done)
    found = [f for f in integrity.check_bench(bench) if f["kind"] not in array_checks.NOTES]
    assert found == [], found
    samples = bench.state().query("split == 'train'").index[:1]
    assert (
        bench.edit(pd.DataFrame(dict(sample=samples, verdict="confirm")), "survivor")["edits"] == 1
    )
    return told


def flip(path, seed, how="bit"):
    """Damage a file as a bad disk does: one bit, a hole of zeros, or its end lost."""
    blob, rng = bytearray(path.read_bytes()), random.Random(seed)
    at = rng.randrange(len(blob))
    if how == "bit":
        blob[at] ^= 1 << rng.randrange(8)
    elif how == "hole":
        blob[at : at + 65536] = bytes(len(blob[at : at + 65536]))
    else:
        del blob[at:]
    path.write_bytes(blob)


def main():
    from assay.pipelines.indexing.scan import ScanOptions, scan
    from tests.helpers import bench_of, digits

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, crowd in (
            ("8 processes and 8 threads of a ninth", (1,) * 8 + (8,)),
            ("8 processes of 8 threads each", (8,) * 8),
        ):
            bench = bench_of(digits(600), folder / str(len(crowd)), audited_test=True)
            waits, seconds = storm(bench.path, crowd)
            calm(bench.path, len(waits), 10)
            print(
                f"storm: {name}, {len(waits):,} batches of 10 edits in {seconds:.1f} s; wait median {np.median(waits):.2f} s, "
                f"p99 {np.quantile(waits, 0.99):.2f} s, worst {max(waits):.2f} s (limit 2 s)",
                flush=True,
            )
        bench = bench_of(digits(600), folder / "kills", audited_test=True)
        scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
        shutil.copytree(bench.path, folder / "other")
        start, told = time.perf_counter(), []
        for seed in range(200):
            told += killed(bench.path, folder / "other", seed)
        kinds = pd.Series([k for k, _ in told]).value_counts().to_dict()
        print(
            f"kills: 200 in {time.perf_counter() - start:.0f} s; acknowledged before them and there: {json.dumps(kinds)}"
        )


if __name__ == "__main__":
    main()

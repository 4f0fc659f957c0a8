"""Arrays in a bucket (moto): requests and bytes of a scan by shards, and seconds against the same on a disk alone.

`python -m tests.benchmarks.arrays 12000 60 30`: samples (CIFAR-10, by `pixels`), shards, and milliseconds that an answer
takes. Then the cache is lost and scanned again, and the shards are done by machines that share the bucket alone."""

import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import assay
from assay.curation.storage import array_stores
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.sharding import ShardOptions, ShardsLeft
from tests.helpers import DATA
from tests.remote_servers import watched_s3

NOT_THERE = ("embeddings", "quality", "pixels", "decoded", "stages")


def silent(line):
    pass


def make_bench(folder, n):
    table = pq.read_table(DATA / "cifar10n.parquet").slice(0, n)
    pq.write_table(table, folder / "images.parquet")
    bench = assay.create(folder / "bench")
    return bench.add(
        folder / "images.parquet", who="bench", columns=dict(label="aggre"), progress=False
    )


def is_array(key):
    return key.endswith((".npy", ".npz")) and "/left-" not in key


def kind_of(key):
    parts = key.split("/")
    if len(parts) > 4 and parts[3] == "stages":
        name = parts[-1]
        if name.startswith("left-"):
            return "what is left"
        return "stages: " + (
            "inputs" if ".inputs." in name else "shared" if ".shared." in name else "outputs"
        )
    return parts[3] if len(parts) > 3 else "lists" if len(parts) < 3 else "mark"


def show(name, watch, seconds):
    """Print requests by what they were about, and forget them."""
    counts, sent = defaultdict(Counter), Counter()
    for r in watch.requests:
        kind = kind_of(r.key) if r.method != "GET" or r.key.endswith((".npy", ".npz")) else "lists"
        counts[kind][r.method] += 1
        sent[kind] += r.sent
    gets = Counter(r.key for r in watch.requests if r.method == "GET" and is_array(r.key))
    print(
        f"{name}: {seconds:.1f} s, {len(watch.requests):,} requests; most GETs of a file: {max(gets.values(), default=0)}"
    )
    for kind in sorted(counts):
        told = ", ".join(f"{n:,} {method}" for method, n in sorted(counts[kind].items()))
        print(f"    {kind:<18} {told:<28} {sent[kind] / 1e6:8.1f} MB fetched")
    watch.requests.clear()


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def do_elsewhere(bench, options, machines, n):
    """Merge, and have the shards that are left done by machines in turn, until none is."""
    rounds = 0
    merge = replace(options, sharding=ShardOptions(n, merge=True))
    while True:
        try:
            scan(bench, merge, say=silent)
            return rounds
        except ShardsLeft:
            rounds += 1
        for i in range(n):
            with pytest.raises(ShardsLeft):
                one = replace(options, sharding=ShardOptions(n, only=i))
                scan(machines[i % len(machines)], one, say=silent)


def main(n=12000, shards=60, late=0):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    options = ScanOptions(embedder="pixels", effort=0, sharding=ShardOptions(shards))
    there = replace(options, arrays="s3://arrays/team")
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        folder = Path(place)
        patch.setenv("ASSAY_CACHE", str(folder / "cache"))
        bench = make_bench(folder, n)
        copies = [folder / name / "bench" for name in ("disk", "third", "one", "two")]
        for copy in copies:
            shutil.copytree(bench.path, copy)
        disk = assay.open(copies[0])
        print(
            f"on a disk alone: {timed(lambda: scan(disk, options, say=silent)):.1f} s; load {os.getloadavg()[0]:.1f}"
        )
        with watched_s3(patch) as (client, watch):
            client.create_bucket(Bucket="arrays")
            watch.trouble = lambda method, key, times: time.sleep(late / 1000) or ""
            show("a scan there", watch, timed(lambda: scan(bench, there, say=print)))
            show("again, nothing new", watch, timed(lambda: scan(bench, options, say=silent)))
            for name in NOT_THERE:
                shutil.rmtree(bench.arrays / name, ignore_errors=True)
            show("again, its cache lost", watch, timed(lambda: scan(bench, options, say=silent)))
            listed = client.get_paginator("list_objects_v2").paginate(Bucket="arrays")
            keys = [o["Key"] for page in listed for o in page["Contents"]]
            for key in keys:
                client.delete_object(Bucket="arrays", Key=key)
            array_stores._stores.clear()
            third, *machines = map(assay.open, copies[1:])
            for machine in machines:
                shutil.rmtree(machine.arrays)
            watch.requests.clear()
            rounds = []
            took = timed(lambda: rounds.append(do_elsewhere(third, there, machines, shards)))
            show(f"by --shard on two machines, {rounds[0]} rounds", watch, took)
        one, other = (b.arrays / "probe.npz" for b in (disk, third))
        print("equal bytes:", one.read_bytes() == other.read_bytes())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

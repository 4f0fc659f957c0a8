"""Shards in a bucket (moto) against the same on the local disk: requests, bytes and seconds of an import and of embedding by a stub.

`python -m tests.benchmarks.objects 100 1000`: so many shards of so many samples. The limit is one request a tar, and 1 % more.
"""

import json
import logging
import multiprocessing
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import assay
from assay.curation.media.remote_cache import RemoteCache

PIXELS = 8
HEAD = f"P6 {PIXELS} {PIXELS} 255\n".encode()
LIMIT = 1.01
LISTING = 3  # requests before the first shard, and one more for each 1,000


def stub(images):
    """Embed images at no cost."""
    return np.zeros((len(images), 4), "f4")


def make_images(shard, count):
    rng = np.random.default_rng(shard)
    return [HEAD + rng.bytes(3 * PIXELS * PIXELS) for _ in range(count)]


def write_tar(path, shard, count):
    """Write a WebDataset shard: an image and its class for each sample."""
    with open(path, "wb") as out:
        for i, blob in enumerate(make_images(shard, count)):
            for ending, member in (("ppm", blob), ("cls", b"cat" if i % 2 else b"dog")):
                told = tarfile.TarInfo(f"{shard:05}{i:06}.{ending}")
                told.size = len(member)
                out.write(told.tobuf(tarfile.USTAR_FORMAT) + member.ljust(512, b"\0"))
        out.write(bytes(1024))


def write_table(path, shard, count):
    """Write a Parquet shard with ten row groups."""
    import pandas as pd

    labels = ["cat" if i % 2 else "dog" for i in range(count)]
    frame = pd.DataFrame(dict(image=make_images(shard, count), label=labels))
    frame.to_parquet(path, row_group_size=-(-count // 10))


def serve(pipe):
    """Serve S3; say what was asked since it was asked last."""
    import pytest

    from tests.remote_servers import watched_s3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch, watched_s3(patch) as (client, watch):
        client.create_bucket(Bucket="photos")
        pipe.send({k: v for k, v in os.environ.items() if k.startswith("AWS_")})
        while (asked := pipe.recv()) is not None:
            if isinstance(asked, Path):
                for file in asked.iterdir():
                    client.upload_file(str(file), "photos", f"{asked.name}/{file.name}")
            pipe.send([(r.method, r.key, r.sent) for r in watch.requests])
            watch.requests.clear()


def work(source, bench):
    """Import a source and embed it, in a process of its own, so that the peak is the import's."""
    from assay.pipelines.embedders.embed import embed_images

    begin = time.perf_counter()
    opened = assay.create(bench)
    opened.add(source, who="ann", progress=False)
    took = dict(import_s=time.perf_counter() - begin)
    took["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    hashes = opened.state().content_hash
    begin = time.perf_counter()
    embed_images(opened, hashes, "tests.benchmarks.objects:stub")
    took |= dict(embed_s=time.perf_counter() - begin, samples=len(hashes))
    print(json.dumps(took))


def measure(source, folder):
    command = [sys.executable, "-m", "tests.benchmarks.objects", "work", str(source)]
    with tempfile.TemporaryDirectory(dir=folder) as bench:
        done = subprocess.run([*command, bench], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(shards, each, kinds):
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    os.environ |= ours.recv()
    print(
        f"{'':<22}{'samples':>10}{'shards':>8}{'requests':>10}{'MB sent':>9}{'seconds':>9}{'a second':>10}{'peak GB':>9}{'cache MB':>10}"
    )
    for kind, write in (("tar", write_tar), ("parquet", write_table)):
        if kind not in kinds:
            continue
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / kind
            local.mkdir()
            for shard in range(shards):
                write(local / f"part-{shard:05}.{kind}", shard, each)
            os.environ["ASSAY_CACHE"] = f"{folder}/cache"
            here = measure(local, folder)
            say(f"{kind}, local disk", here, shards, [], 0)
            ours.send(local)
            ours.recv()
            there = measure(f"s3://photos/{kind}/", folder)
            ours.send("")
            asked = ours.recv()
            kept = RemoteCache().measure()["bytes"]
            say(f"{kind}, s3://", there, shards, asked, kept)
            most = max(Counter(key for _, key, _ in asked if key.endswith(kind)).values())
            print(
                f"  {there['import_s'] / here['import_s']:.2f} times the local import; {len(asked) / shards:.4f} requests a"
                f" shard (limit {LIMIT} for tar), at most {most} of one; embedding: {there['embed_s']:.1f} s"
            )
            assert here["samples"] == there["samples"] == shards * each
            assert kind != "tar" or len(asked) <= max(LIMIT * shards, shards + LISTING), Counter(
                m for m, _, _ in asked
            )
    ours.send(None)


def say(what, took, shards, asked, kept):
    sent = sum(n for _, _, n in asked) / 1e6
    rate = took["samples"] / took["import_s"]
    print(
        f"{what:<22}{took['samples']:>10,}{shards:>8,}{len(asked):>10,}{sent:>9,.0f}"
        f"{took['import_s']:>9,.1f}{rate:>10,.0f}{took['peak_gb']:>9.2f}{kept / 1e6:>10,.0f}",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:])
    else:
        numbers = [int(word) for word in sys.argv[1:3]] or [100, 1000]
        main(*numbers, sys.argv[3:] or ["tar", "parquet"])

"""A table of 1,000,000 addresses, read without touching an image: under 60 s and 2 GB, as CSV, JSON Lines and Parquet."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from assay.curation.formats.read import read_source

N = 1_000_000
SECONDS, GIGABYTES = 60, 2
WRITERS = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "parquet": lambda frame, path: frame.to_parquet(path),
}


def make_table() -> pd.DataFrame:
    return pd.DataFrame(
        dict(
            url=[f"s3://a-bucket-of-pictures/2024/{i % 997:04}/{i:08}.jpg" for i in range(N)],
            label=[("cat", "dog", "emu")[i % 3] for i in range(N)],
            split=[("train", "val", "test")[i % 10 % 3] for i in range(N)],
            camera=[str(i % 50) for i in range(N)],
        )
    )


def read(path: str) -> None:
    start = time.perf_counter()
    rows = len(read_source(path).frame)
    took = dict(rows=rows, wall=time.perf_counter() - start, cpu=time.process_time())
    took["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(took))


if sys.argv[1:]:
    read(sys.argv[1])
else:
    with tempfile.TemporaryDirectory() as folder:
        frame = make_table()
        for ending, write in WRITERS.items():
            path = Path(folder) / f"rows.{ending}"
            write(frame, path)
            # a process of its own, so that the peak is the reader's
            command = [sys.executable, "-m", "tests.benchmarks.addresses", str(path)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            took = json.loads(out.splitlines()[-1])
            print(
                f"{ending}: {took['rows']:,} rows in {took['wall']:.1f} s ({took['cpu']:.1f} s of CPU),"
                f" limit {SECONDS} s; peak {took['peak']:.2f} GB, limit {GIGABYTES} GB"
            )

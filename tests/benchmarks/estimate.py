"""Estimates of a scan from small ones, beside what it took: the benchmark `scale`, or a log that it wrote.

    python -m tests.benchmarks.estimate FOLDER [N] [LOG]

Samples as those of `scale` are imported and scanned in FOLDER, 20,000 to 200,000, and N (a million) estimated from
them; what is there is not done again. Without a LOG of `scale N` a million are scanned too, as many minutes.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import assay
from assay.pipelines.estimates.estimate import Asked, estimate
from assay.pipelines.estimates.prices import read_prices
from assay.pipelines.estimates.records import read_bench_records
from assay.pipelines.indexing.costs import DRIVER
from assay.pipelines.indexing.scan import ScanOptions, scan
from assay.pipelines.indexing.sharding import ShardOptions

SIZES = 20_000, 100_000, 200_000
LINE = re.compile(r"^\s*([\d.]+) s\s+[\d.]+ GB\s+(\w+)")
EMBEDDER = "tests.benchmarks.scale:vectors"


def scan_once(folder, n, shards, large):
    """The records of n samples, which are imported and scanned where they are not."""
    home = folder / f"{n}"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "bench" / "assay.duckdb").exists():
        # in processes of their own, as commands are
        for call in (f"scale.import_all(Path({str(home)!r}), {n})", f"estimate.scan_bench({str(home)!r}, {shards}, {large})"):  # fmt: skip
            code = f"from pathlib import Path; from tests.benchmarks import estimate, scale; {call}"
            subprocess.run([sys.executable, "-c", code], check=True)
    return read_bench_records(assay.open(home / "bench"))


def scan_bench(home, shards, large):
    """Scan the bench in a folder by shards."""
    options = ShardOptions(shards, large=large)
    scan(
        assay.open(Path(home) / "bench"),
        ScanOptions(embedder=EMBEDDER, sharding=options, yes=True),
    )


def read_log(file):
    """Seconds by step, of what `scale` printed: a line of a stage belongs to the step that it ends in."""
    found, waiting = Counter(), 0.0
    for line in Path(file).read_text().splitlines():
        if match := LINE.match(line):
            waiting += float(match[1])
            step = {"shards": "read"}.get(match[2], match[2])
            if step not in ("stage", "note"):
                found[step] += waiting
                waiting = 0.0
    return found


def take_seconds(record):
    """Seconds by step of a scan, without those in which its processes waited for a core."""
    found = Counter()
    for cost in record.costs:
        found[cost.step] += cost.wall * (1 - cost.waited / max(cost.seconds, 1e-9))
    return found


def main(folder, n=1_000_000, log=None):
    folder, n = Path(folder), int(n)
    records = [r for size in SIZES for r in scan_once(folder, size, 2, True)]
    cores = max(record.workers for record in records)
    found = estimate(records, Asked(n, cores=cores), read_prices(None))
    if log:
        measured = read_log(log)
    else:
        last = scan_once(folder, n, -(-n // 100_000), False)[-1]
        measured = take_seconds(last)
        by_part = {(cost.step, cost.part): cost for cost in last.costs}
        for growth in found.growth:
            if cost := by_part.get((growth.step, growth.part)):
                who = "driver" if growth.part == DRIVER else growth.part
                print(f"  {growth.step:<12}{who[:30]:<32}{growth.hours * 3600:>9.1f} s{cost.wall * (1 - cost.waited / max(cost.seconds, 1e-9)):>9.1f} s")  # fmt: skip
    print(f"\n{'step':<14}{'estimated':>11}{'measured':>11}{'off by':>9}")
    estimated = {stage.stage: stage.hours * 3600 for stage in found.stages}
    steps = [step for step in estimated if step in measured]
    rows = [(step, estimated[step], measured[step]) for step in steps]
    rows.append(("the scan", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    for name, guess, truth in rows:
        print(f"{name:<14}{guess:>9.1f} s{truth:>9.1f} s{guess / max(truth, 1e-9) - 1:>+9.0%}")
    print(f"memory of the process that scans: {found.driver_gb:.1f} GB estimated")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What the attacks share: a small bench to attack, verbs in this process, and processes that start at once."""

import multiprocessing
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import pandas as pd  # noqa: E402

from tests.helpers import (  # noqa: E402
    bench_of,
    digits,
    run_assay,  # noqa: E402, F401 - for flips
)

PLAN = """question = "?"
versions = ["v1"]
architectures = ["probe"]
seeds = 4
"""
WARM = """pandas duckdb scipy.spatial sklearn.neighbors cleanlab.filter PIL.Image
    tests.benchmarks.kills tests.benchmarks.flips pipelines.scan pipelines.experiment""".split()


def fork():
    """A way to start processes by a fork of one that has all modules loaded, and no thread: thirty milliseconds each, not two seconds."""
    top = sys.modules["__main__"]  # which no process needs to run again
    top.__spec__, top.__file__ = None, None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WARM)
    return context


def scanned(folder, n=100):
    from assay.pipelines.indexing.scan import ScanOptions, scan

    bench = bench_of(digits(n), folder, audited_test=True)
    scan(bench, ScanOptions(embedder="pixels"), say=lambda line: None)
    return bench


def train(bench):
    return list(bench.frame(split="train").index)


def relabel(bench, rng, who):
    return bench.edit(
        pd.DataFrame(
            [dict(sample=s, label=str(rng.randrange(10))) for s in rng.sample(train(bench), 5)]
        ),
        who,
    )["batch"]

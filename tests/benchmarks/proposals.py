"""A proposal of 100,000 edits on a bench of 200,000 samples: opened, shown, approved and merged, in seconds.

    python -m tests.benchmarks.proposals

The bench is not scanned, so the probe is not asked, and the policy is to merge without a measurement."""

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from tests.benchmarks.log import build
from tests.benchmarks.tools import peak

N, CHANGES = 200_000, 100_000
LIMIT = {"open": 10.0, "show": 2.0, "list": 0.5, "approve": 2.0, "merge": 10.0}


def measure(bench):
    """{what: seconds} of one proposal's life."""
    frame = bench.frame()
    frame = frame[frame.split.isin(("train", "val"))].head(CHANGES)
    rng, took = np.random.default_rng(0), {}
    bench.set_proposal_policy(dict(measured=False), "ann")
    label = [f"class{i}" for i in rng.integers(0, 10, len(frame))]
    changes = pd.DataFrame(dict(sample=frame.index, label=label, why="the model said so"))
    steps = {
        "open": lambda: bench.propose("all of it", changes, "ann", "model-7"),
        "list": lambda: bench.proposals(),
        "show": lambda: bench.describe_proposal("p1"),
        "approve": lambda: bench.approve_proposal("p1", "bob"),
        "show approved": lambda: bench.describe_proposal("p1"),
        "merge": lambda: bench.merge_proposal("p1", "bob"),
        "state after": lambda: bench.state(),
    }
    for name, step in steps.items():
        began = time.perf_counter()
        step()
        took[name] = time.perf_counter() - began
    return took


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder) / "bench", N, 10_000)
        bench = assay.open(Path(folder) / "bench")
        took = measure(bench)
        for name, seconds in took.items():
            limit = f"  (at most {LIMIT[name]:.1f})" if name in LIMIT else ""
            print(f"{name:<14} {seconds:6.2f} s{limit}")
        print(f"peak {peak():.1f} GB")
        assert all(took[name] <= limit for name, limit in LIMIT.items()), "slower than it may be"

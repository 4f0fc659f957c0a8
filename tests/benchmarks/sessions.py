"""Errors left: 200 simulated review sessions on each CIFAR-10N label set, and in how many of them the interval holds the truth (limit 90 %).

    python -m tests.benchmarks.sessions [AGGRE RAND1 WORST]     folders of scanned benches of 60,000, or they are made

A session reviews the worst labels as the scan ranks them, and 5 % drawn at random, 500 to 8,000 in all; the reviewer knows the truth. Each has a
random order of its own."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import curation
from curation import queue, stats, suspects
from tests.benchmarks.scan import label_set
from tests.benchmarks.tools import need

SESSIONS, SIZES = 200, (500, 1000, 2000, 4000, 8000)
RANDOM = 0.05


def benches():
    from pipelines.scan import scan

    source, work, first = need("cifar10n.parquet"), Path(tempfile.mkdtemp()), None
    for name in ("aggre", "rand1", "worst"):
        bench = label_set(source, name, work, first)
        scan(bench, say=lambda line: None)
        first = first or bench
        yield name, bench


def reviewed(state, ids, truth):
    """The state once a reviewer who knows the truth has decided about `ids`."""
    out = state.copy()
    out.loc[ids, "label"], out.loc[ids, "reviewed"], out.loc[ids, "verdict"] = truth.loc[ids], True, "set"
    return out


def main(*folders):
    table = pd.read_parquet(need("cifar10n.parquet"), columns=["id", "true_label"])
    true = dict(zip(table.id.astype(str), table.true_label.astype(str)))
    for name, bench in zip(("aggre", "rand1", "worst"), map(curation.open, folders)) if folders else benches():
        state = bench.state("v1") if len(bench.commits()) else bench.state()
        state = state[state.split.isin(("train", "val")) & state.keep].assign(reviewed=False, verdict="set")
        state["label"] = state.given_label
        truth = state.key.map(true)
        worst = suspects.opinion(bench, "v1" if len(bench.commits()) else "HEAD").sort_values("score", kind="stable").index
        rows = []
        for session in range(SESSIONS):
            queue.SEED, queue._order = session, (None, None)
            n = SIZES[session % len(SIZES)]
            drawn = queue.random_order(state)[: round(n * RANDOM)]
            ids = drawn.append(worst[~worst.isin(drawn)][: n - len(drawn)])
            now = reviewed(state, ids, truth)
            left, said = int((now.label != truth).sum()), queue.progress(bench, now)["errors_left"]
            rows.append((n, left, *(said or (np.nan,) * 3)))
        found = pd.DataFrame(rows, columns=["reviews", "truth", "estimate", "low", "high"])
        asked = found.dropna()
        hit = (asked.low <= asked.truth) & (asked.truth <= asked.high)
        low, high = stats.wilson(int(hit.sum()), len(hit))
        print(
            f"{name:<6} {len(hit)} of {len(found)} sessions had 30 looks; the interval holds the truth in {hit.mean():.1%} [{low:.1%}, {high:.1%}]"
        )
        for n, part in asked.assign(hit=hit).groupby("reviews"):
            wide, off = (part.high - part.low).median(), (part.estimate - part.truth).mean()
            print(
                f"    {n:>5} reviews: {part.hit.mean():.0%} of {len(part)}, {part.truth.mean():,.0f} left, median width {wide:,.0f}, bias {off:+,.0f}"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])

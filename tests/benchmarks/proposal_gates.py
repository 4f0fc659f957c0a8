"""What a gate stops: 40 proposals of which 20 % of the labels are made wrong, and 40 good ones, on labels with known errors.

    python -m tests.benchmarks.proposal_gates [digits|cifar ...] [--size 200]

A proposal mends known errors of train. Beside what people find in a random sample of it (Clopper and Pearson's bound of
the share that is wrong) stand the measured gain on validation, at a margin, and how often the probe would say the same.
Digits: 1,797, 30 % of the labels wrong. CIFAR-10N: 6,000 photographs with one person's labels (rand1), 17 % wrong."""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.label_quality import live, scoring
from assay.curation.statistics.binomial_bounds import most_allowed, spend_alpha
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.statistics.sampling import shuffle_samples
from assay.pipelines.evaluation.proposal_gain import fit_trial
from assay.pipelines.evaluation.replay import paired_estimate
from assay.pipelines.indexing.scan import ScanOptions, scan
from tests.benchmarks.tools import need
from tests.helpers import digits, scanned_bench, truth_of

EACH = 40
KINDS = {"20 % wrong": 0.2, "5 % wrong": 0.05, "2 % wrong": 0.02, "good": 0.0}
LOOKS = [(30, 0.2), (60, 0.2), (60, 0.15)]
MARGINS = (0.0, 0.005, 0.01)


def make_digits(folder):
    bench = scanned_bench(digits(1797, wrong=0.3), folder)
    return bench, truth_of(bench)


def make_cifar(folder):
    table = pd.read_parquet(need("cifar10n.parquet"))
    table = table[table["split"] == "train"].sample(6000, random_state=0).reset_index(drop=True)
    names = {c: c for c in table.columns}
    label = next(c for c in names if "rand1" in c)
    part = pd.DataFrame(
        dict(
            id=[f"c{i:05}" for i in range(len(table))],
            image=table["image"],
            label=table[label].astype(str),
            truth=table["true_label"].astype(str),
            split=np.where(np.arange(len(table)) % 3 == 2, "val", "train"),
        )
    )
    part.to_parquet(folder / "cifar.parquet")
    bench = assay.create(folder / "bench")
    bench.add(
        folder / "cifar.parquet",
        progress=False,
        columns=dict(label="label", id="id", image="image"),
    )
    scan(bench, ScanOptions(), say=lambda line: None)
    return bench, truth_of(bench)


def judge(bench, truth, size):
    """A row a proposal: kind, level of the look, gain, low, agreement, and what was found among n random samples."""
    state = bench.state()
    errors = state.index[(state["split"] == "train") & state.keep & (state.label != truth)]
    trial, _ = fit_trial(bench, state, state)
    right = trial.judge(trial.y)
    suggestion = live.label_scores(bench).suggestion
    classes, rows = np.array(trial.classes, object), []
    for kind, wrong in KINDS.items():
        for i in range(EACH):
            rng = np.random.default_rng([i, round(100 * wrong)])
            chosen = rng.choice(errors, min(size, len(errors)), replace=False)
            label = truth[chosen].to_numpy(object).copy()
            bad = rng.permutation(len(chosen))[: round(wrong * len(chosen))]
            for j in bad:
                others = set(classes) - {label[j], state.label[chosen[j]]}
                label[j] = rng.choice(sorted(others))
            then = state.copy()
            then.loc[chosen, "label"] = label
            _, y = scoring.find_targets(then, trial.classes)
            e = paired_estimate((y, trial.judge(y)), (trial.y, right))
            known = [s in suggestion.index for s in chosen]
            agrees = np.mean(suggestion[chosen[known]].to_numpy(object) == label[known])
            drawn = shuffle_samples(chosen, f"proposal {kind} {i}")
            is_bad = set(chosen[bad])
            found = {f"found {n}": sum(s in is_bad for s in drawn[:n]) for n, _ in LOOKS}
            low = {f"low {k}": e.at(1 - spend_alpha(k)).low for k in (1, EACH)}
            rows.append(dict(kind=kind, gain=e.estimate, half=e.half, agrees=agrees) | low | found)
    about = f"{len(errors):,} errors among {int((trial.y >= 0).sum()):,} train labels, {len(trial.judges):,} val"
    return pd.DataFrame(rows), about


def share(passed):
    """How many of a kind stopped."""
    stopped = len(passed) - int(passed.sum())
    low, high = wilson_interval(stopped, len(passed))
    return f"{stopped:>3} of {len(passed)} [{low:.0%}, {high:.0%}]"


def tell(name, found, about, size, seconds):
    print(f"\n{name}: proposals of {size} changes; {about}; {seconds:.0f} s")
    groups = {kind: found[found.kind == kind] for kind in KINDS}
    print(f"{'':<46}" + "".join(f"{kind:>24}" for kind in KINDS))
    told = [
        f"{100 * g.gain.mean():+.1f} +- {100 * g.half.mean():.1f} points" for g in groups.values()
    ]
    print(f"{'gain on val, mean, and half its interval':<46}" + "".join(f"{t:>24}" for t in told))
    told = [
        f"{g.agrees.mean():.0%} ({g.agrees.min():.0%} to {g.agrees.max():.0%})"
        for g in groups.values()
    ]
    print(f"{'the probe agrees':<46}" + "".join(f"{t:>24}" for t in told))
    for n, wrong in LOOKS:
        allowed = most_allowed(n, wrong)
        head = f"stopped by {n} looks, surely under {wrong:.0%}"
        stops = [share(g[f"found {n}"] <= allowed) for g in groups.values()]
        print(f"{head:<46}" + "".join(f"{t:>24}" for t in stops))
    for look in (1, EACH):
        for margin in MARGINS:
            head = f"stopped by the gain, margin {100 * margin:g}, look {look}"
            stops = [share(g[f"low {look}"] >= -margin) for g in groups.values()]
            print(f"{head:<46}" + "".join(f"{t:>24}" for t in stops))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*", default=["digits", "cifar"])
    parser.add_argument("--size", type=int, default=200)
    args = parser.parse_args()
    for name in args.sets:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            bench, truth = dict(digits=make_digits, cifar=make_cifar)[name](Path(folder))
            tell(name, *judge(bench, truth, args.size), args.size, time.perf_counter() - began)

"""What a review session says while it goes on, at every look: the live effect of sessions without any, and the errors left where people are unsure.

    python -m tests.benchmarks.sessions [live|left ...]

CIFAR-10N, 8,000 train and 2,000 val images of each label set, the probe on their features. `live` (limit 5 %): 500 decisions in queue order; each
validation answer that turned on the way turns for the better or for the worse by the toss of a coin, so no session has an effect. `left` (limit 5 %): the
share wrong and the errors left of sessions that a reviewer goes through who is unsure, more often of wrong labels."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import assay
from assay.curation.label_quality import live as standing
from assay.curation.label_quality import scoring
from assay.curation.statistics import errors_left, estimates, sequential
from tests.benchmarks.tools import need

N, VAL, DECISIONS, SESSIONS = 10_000, 2_000, 500, 2_000
UNSURE = ((0.0, 0.0), (0.3, 0.03), (0.4, 0.05))  # of wrong labels, of right ones


def table():
    """10,000 of the training images, the last 2,000 of them val."""
    whole = pd.read_parquet(need("cifar10n.parquet")).query("split == 'train'").head(N).copy()
    whole["split"] = ["train"] * (N - VAL) + ["val"] * VAL
    return whole


def benches(names):
    """(name, scanned bench) of each label set; they share pixels and embeddings."""
    from assay.pipelines.indexing.scan import scan
    from tests.benchmarks.scan import label_set

    work, first = Path(tempfile.mkdtemp()), None
    table().to_parquet(work / "some.parquet")
    for name in names:
        bench = label_set(work / "some.parquet", name, work, first)
        scan(bench, say=lambda line: None)
        first = first or bench
        yield name, bench


def said_of(held, state):
    """The class that the probe names for each validation sample of a state."""
    probs = held.score(0, state)[0].probs
    val = (scoring.without_locked(state[["split"]])["split"] == "val").to_numpy()
    return np.array(held.classes, object)[probs[val].argmax(1)]


def trajectory(bench, truth):
    """What the probe said of each validation sample after each of 500 decisions in queue order, (501, 2000), by somebody who knows the truth."""
    state = bench.state().copy()
    held = standing.LiveProbe.load(bench, state)
    worst = standing.label_scores(bench).sort_values("score", kind="stable").index
    worst = [s for s in worst if state["split"][s] == "train"][:DECISIONS]
    out = [said_of(held, state)]
    for sample in worst:
        state.loc[sample, "label"] = truth[sample]
        out.append(said_of(held, state))
    return np.array(out)


def live(name, said, truth):
    """How often a session without effect is called measurable at some look, by the sequence and by an interval for one look."""
    right = said == truth
    turned = right != right[0]
    rows = np.flatnonzero(turned.any(0))
    real = sequential.live_gain(
        int((right[-1] & ~right[0]).sum()), int((~right[-1] & right[0]).sum()), len(truth)
    )
    gain = "{:+.1f} [{:+.1f}, {:+.1f}]".format(
        *(100 * x for x in (real.estimate, real.low, real.high))
    )
    print(
        f"{name:<6} {len(rows)} of {len(truth):,} answers turned on the way; the real gain {gain}"
    )
    for n in (len(truth), 300):  # all of the validation labels, and as few as many have
        rng, false, once = np.random.default_rng(0), 0, 0
        for _ in range(SESSIONS):
            mine = (
                rows
                if n == len(truth)
                else np.intersect1d(rows, rng.choice(len(truth), n, replace=False))
            )
            sign = rng.choice([-1, 1], len(mine))
            better, worse = (turned[:, mine] @ (sign == s).astype(int) for s in (1, -1))
            false += any(
                sequential.live_gain(int(b), int(w), n).measurable
                for b, w in set(zip(better.tolist(), worse.tolist()))
            )
            flips = np.maximum(better + worse, 1)
            once += bool(
                (abs(better - worse) > estimates.normal_quantile(0.975) * np.sqrt(flips)).any()
            )
        low, high = estimates.wilson_interval(false, SESSIONS)
        print(
            f"       {n:>5,} val labels: measurable at some of {len(said)} looks in {false / SESSIONS:.1%} [{low:.1%}, {high:.1%}] of {SESSIONS:,} "
            f"sessions without effect (limit 5 %); by an interval for one look {once / SESSIONS:.1%}"
        )


def left(name, wrong, sessions=300):
    """How often the share wrong and the errors left hold at all looks of a session, of 30 to 1,000 random looks."""
    n, looks = len(wrong), range(30, 1001, 20)
    for unsure_wrong, unsure_right in UNSURE:
        rng, missed, once = np.random.default_rng(1), 0, 0
        for _ in range(sessions):
            bad = rng.permutation(wrong)[: max(looks)]
            unsure = rng.random(len(bad)) < np.where(bad, unsure_wrong, unsure_right)
            hits, doubts = (bad & ~unsure).cumsum(), unsure.cumsum()
            at = [(int(hits[k - 1]), int(k - doubts[k - 1]), int(doubts[k - 1])) for k in looks]
            found = [errors_left.estimate_wrong(h, sure, n, d) for h, sure, d in at]
            missed += any(not w.low <= wrong.sum() <= w.high for w in found)
            dropped = [errors_left.bound_wrong_once(h, sure, n) for h, sure, _ in at if sure >= 30]
            once += any(not low <= wrong.sum() <= high for low, high in dropped)
        low, high = estimates.wilson_interval(sessions - missed, sessions)
        print(
            f"{name:<6} unsure of {unsure_wrong:.0%} of wrong and {unsure_right:.0%} of right labels: the range holds at all {len(looks)} looks in "
            f"{1 - missed / sessions:.1%} [{low:.1%}, {high:.1%}] (limit 95 %); unsure dropped, one look at a time {1 - once / sessions:.1%}; "
            f"width at 1,000 looks {(found[-1].high - found[-1].low) / n:.1%} of all"
        )


def main(*what):
    what, names = what or ("live", "left"), ("worst", "aggre", "rand1")
    rows = table()
    if "left" in what:
        for name in names:
            left(name, (rows[name].astype(str) != rows.true_label.astype(str)).to_numpy())
    if "live" in what:
        true = dict(zip(rows.id.astype(str), rows.true_label.astype(str)))
        for name, bench in benches(names[:2]):
            state = assay.open(bench.path).state()
            truth = state.key.map(true)
            live(name, trajectory(bench, truth), truth[state["split"] == "val"].to_numpy(object))


if __name__ == "__main__":
    main(*sys.argv[1:])

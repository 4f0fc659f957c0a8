"""What the next hundred reviews are expected to gain, and when to stop, in simulated sessions: how often the range held, and how often *stop* was right.

    python -m tests.benchmarks.stopping [digits|solar|cifar ...] [--sessions 200]

Digits labelled by a model that was shown 40 or 200 of them, or wrong at random; solar cells with planted errors; 5,000 of CIFAR-10N on the 200 first
components of their features. A session reviews in the product's order, by somebody who knows the truth, on train and val of its own; at each look the gain
of the next hundred is foreseen, then they are corrected: the gain on val by its labels as they are then, and on samples that nobody labelled, by their
true classes."""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import assay
from assay.curation.features.scan_settings import read_settings
from assay.curation.label_quality import probe as probes
from assay.curation.label_quality.expected_gain import Corrections, Validation, expect_gain
from assay.curation.label_quality.linear_algebra import one_hot
from assay.curation.review.next_gain import FEWEST
from assay.curation.review.queue import spread_by_need
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.statistics.wrong_rate import fit_wrong_rate
from assay.curation.storage.shards import Shards

LIMITS = (0.001, 0.002, 0.005, 0.01)
CIFAR = ("rand1", "worst", "aggre")


class Session:
    """One session on train and val samples of its own; the rest of the samples is unseen."""

    def __init__(self, X, given, truth, train, val, seed):
        self.rng = np.random.default_rng(seed)
        order = self.rng.permutation(len(X))
        rows = order[: train + val]
        self.X, self.y, self.truth = X[rows], given[rows].copy(), truth[rows]
        self.came, self.k, self.val = (
            self.y.copy(),
            int(truth.max()) + 1,
            np.arange(train, len(rows)),
        )
        self.unseen, self.unseen_truth = X[order[train + val :]], truth[order[train + val :]]
        self.seen = np.zeros(len(rows), bool)
        self.drawn = list(self.rng.permutation(len(rows)))
        self.probe = probes.fit(self.X, self.targets(self.y), np.arange(len(rows)), self.k)

    def targets(self, y):
        return np.where(np.arange(len(y)) < self.val[0], y, -1)

    def review(self, n):
        """Review n labels: the queue's, with the product's share of random ones."""
        score = self.probe.pred_probs(self.X)[np.arange(len(self.y)), self.y]
        worst = [i for i in np.argsort(score, kind="stable") if not self.seen[i]]
        waiting = [i for i in self.drawn if not self.seen[i]]
        at_random = int(np.argmin(np.append(self.seen[self.drawn], False)))
        order, _ = spread_by_need(worst, waiting, int(self.seen.sum()), at_random)
        self.seen[order[:n]] = True
        self.y[order[:n]] = self.truth[order[:n]]
        self.probe.update(self.X, self.targets(self.y))

    def look(self):
        """Foresee the next hundred's gain, then see it: (low, gain, high, on val, on unseen samples, in accuracy there)."""
        probs, rows = self.probe.pred_probs(self.X), np.arange(len(self.y))
        score = probs[rows, self.y]
        came = probs[rows, self.came]
        rate = fit_wrong_rate(came[self.seen], (self.y != self.came)[self.seen])
        left = np.flatnonzero(~self.seen)
        head = left[np.argsort(score[left], kind="stable")[:100]]
        probs[rows, self.y] = -1
        said = probs[head].argmax(1)
        chance = rate.predict(score[head])
        fixes = Corrections(head, self.y[head], said, chance, rate.draw_wrong(score[head])[1])
        labels, here = one_hot(self.y, self.k), head[head >= self.val[0]]
        soft = chance[head >= self.val[0], None]
        labels[here] = soft * one_hot(said[head >= self.val[0]], self.k) + (1 - soft) * labels[here]
        unsure = float(rate.predict(score[self.val][~self.seen[self.val]]).sum())
        val = Validation(self.val, labels[self.val], unsure)
        expected = expect_gain(self.probe, self.X, fixes, val)
        return (expected.low, expected.gain, expected.high, *self.measure(head))

    def measure(self, head):
        """Correct the labels `head`, measure, and put them back."""
        now = self.y.copy()
        now[head] = self.truth[head]
        before = [self.probe.predict(self.X[self.val]), self.probe.predict(self.unseen)]
        self.probe.update(self.X, self.targets(now))
        after = [self.probe.predict(self.X[self.val]), self.probe.predict(self.unseen)]
        self.probe.update(self.X, self.targets(self.y))
        gains = []
        for a, b, y in zip(before, after, (now[self.val], self.unseen_truth)):
            gains.append((b - a)[np.arange(len(y)), y].mean())
        right = [(p.argmax(1) == self.unseen_truth).mean() for p in (before[1], after[1])]
        return (*gains, right[1] - right[0])


def play(X, given, truth, train, val, looks, seed):
    """One session: a row a look, of how many reviews and what `look` says."""
    session, out, done = Session(X, given, truth, train, val, seed), [], 0
    for reviews in looks:
        while done < reviews:
            session.review(50)
            done += 50
        if session.seen.sum() + 100 > len(session.y):
            break
        out.append((seed, reviews, *session.look()))
    return out


def tell(name, given, truth, rows, seconds):
    """Print what a set's sessions say."""
    columns = "seed reviews low gain high on_val unseen accuracy".split()
    found = pd.DataFrame(rows, columns=columns)
    n, points = found.seed.nunique(), lambda x: f"{100 * x:+.2f}"
    print(f"\n{name}: {(given != truth).mean():.1%} of labels wrong, {n} sessions, {seconds:.0f} s")
    print(
        "  reviews  expected       range           then on val   unseen  accuracy   held: val  unseen  upper end of unseen"
    )
    for reviews, at in found.groupby("reviews"):
        held = [((at.low <= at[c]) & (at[c] <= at.high)).mean() for c in ("on_val", "unseen")]
        mean = at.mean()
        print(
            f"  {reviews:>6,}   {points(mean.gain):>7}  [{points(mean.low)}, {points(mean.high)}]"
            f"   {points(mean.on_val):>10} {points(mean.unseen):>9} {points(mean.accuracy):>8}"
            f"      {held[0]:>6.0%} {held[1]:>7.0%} {(at.unseen <= at.high).mean():>8.0%}"
        )
    for column, words in (("on_val", "the gain on val"), ("unseen", "the gain on unseen samples")):
        inside = (found.low <= found[column]) & (found[column] <= found.high)
        all_looks, every = inside.groupby(found.seed).all(), inside.mean()
        print(
            f"  {words} was in the range at {every:.1%} of looks, at all looks of {all_looks.mean():.0%} of sessions"
        )
    for limit in LIMITS:
        stops = found[found.high < limit].groupby("seed").first()
        if not len(stops):
            print(f"  below {100 * limit:.1f}: said in none of {n}")
            continue
        right = int((stops.unseen < limit).sum())
        low, high = wilson_interval(right, len(stops))
        print(
            f"  below {100 * limit:.1f}: said in {len(stops)} of {n}, after {stops.reviews.median():,.0f} reviews; the next hundred would have gained "
            f"{points(stops.unseen.mean())} on unseen samples; right in {right / len(stops):.0%} [{low:.0%}, {high:.0%}], on val {(stops.on_val < limit).mean():.0%}",
            flush=True,
        )


def label_digits(shown, seed=1):
    """Digits labelled by a model that was shown so many; 0: 8 % wrong at random."""
    X, truth = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    if not shown:
        wrong = rng.random(len(X)) < 0.08
        return (
            X.astype("f4"),
            np.where(wrong, (truth + rng.integers(1, 10, len(X))) % 10, truth),
            truth,
        )
    few = rng.permutation(len(X))[:shown]
    return (
        X.astype("f4"),
        LogisticRegression(max_iter=1000).fit(X[few] / 16, truth[few]).predict(X / 16),
        truth,
    )


def shorten(X, n=200):
    """The first n principal components of standardised columns: a session takes seconds instead of minutes."""
    Z = (X - X.mean(0)) / (X.std(0) + 1e-6)
    return (Z @ np.linalg.eigh(Z.T @ Z)[1][:, -n:]).astype("f4")


def features(bench):
    """(embeddings of a scanned bench's samples without test, their state); without the kernel's columns, or a session takes minutes."""
    part = bench.state()
    part = part[part["split"] != "test"]
    stored = Shards(bench.arrays / "embeddings" / read_settings(bench)["folder"])
    return np.asarray(stored.rows(part.content_hash)), part


def read_solar():
    """Solar cells with planted errors."""
    from assay.pipelines.indexing.scan import scan
    from assay.pipelines.simulation.example_data import make_solar_cells

    work = Path(tempfile.mkdtemp())
    manifest, truth = make_solar_cells(work / "cells")
    bench = assay.create(work / "bench").add(manifest, progress=False)
    scan(bench, say=lambda line: None)
    X, part = features(bench)
    true = part.key.map(truth)
    use = (part.label.notna() & true.notna()).to_numpy()
    names = sorted(set(true[use]))
    given, truth = (
        np.array([names.index(x) for x in labels[use]]) for labels in (part.label, true)
    )
    return shorten(X[use]), given, truth


def read_cifar(names):
    """(name, features, given labels, truth) of 10,000 images of each label set."""
    from tests.benchmarks.sessions import benches, table

    true = dict(zip(table().id.astype(str), table().true_label.astype(str)))
    short = None
    for name, bench in benches(names):
        X, part = features(bench)
        short = shorten(X) if short is None else short
        truth = part.key.map(true)
        classes = sorted(set(truth))
        yield name, short, *(np.array([classes.index(x) for x in s]) for s in (part.label, truth))


def main(what, sessions):
    def run(name, X, given, truth, train, val, looks):
        assert val >= FEWEST, "a gain is judged by so many"
        start, rows = time.process_time(), []
        for seed in range(sessions):
            rows += play(X, given, truth, train, val, looks, seed)
        tell(name, given, truth, rows, time.process_time() - start)

    if "digits" in what:
        for shown in (40, 200, 0):
            name = (
                f"digits by a model that was shown {shown}" if shown else "digits, wrong at random"
            )
            run(name, *label_digits(shown), 800, 400, range(100, 1001, 100))
    if "solar" in what:
        run("solar cells", *read_solar(), 900, 450, range(100, 1001, 100))
    if "cifar" in what:
        for name, *labelled in read_cifar(CIFAR):
            run(
                f"CIFAR-10N {name}",
                *labelled,
                4000,
                1000,
                (100, 300, 500, 700, 1000, 1500, 2000, 2500),
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["digits", "solar", "cifar"])
    parser.add_argument("--sessions", type=int, default=200)
    asked = parser.parse_args()
    main(asked.what, asked.sessions)

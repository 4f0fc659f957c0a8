"""How often the 95 % intervals of curation/stats.py hold the truth where nothing has an effect.

    python -m tests.benchmarks.coverage --experiments 2000

Four cells of a 2 x 2 table. Sample i is hard for every cell and seed (its difficulty correlates between cells), a seed shifts all
samples of its cell on the logit scale, and an answer is a coin thrown with the resulting probability."""

import argparse
import itertools
import time

import numpy as np

from curation.stats import DATA_EFFECT, INTERACTION, PAIR, cell, contrast, wilson

NAMES = "cell", "cell, alone", "pair", "data effect", "interaction"  # a cell alone: no other lends its seed spread
DIFFICULTY = 5.5  # logit standard deviation of test samples: a seed spread of 0.1 is then 0.3 points at accuracy 0.9, 0.6 is 1.8
SEEDS, SAMPLES, ACCURACIES, SPREADS, CORRELATIONS = (2, 3, 5, 10), (200, 1000, 10_000), (0.6, 0.9, 0.98), (0.1, 0.6), (0.5, 0.71)


def offset(accuracy, spread):
    """The mean logit at which samples and seeds together average to `accuracy`."""
    from scipy.optimize import brentq

    x = np.linspace(-8, 8, 2001)
    weight = np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
    return brentq(lambda mean: weight @ (1 / (1 + np.exp(-mean - np.hypot(DIFFICULTY, spread) * x))) - accuracy, -60, 60)


def simulate(rng, offsets, seeds, m, spread, correlation):
    """One experiment: a list of 0/1 arrays (S_c, m), one per offset; `seeds` and `spread` hold one value a cell."""
    shared, own = rng.standard_normal(m), rng.standard_normal((len(offsets), m))
    logits = DIFFICULTY * (np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own) + np.reshape(offsets, (-1, 1))
    cells = []
    for logit, S, sd in zip(logits, seeds, spread):
        odds = np.exp(logit).astype("f4") * np.exp(sd * rng.standard_normal((S, 1))).astype("f4")
        cells.append((rng.random((S, m), "f4") * (1 + odds) < odds).astype(float))
    return cells


def covered(rng, experiments, S, m, accuracy, spread, correlation):
    """Share of the experiments in which each interval (NAMES) holds the truth, and the mean width of a pair's."""
    mean, hit, width = offset(accuracy, spread), np.zeros(len(NAMES)), 0.0
    for _ in range(experiments):
        cells = simulate(rng, [mean] * 4, [S] * 4, m, [spread] * 4, correlation)
        accuracies = cell(cells[0], others=cells[1:]), cell(cells[0])
        pair = contrast(cells[:2], PAIR)
        limits = [e.limits() for e in (*accuracies, pair, contrast(cells, DATA_EFFECT), contrast(cells, INTERACTION))]
        hit += [low <= truth <= high for (low, high), truth in zip(limits, (accuracy, accuracy, 0, 0, 0))]
        width += pair.high - pair.low
    return hit / experiments, width / experiments


def table(found, title):
    print(f"{title:24}" + "".join(f"{f'S={S}':>19}" for S in SEEDS))
    for k, name in enumerate(NAMES):
        columns = [np.array([100 * hit[k] for setting, (hit, _) in found.items() if setting[0] == S]) for S in SEEDS]
        print(f"{name:24}" + "".join(f"{f'{c.min():.1f}-{c.max():.1f} ({c.mean():.1f})':>19}" for c in columns))
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=2000, help="per setting; half as many at 10,000 samples")
    count, start, found, low = parser.parse_args().experiments, time.time(), {}, []
    for i, setting in enumerate(itertools.product(SEEDS, SAMPLES, ACCURACIES, SPREADS, CORRELATIONS)):
        few = max(1, count // 2 if setting[1] == 10_000 else count)
        found[setting] = covered(np.random.default_rng([20261122, i]), few, *setting)
        for name, share in zip(NAMES, found[setting][0]):
            if share < 0.93:
                interval = "-".join(f"{100 * x:.1f}" for x in wilson(share * few, few))
                low.append(f"under 93 %: {name} {100 * share:.1f} [{interval}], {few} experiments, {setting}")

    print("coverage of nominal 95 % intervals under no effect, %: min-max over settings (mean)")
    print(f"{count} experiments a setting, half at m = 10,000; {time.time() - start:.0f} s\n")
    table({s: f for s, f in found.items() if s[1:3] != (200, 0.98)}, "")
    table({s: f for s, f in found.items() if s[1:3] == (200, 0.98)}, "m 200, accuracy 0.98")
    widths = (np.mean([f[1] for s, f in found.items() if s[:4] == (S, 1000, 0.9, 0.6)]) for S in SEEDS)
    print(f"{'mean width of a pair':24}" + "".join(f"{w:19.3f}" for w in widths) + "   (m 1,000, accuracy 0.9, spread 0.6)\n")
    print("\n".join(low) or "none under 93 %")
    print("settings are (seeds, samples, accuracy, seed spread, correlation of difficulty between cells)")


if __name__ == "__main__":
    main()

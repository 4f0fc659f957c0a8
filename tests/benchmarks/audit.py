"""How often intervals from a partial audit hold the clean-test truth, where given test labels are wrong and models repeat the mistakes.

    python -m tests.benchmarks.audit --experiments 1000

2,000 test samples of ten classes; 10 or 40 % of their labels are wrong; 200 or 500 are audited at random. Four cells of a 2 x 2 table:
the first version's models, where they err on a mislabelled sample, say its wrong label half the time, the second's one time in five."""

import argparse
import itertools
import time

import numpy as np

from assay.curation.statistics import audit_correction, contrasts
from tests.benchmarks.coverage import offset, simulate

NAMES = (
    "pair",
    "data effect",
    "interaction",
    "accuracy",
    "balanced",
    "pair, as given",
)  # the last: what no audit would say
SAMPLES, CLASSES, FOLLOW = 2000, 10, (0.5, 0.2, 0.5, 0.2)
AUDITED, NOISE, SEEDS, SPREADS = (200, 500), (0.1, 0.4), (2, 5), (0.1, 0.6)
ACCURACIES = (
    (0.85, 0.88, 0.88, 0.90),
    (0.97, 0.98, 0.98, 0.98),
)  # of v1 and v2 by one architecture, then by another


def labelled(rng, right, noise, n):
    """(what is right by the given labels, by the audited ones: lists of (S, m); given labels, audited labels (m,))."""
    m = right[0].shape[1]
    truth = rng.integers(0, CLASSES, m)
    given = np.where(rng.random(m) < noise, (truth + rng.integers(1, CLASSES, m)) % CLASSES, truth)
    other = (
        truth + rng.integers(1, CLASSES, m)
    ) % CLASSES  # the mistake that a model makes by itself
    wrong = [
        np.where((given != truth) & (rng.random(y.shape) < f), given, other)
        for y, f in zip(right, FOLLOW)
    ]
    said = [np.where(y == 1, truth, w) for y, w in zip(right, wrong)]
    clean = given.copy()
    drawn = rng.permutation(m)[:n]
    clean[drawn] = truth[drawn]
    return [1.0 * (s == given) for s in said], [1.0 * (s == clean) for s in said], given, clean


def covered(rng, experiments, n, noise, accuracies, S, spread, m=SAMPLES):
    """Share of the experiments in which each interval (NAMES) holds the truth; mean width of a pair's; its mean error, and as given."""
    a, hit, width, error = accuracies, np.zeros(len(NAMES)), 0.0, np.zeros(2)
    offsets = [offset(p, spread) for p in a]
    truths = (
        a[1] - a[0],
        (a[1] + a[3] - a[0] - a[2]) / 2,
        a[0] - a[1] - a[2] + a[3],
        a[0],
        a[0],
        a[1] - a[0],
    )
    for _ in range(experiments):
        Yg, Yt, given, clean = labelled(
            rng, simulate(rng, offsets, [S] * 4, m, [spread] * 4, 0.6), noise, n
        )
        Y = [audit_correction.pseudo_values(g, t, n) for g, t in zip(Yg, Yt)]
        Z = [
            audit_correction.pseudo_values_by_class(g, t, given, clean, n)
            for g, t in zip(Yg[:2], Yt[:2])
        ]
        found = [
            contrasts.contrast(Y, w, group_size=n / m)
            for w in ((-1, 1, 0, 0), (-0.5, 0.5, -0.5, 0.5), contrasts.INTERACTION)
        ]
        found += [
            audit_correction.audited_accuracy(cells[0], n, others=cells[1:2]) for cells in (Y, Z)
        ] + [contrasts.contrast(Yg[:2], (-1, 1))]
        hit += [e.low <= truth <= e.high for e, truth in zip(found, truths)]
        width += found[0].high - found[0].low
        error += [found[0].estimate - truths[0], found[-1].estimate - truths[0]]
    return hit / experiments, width / experiments, error / experiments


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=1000, help="per setting")
    count, start = parser.parse_args().experiments, time.time()
    print(
        f"coverage of nominal 95 % intervals, %, {count} experiments a setting; mean width of a pair, its bias and that as given, points"
    )
    print(
        f"{'audited noise accuracy S spread':36}"
        + "".join(f"{name:>15}" for name in NAMES)
        + "    width     bias    given"
    )
    lowest = np.full(len(NAMES), 100.0)
    for i, setting in enumerate(itertools.product(AUDITED, NOISE, ACCURACIES, SEEDS, SPREADS)):
        hit, width, error = covered(np.random.default_rng([20261124, i]), count, *setting)
        n, noise, accuracies, S, spread = setting
        numbers = "".join(f"{100 * x:9.2f}" for x in (width, *error))
        print(
            f"{n:7} {noise:5} {accuracies[0]:8} {S} {spread:6}{'':6}"
            + "".join(f"{100 * h:15.1f}" for h in hit)
            + numbers,
            flush=True,
        )
        lowest = np.minimum(lowest, 100 * hit)
    print(
        f"{'lowest':36}" + "".join(f"{h:15.1f}" for h in lowest) + f"\n{time.time() - start:.0f} s"
    )


if __name__ == "__main__":
    main()

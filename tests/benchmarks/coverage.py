"""How often curation/stats.py is right where the truth is known: coverage, false verdicts, power, gates, slices, diverged runs.

    python -m tests.benchmarks.coverage --experiments 1000

Cells of a factorial design. Sample i is hard for every cell and seed (its difficulty correlates between cells), a seed shifts all
samples of its cell on the logit scale, and an answer is a coin thrown with the resulting probability. Every setting draws from a
generator of its own, so a table is the same whatever the number of processes."""

import argparse
import itertools
import os
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from assay.curation.statistics import diverged_runs, multiple_testing, power, requirements
from assay.curation.statistics import estimates as stats
from assay.curation.statistics.contrasts import (
    DATA_EFFECT,
    INTERACTION,
    PAIR,
    cell_accuracy,
    contrast,
)
from assay.curation.statistics.estimates import wilson_interval

DIFFICULTY = 5.5  # logit standard deviation of test samples: a seed spread of 0.1 is then 0.3 points at accuracy 0.9, 0.6 is 1.8
SEEDS, SAMPLES, ACCURACIES, SPREADS, CORRELATION = (
    (2, 3, 5, 10),
    (200, 1000, 10_000),
    (0.6, 0.9, 0.98),
    (0.1, 0.6),
    (0.5, 0.71),
)
METHODS = "cell", "pair", "data effect", "interaction"  # what is shipped and must cover
YARDSTICKS = (
    "cell, alone",
    "cell: pooled Wilson",
    "cell: nested bootstrap",
    "pair: items only",
    "pair: nested bootstrap",
)
ARCHITECTURE = -0.5, 0.5, -0.5, 0.5
MARGIN = 0.02


def offset(accuracy, spread):
    """The mean logit at which samples and seeds together average to `accuracy`."""
    from scipy.optimize import brentq

    x = np.linspace(-8, 8, 2001)
    weight = np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
    return brentq(
        lambda mean: (
            weight @ (1 / (1 + np.exp(-mean - np.hypot(DIFFICULTY, spread) * x))) - accuracy
        ),
        -60,
        60,
    )


def simulate(rng, offsets, seeds, m, spread, correlation):
    """One experiment: a list of 0/1 arrays (S_c, m), one per offset; `seeds` and `spread` hold one value a cell."""
    shared, own = rng.standard_normal(m), rng.standard_normal((len(offsets), m))
    logits = DIFFICULTY * (
        np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    ) + np.reshape(offsets, (-1, 1))
    cells = []
    for logit, S, sd in zip(logits, seeds, spread):
        odds = np.exp(logit).astype("f4") * np.exp(sd * rng.standard_normal((S, 1))).astype("f4")
        cells.append((rng.random((S, m), "f4") * (1 + odds) < odds).astype(float))
    return cells


def experiments(rng, count, accuracies, S, m, spread):
    """`count` experiments whose cells have these accuracies; spread: one for all, or one a cell."""
    spreads = np.broadcast_to(spread, len(accuracies))
    offsets = [offset(a, s) for a, s in zip(accuracies, spreads)]
    for _ in range(count):
        yield simulate(rng, offsets, [S] * len(offsets), m, spreads, rng.uniform(*CORRELATION))


def holds(limits, truth):
    return limits[0] <= truth <= limits[1]


def effects(cells):
    return [contrast(cells, w) for w in (DATA_EFFECT, ARCHITECTURE, INTERACTION)]


def found(family):
    """Whether Holm finds anything at all in a family of effects."""
    return multiple_testing.adjust_holm([e.p for e in family]).min() <= 0.05


def nothing(rng, count, S, m, accuracy, spread):
    """No effect in a 2 x 2: shares of METHODS and of YARDSTICKS that hold the truth, of families with a false verdict; width of a pair."""
    out = []
    for cells in experiments(rng, count, [accuracy] * 4, S, m, spread):
        a, b = cells[:2]
        pair, family = contrast([a, b], PAIR), effects(cells)
        right = [
            holds(cell_accuracy(a, others=cells[1:]).limits(), accuracy),
            *(holds(e.limits(), 0) for e in (pair, family[0], family[2])),
        ]
        pick = rng.integers(
            S, size=(2, 400, S)
        )  # nested bootstrap: draw seeds, then for every seed its own samples, whose mean is
        one, other = a.mean(1)[pick[0]].mean(1), b.mean(1)[pick[1]].mean(1)  # as good as normal
        dust = rng.standard_normal(400) / np.sqrt(m * S)
        plain = [
            holds(cell_accuracy(a).limits(), accuracy),
            holds(wilson_interval(a.sum(), a.size), accuracy),
            holds(np.quantile(one + dust * np.sqrt(a.var(1).mean()), [0.025, 0.975]), accuracy),
            abs(pair.estimate) <= 1.96 * np.sqrt(pair.v_items),
            holds(
                np.quantile(one - other + dust * np.sqrt((a - b).var(1).mean()), [0.025, 0.975]), 0
            ),
        ]
        out.append([*right, *plain, found(family), pair.high - pair.low])
    return np.mean(out, 0)


def known(rng, count, S, m, base, spread):
    """Effects that are there: shares of METHODS that hold them, and of pairs said to be too small at a true effect of the margin."""
    first, other, better, both = accuracies = (
        base,
        base + 0.05,
        base + MARGIN,
        base + 0.05 + 2 * MARGIN,
    )
    truths = (
        first,
        better - first,
        (better + both - first - other) / 2,
        both - other - better + first,
    )
    out = []
    for cells in experiments(rng, count, accuracies, S, m, spread):
        pair = contrast([cells[2], cells[0]], PAIR)
        intervals = (
            cell_accuracy(cells[0], others=cells[1:]),
            pair,
            contrast(cells, DATA_EFFECT),
            contrast(cells, INTERACTION),
        )
        out.append(
            [
                *(holds(e.limits(), truth) for e, truth in zip(intervals, truths)),
                "too small" in stats.judge_effect(pair, MARGIN),
            ]
        )
    return np.mean(out, 0)


def three(rng, count, S, m, accuracy, spread):
    """No effect in a 3 x 3: share of families (2 data, 2 architecture, 4 interaction effects) with a false verdict."""
    one, rest = np.ones(3) / 3, [np.array([-1, 1, 0]), np.array([-1, 0, 1])]
    weights = (
        [np.outer(r, one) for r in rest]
        + [np.outer(one, r) for r in rest]
        + [np.outer(r, q) for r in rest for q in rest]
    )
    family = (
        [contrast(cells, w.ravel()) for w in weights]
        for cells in experiments(rng, count, [accuracy] * 9, S, m, spread)
    )
    return np.mean([found(f) for f in family])


def slices(rng, count, S, k, accuracy, spread):
    """No effect in k slices of 5 to 500 samples: share of families with a false verdict, all tested, and those of 30 samples or more."""
    ends = np.geomspace(5, 500, k).round().astype(int).cumsum()
    out = []
    for a, b in experiments(rng, count, [accuracy] * 2, S, ends[-1], spread):
        family = [
            contrast([x, y], PAIR)
            for x, y in zip(np.split(a, ends[:-1], 1), np.split(b, ends[:-1], 1))
        ]
        out.append([found(family), found([e for e in family if e.n >= 30])])
    return np.mean(out, 0)


def planned(rng, count, S, delta, spread):
    """A pair at accuracy 0.9 whose effect is `delta`: the power that pilots of S seeds and 1,000 samples foresee for their own size, what is
    measured; then the median m and seeds that `needed` names, and the power measured with those."""

    def measured(S, m):
        runs = experiments(rng, count, [0.9 + delta / 2, 0.9 - delta / 2], S, m, spread)
        return np.mean([contrast(cells, PAIR).low > 0 for cells in runs])

    pilots = list(experiments(rng, 60, [0.9] * 2, S, 1000, spread))
    named = [power.needed_sizes(cells, delta) for cells in pilots]
    m, seeds = (np.median([n[what] or np.inf for n in named]) for what in ("m", "seeds"))
    foreseen = np.mean([power.contrast_power(cells, PAIR, delta) for cells in pilots])
    return [
        foreseen,
        measured(S, 1000),
        m,
        measured(S, int(m)) if m < 30_000 else np.nan,
        seeds,
        measured(int(seeds), 1000) if seeds < 100 else np.nan,
    ]


def gates(rng, count, S, n, required, spread):
    """Shares of gates over n samples that fail although all is as required, and that catch a fall; the exact chance with one seed."""
    fall = 1 - 3 * (1 - required)
    failed = [
        np.mean(
            [
                requirements.judge_requirement(Y, required)["verdict"] == "below"
                for (Y,) in experiments(rng, count, [true], S, n, spread)
            ]
        )
        for true in (required, fall)
    ]
    return [*failed, requirements.chance_to_detect(n, required, fall)]


def broken(rng, count, S, m, accuracy, spread):
    """5 % of seeds diverge to chance (0.1): shares of diverged seeds that are named, of healthy cells with a seed accused, and coverage of
    the recipe that works: cell and pair, all seeds counted and without those named."""
    named, accused, hit = [], [], []
    for healthy in experiments(rng, count, [accuracy] * 2, S, m, spread):
        accused += [bool(diverged_runs.find_diverged(Y)) for Y in healthy]
        bad = [rng.random(S) < 0.05 for _ in healthy]
        cells = [np.where(b[:, None], rng.random(Y.shape) < 0.1, Y) for Y, b in zip(healthy, bad)]
        left = [diverged_runs.drop_diverged(Y)[0] for Y in cells]
        named += [
            i in diverged_runs.find_diverged(Y)
            for b, Y in zip(bad, cells)
            for i in np.flatnonzero(b)
        ]
        estimates = [(cell_accuracy(s[0], others=s[1:]), contrast(s, PAIR)) for s in (cells, left)]
        hit.append(
            [
                holds(e.limits(), truth)
                for pair in estimates
                for e, truth in zip(pair, (accuracy, 0))
            ]
        )
    return [np.mean(named or [np.nan]), np.mean(accused), *np.mean(hit, 0)]


def task(job):
    function, seed, count, setting = job
    return function(np.random.default_rng(seed), count, *setting)


def measure(pool, function, settings, count, again=lambda out, count: False):
    """{setting: what `function` measured}; where `again` doubts it, measured anew with four times as many experiments."""
    settings = list(settings)

    def run(some, times):
        few = [
            max(1, times * count // (2 if s[1] == 10_000 else 1)) for s in some
        ]  # half as many at 10,000 samples
        jobs = [
            (function, [20261124, times, *map(ord, function.__name__), settings.index(s)], n, s)
            for s, n in zip(some, few)
        ]
        return dict(zip(some, zip(map(np.asarray, pool.map(task, jobs)), few)))

    out = run(settings, 1)
    return out | run([s for s, (x, n) in out.items() if again(x, n)], 4)


def by_seeds(measured, names, title="", pick=lambda s: True, first=0):
    """A table: min-max (mean) in per cent over the settings of each number of seeds."""
    seeds = sorted({s[0] for s in measured})
    print(f"\n{title:52}" + "".join(f"{f'S={S}':>20}" for S in seeds))
    for k, name in enumerate(names, first):
        columns = [
            np.array(
                [
                    100 * np.atleast_1d(x)[k]
                    for s, (x, _) in measured.items()
                    if s[0] == S and pick(s)
                ]
            )
            for S in seeds
        ]
        print(
            f"{name:52}"
            + "".join(
                f"{f'{c.min():.1f}-{c.max():.1f} ({np.nanmean(c):.1f})':>20}" for c in columns
            )
        )


def judge(measured, names, limit, wrong, first=0):
    """Every setting on the wrong side of a limit, with the interval of its simulation: nothing is hidden in a mean."""
    for s, (x, n) in measured.items():
        for k, name in enumerate(names, first):
            share = float(np.atleast_1d(x)[k])
            if wrong * (share - limit) > 0:
                low, high = wilson_interval(share * n, n)
                sure = (
                    "SIGNIFICANT"
                    if wrong * ((low if wrong > 0 else high) - limit) > 0
                    else "within error"
                )
                print(
                    f"  {name}: {100 * share:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {n}, {sure}, {s}"
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--experiments", type=int, default=1000, help="per setting; half as many at 10,000 samples"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args, start = parser.parse_args(), time.time()
    count, low = args.experiments, len(METHODS)

    def under(out, n):  # a method under 93 %, or families over 5 %
        return min(out[:low]) < 0.93 or out[low + len(YARDSTICKS)] > 0.05

    grid = list(itertools.product(SEEDS, SAMPLES, ACCURACIES, SPREADS))
    small = [s for s in grid if s[1] < 10_000]
    with ProcessPoolExecutor(args.workers) as pool:
        none = measure(pool, nothing, grid, count, under)
        there = measure(
            pool,
            known,
            [s for s in small if s[2] < 0.98],
            count // 2,
            lambda out, n: min(out[:low]) < 0.93 or out[low] > 0.05,
        )
        nine = measure(pool, three, small, count // 4, lambda out, n: out > 0.05)
        groups = measure(
            pool,
            slices,
            itertools.product(SEEDS, (10, 30), (0.6, 0.9), SPREADS),
            count // 4,
            lambda out, n: out[0] > 0.05,
        )
        plans = measure(
            pool, planned, itertools.product(SEEDS, (0.03, 0.06), (0.1, 0.3, 0.6)), count // 4
        )
        guards = measure(
            pool,
            gates,
            itertools.product((1, *SEEDS), (5, 30, 200), (0.7, 0.9, 0.97), (0.1, 0.3)),
            count // 2,
        )
        failed = measure(
            pool, broken, itertools.product(SEEDS, (1000,), ACCURACIES, SPREADS), count // 2
        )

    print(
        f"{count} experiments a setting, half at m = 10,000, fewer below the first table; four times as many, drawn anew, where the"
    )
    print(
        f"first said under 93 % or over 5 %. Min-max (mean) over settings, %; {time.time() - start:.0f} s in {args.workers} processes"
    )
    rows, false = (*METHODS, *YARDSTICKS), len(METHODS) + len(YARDSTICKS)
    by_seeds(none, rows, "no effect: coverage of nominal 95 %", lambda s: s[1:3] != (200, 0.98))
    by_seeds(none, rows, "the same, accuracy 0.98 at m = 200", lambda s: s[1:3] == (200, 0.98))
    widths = (
        np.mean([x[-1] for s, (x, _) in none.items() if s == (S, 1000, 0.9, 0.6)]) for S in SEEDS
    )
    print(
        f"{'width of a pair (m 1,000, accuracy 0.9, spread 0.6)':52}"
        + "".join(f"{w:20.3f}" for w in widths)
    )
    by_seeds(there, METHODS, "known effects: coverage of nominal 95 %")
    print("\nunder 93 %, settings (seeds, samples, accuracy, seed spread):")
    judge(none, METHODS, 0.93, -1)
    judge(there, METHODS, 0.93, -1)

    by_seeds(none, ["2 x 2 (3 effects)"], "families with a false verdict, Holm at 5 %", first=false)
    by_seeds(nine, ["3 x 3 (8 effects)"])
    by_seeds(
        groups, ["10 or 30 slices of 5 to 500 samples", "the same, those of 30 samples or more"]
    )
    by_seeds(there, ["too small to matter, at a true effect of the margin"], first=low)
    print("\nover 5 %:")
    judge(none, ["2 x 2"], 0.05, 1, false)
    judge(nine, ["3 x 3"], 0.05, 1)
    judge(groups, ["slices"], 0.05, 1)
    judge(there, ["too small to matter"], 0.05, 1, low)

    print(
        "\npower for a pair at accuracy 0.9, %: foreseen and measured with S seeds and m 1,000; named for 80 %, and measured with that"
    )
    print(
        f"{'seeds effect spread':>22}{'foreseen':>10}{'measured':>10}{'m named':>10}{'power':>8}{'seeds named':>13}{'power':>8}"
    )
    for s, ((a, b, m, at_m, seeds, at_seeds), _) in plans.items():
        print(
            f"{s!s:>22}{100 * a:10.0f}{100 * b:10.0f}{m:10.0f}{100 * at_m:8.0f}{seeds:13.0f}{100 * at_seeds:8.0f}"
        )

    names = (
        "fails although as required (at most 5)",
        "catches errors trebled",
        "the same, one seed by the formula",
    )
    for n in (5, 30, 200):
        by_seeds(guards, names, f"a gate over {n} samples", lambda s, n=n: s[1] == n)
    names = (
        "diverged seeds named",
        "healthy cells with a seed accused",
        "cell, all seeds counted",
        "pair, all seeds counted",
    )
    by_seeds(
        failed,
        (*names, "cell, sound seeds", "pair, sound seeds"),
        "5 % of seeds diverge: coverage of what works",
    )


if __name__ == "__main__":
    main()

"""What a test of this size can show: samples and seeds that an effect needs, and the fall that a gate over few samples would catch."""

import math

import numpy as np

from curation.stats import PAIR, cell, contrast, first, matrix, mean_squares, normal, variance


def power(cells, weights, delta, level=0.95, group_size=None):
    """Chance that samples and seeds like these, cells as in `contrast`, show a true effect `delta` at `level`. One effect among k that are
    tested together (Holm) has at least the power at 1 - (1 - level) / k."""
    return contrast(cells, weights, level, group_size).power(delta)


def needed(cells, delta, weights=PAIR, power=0.8, level=0.95):
    """What would show a true effect `delta`: {"m": test samples with these seeds, "seeds": seeds a cell with this test set}.

    m None: no test set is large enough, add seeds. seeds None: 1,000 are too few, add samples. Both None: add both; or there is
    one seed a cell, or one sample, and nothing is known. [noncentral t: Johnson and Welch 1940]"""
    assert delta > 0
    cells, w = [matrix(Y) for Y in cells], np.asarray(weights, float)
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    free = S - 1
    if m == 1 or not free.any():
        return {"m": None, "seeds": None}
    ms_s, ms_e = free @ np.array([mean_squares(Y) for Y in cells]) / free.sum()
    sigma2_s, sigma2_e = max(0.0, ms_s - ms_e) / m, ms_e
    L = sum(w_c * Y.mean(0) for w_c, Y in zip(w, cells))
    omega2 = max(0.0, variance(L) - (w**2 / S).sum() * sigma2_e)

    def samples(S):
        from scipy.special import stdtrit

        a, free, z = w**2 / S, (S - 1).mean(), normal(power)
        df = max(1.0, free * (a.sum() ** 2 / (a**2).sum() * free + 2) / (free + 2))  # Satterthwaite's, as it comes out with equal spreads
        t = stdtrit(df, 0.5 + level / 2)
        seeds = t * (1 - 1 / (4 * df)) + z * math.sqrt(1 + t * t / (2 * df))  # the noncentral t's, where t + z is too little for few seeds
        r = delta**2 - seeds**2 * sigma2_s * a.sum()
        if r <= 0:
            return math.inf
        return math.ceil(1.2 * (normal(0.5 + level / 2) + z) ** 2 * (omega2 + sigma2_e * a.sum()) / r + 1.5 / delta)

    now = samples(S)
    enough = (s for s in range(2, 1001) if samples(np.full(len(S), s)) <= m)
    return {"m": None if math.isinf(now) else now, "seeds": next(enough, None)}


def below(Y, required, confidence=0.95, others=()):
    """A gate's question: is the accuracy of what these m samples stand for below `required`? Y (S, m), seeds of one recipe; others as in
    `cell`.

    {"estimate", "lower", "upper": one-sided bounds at `confidence`, "verdict": "below" | "at least" | "no evidence either way",
    "n": m, "seeds": S, "seeds_known": whether it speaks of the recipe, "would_catch": `catches(m, required)`}"""
    e = cell(Y, others=others)
    low, high = e.lower(confidence), e.upper(confidence)
    verdict = "below" if high < required else "at least" if low >= required else "no evidence either way"
    return dict(estimate=e.estimate, lower=low, upper=high, verdict=verdict, n=e.n, seeds=e.seeds[0]) | dict(
        required=required, seeds_known=e.seeds_known, would_catch=catches(e.n, required, confidence=confidence)
    )


def chance_to_catch(n, required, true, confidence=0.95):
    """Chance that `below` says so when the accuracy is really `true` and n samples are answered once: exact, by the binomial distribution.

    Three or more seeds catch as much or more (their answers to a sample agree too well to add much); two, whose spread is hardly known,
    up to 25 points less where it is large."""
    from scipy.special import bdtr

    fewest = passes(n, required, confidence)
    return float(bdtr(fewest - 1, n, true)) if fewest else 0.0


def catches(n, required, power=0.8, confidence=0.95):
    """The accuracy to which n samples must really fall for `below` to say so with `power`; None where no fall is large enough."""
    from scipy.special import bdtri

    fewest = passes(n, required, confidence)
    return float(bdtri(fewest - 1, n, power)) if fewest else None


def passes(n, required, confidence):
    """The fewest right answers out of n that are not shown to be below `required`."""
    from scipy.special import bdtr

    return first(n, lambda right: bdtr(right, n, required) > 1 - confidence)

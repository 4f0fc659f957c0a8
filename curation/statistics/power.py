"""What a test of this size can show: samples and seeds that an effect needs, and the fall that a gate over few samples would catch."""

import math

import numpy as np

from assay.curation.statistics.errors_left import first
from assay.curation.statistics.estimates import (
    PAIR,
    cell,
    contrast,
    matrix,
    mean_squares,
    normal,
    variance,
)


def power(cells, weights, delta, level=0.95, group_size=None):
    """Chance that samples and seeds like these, cells as in `contrast`, show a true effect `delta` at `level`. One effect among k that are
    tested together (Holm) has at least the power at 1 - (1 - level) / k."""
    return contrast(cells, weights, level, group_size).power(delta)


def needed(cells, delta, weights=PAIR, power=0.8, level=0.95):
    """What would show a true effect `delta`: {"m": test samples with these seeds, "seeds": seeds a cell with this test set}.

    m None: no test set is large enough, add seeds. seeds None: 1,000 are too few, add samples. Both None: add both; or there is
    one seed a cell, or one sample, and nothing is known. [noncentral t: Johnson and Welch 1940]"""
    cells, w = [matrix(Y) for Y in cells], np.asarray(weights, float)
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    if m == 1 or not (S > 1).any():
        return {"m": None, "seeds": None}
    sigma2_s, sigma2_e, omega2 = components(cells, w)

    def samples(S):
        left = room(S, w, sigma2_s, delta, power, level)
        return (
            math.ceil((omega2 + sigma2_e * (w**2 / S).sum()) / left + 1.5 / delta)
            if left > 0
            else math.inf
        )

    now = samples(S)
    enough = (s for s in range(2, 1001) if samples(np.full(len(S), s)) <= m)
    return {"m": None if math.isinf(now) else now, "seeds": next(enough, None)}


def audits_needed(cells, given, n, delta, weights=PAIR, power=0.8, level=0.95):
    """As `needed`, where n of the m test labels are audited, drawn at random: {"audited": how many of the m would do, "m": test samples, all
    audited, where these m would not, "seeds": seeds a cell with this audit}. cells: pseudo-values (stats.corrected), given: 0/1 by the labels as given.

    With c_i the weighted sum by clean labels and d_i what an audit changes of it, V_I = var(c) / m + mean(d^2) (1 / n - 1 / m) + floor / n^2: an
    audit shrinks all but the first term. [the variance of stats.corrected, in its two phases: Särndal et al. 1992, 9.3]"""
    cells, given, w = (
        [matrix(Y) for Y in cells],
        [matrix(Y) for Y in given],
        np.asarray(weights, float),
    )
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    if not (S > 1).any():
        return {"audited": None, "m": None, "seeds": None}
    sigma2_s, sigma2_e, omega2 = components(cells, w)
    L, G = (sum(w_c * Y.mean(0) for w_c, Y in zip(w, part)) for part in (cells, given))
    changed = n / m**2 * ((L - G) ** 2).sum()  # mean d^2 of the audited: L - G is m / n d there
    clean, floor = max(0.0, variance(L) - changed * (m / n - 1)), (w**2 / np.minimum(S, 2)).sum()

    def short(k):  # of audited labels
        return clean / m + changed * (1 / k - 1 / m) + floor / k**2 > left

    def lacks(s):  # seeds
        items = (omega2 + sigma2_e * (w**2).sum() / s) / m + floor / n**2
        return items > room(np.full(len(S), s), w, sigma2_s, delta, power, level)

    left = room(S, w, sigma2_s, delta, power, level)
    audited = n + 1 + first(m - n, lambda more: not short(n + 1 + more))
    samples = math.ceil(clean / left + 1.5 / delta) if audited > m and left > 0 else None
    seeds = next((s for s in range(2, 1001) if not lacks(s)), None)
    return {"audited": audited if audited <= m else None, "m": samples, "seeds": seeds}


def components(cells, w):
    """(sigma_s^2, sigma_e^2, omega^2) of a contrast: from seeds, from seeds and samples together, and from samples alone, pooled over cells."""
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    ms_s, ms_e = (S - 1) @ np.array([mean_squares(Y) for Y in cells]) / (S - 1).sum()
    L = sum(w_c * Y.mean(0) for w_c, Y in zip(w, cells))
    return max(0.0, ms_s - ms_e) / m, ms_e, max(0.0, variance(L) - (w**2 / S).sum() * ms_e)


def room(S, w, sigma2_s, delta, power, level):
    """The variance from test samples, V_I, that still lets S seeds a cell show `delta` with `power`; 0 or less: the seeds alone hide it."""
    from scipy.special import stdtrit

    assert delta > 0
    a, free, z = w**2 / S, (S - 1).mean(), normal(power)
    df = max(
        1.0, free * (a.sum() ** 2 / (a**2).sum() * free + 2) / (free + 2)
    )  # Satterthwaite's, as it comes out with equal spreads
    t = stdtrit(df, 0.5 + level / 2)
    seeds = t * (1 - 1 / (4 * df)) + z * math.sqrt(
        1 + t * t / (2 * df)
    )  # the noncentral t's, where t + z is too little for few seeds
    return (delta**2 - seeds**2 * sigma2_s * a.sum()) / (
        1.2 * (normal(0.5 + level / 2) + z) ** 2
    )  # 1.2: a pilot does not know its variance


def below(Y, required, confidence=0.95, others=()):
    """A gate's question: is the accuracy of what these m samples stand for below `required`? Y (S, m), seeds of one recipe; others as in
    `cell`.

    {"estimate", "lower", "upper": one-sided bounds at `confidence`, "verdict": "below" | "at least" | "no evidence either way",
    "n": m, "seeds": S, "seeds_known": whether it speaks of the recipe, "would_catch": `catches(m, required)`}"""
    e = cell(Y, others=others)
    low, high = e.lower(confidence), e.upper(confidence)
    verdict = (
        "below" if high < required else "at least" if low >= required else "no evidence either way"
    )
    return dict(
        estimate=e.estimate, lower=low, upper=high, verdict=verdict, n=e.n, seeds=e.seeds[0]
    ) | dict(
        required=required,
        seeds_known=e.seeds_known,
        would_catch=catches(e.n, required, confidence=confidence),
    )


def p_below(Y, required, others=()):
    """p-value of `below`: the smallest alpha at which it says so; Y, others as there."""
    e = cell(Y, others=others)
    low, high = -12.0, math.log10(0.5)  # log10 alpha; the upper bound falls as alpha grows
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if e.upper(1 - 10**middle) < required else (middle, high)
    return 10**high if high < math.log10(0.5) else 1.0


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

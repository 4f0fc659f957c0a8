"""Intervals and tests for data versions x architectures x seeds that are all judged on one test set.

Seeds are a sample of all seeds and test samples of all samples, so both widen an interval (crossed variance components, seeds
unmatched). A cell is one (S, m) array: row s holds what the model of seed s got right (1) or wrong (0) on the m test samples.
Everything is a fraction: 0.013 is 1.3 points. Coverage is measured in tests/benchmarks/coverage.py."""

import math
from dataclasses import dataclass, replace

import numpy as np

PAIR, DATA_EFFECT, INTERACTION = (1, -1), (-0.5, -0.5, 0.5, 0.5), (1, -1, -1, 1)


@dataclass(frozen=True)
class Estimate:
    """An accuracy or a difference of accuracies with what its interval is made of, so that `at` can give any other level."""

    estimate: float
    v_items: float  # V_I: variance from the test samples
    v_seeds: float  # V_a: variance from the seeds
    df: float | None  # of V_a; None where V_a is 0
    n: int  # m, test samples (or groups of them)
    seeds: list  # S_c, one a cell
    seed_spread: list  # sigma_s of each cell, in accuracy; None where a cell has one seed
    seeds_known: bool  # False: one seed everywhere, so the interval speaks of these trained models only, not of the recipe
    cap: float | None = (
        None  # an accuracy: the most independent answers that n_eff may stand for; a difference: None
    )
    span: tuple = (0.0, 1.0)  # the values that are possible at all
    level: float = 0.95
    ends: tuple = ()  # (the least, the most) that labels nobody is sure of allow, as Estimates: the interval spans both

    def width(self, alpha):
        """Half width at level 1 - alpha on the plain scale: sqrt(z^2 V_I + t_df^2 V_a)."""
        from scipy.special import ndtri, stdtrit

        t = stdtrit(self.df, alpha / 2) if self.v_seeds else 0.0
        return math.hypot(ndtri(alpha / 2) * math.sqrt(self.v_items), t * math.sqrt(self.v_seeds))

    def limits(self):
        """(low, high). An accuracy gets Wilson's with n_eff = p (1 - p) / (half / z)^2, which stays inside 0 to 1."""
        if self.ends:
            return tuple(e.limits()[i] for i, e in enumerate(self.ends))
        if self.cap is None:
            half = self.width(1 - self.level)
            return max(self.span[0], self.estimate - half), min(self.span[1], self.estimate + half)
        n_eff = self.n_eff(self.level)
        return wilson(self.estimate * n_eff, n_eff, self.level)

    def n_eff(self, level):
        """How many independent answers an accuracy is worth: p (1 - p) / (half / z)^2, at most `cap`."""
        p, half, z = self.estimate, self.width(1 - level), normal(0.5 + level / 2)
        return min(self.cap, p * (1 - p) * (z / half) ** 2) if half and 0 < p < 1 else self.cap

    @property
    def low(self):
        return self.limits()[0]

    @property
    def high(self):
        return self.limits()[1]

    @property
    def half(self):
        return (
            self.width(1 - self.level)
            if self.cap is None and not self.ends
            else (self.high - self.low) / 2
        )

    @property
    def p(self):
        """p-value of a difference: the alpha at which its interval touches zero. An accuracy has none."""
        if self.cap is not None:
            return None
        if self.ends:  # the end that is nearer to zero decides
            least, most = self.ends
            return least.p if least.estimate > 0 else most.p if most.estimate < 0 else 1.0
        low, high = -300.0, 0.0  # log10 alpha; the width falls as alpha grows
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if self.width(10**middle) > abs(self.estimate) else (low, middle)
            )
        return 10**high

    def at(self, level):
        """The same estimate with an interval of another level."""
        return replace(self, level=level, ends=tuple(e.at(level) for e in self.ends))

    def lower(self, confidence=0.95):
        """One-sided bound: the truth is at least this with `confidence`. A difference's is the low end of its 2 confidence - 1 interval; an
        accuracy's is Clopper and Pearson's at n_eff, for one-sided Wilson is too sure near 0 and 1. [Korn and Graubard 1998]"""
        return self.bound(confidence)[0]

    def upper(self, confidence=0.95):
        """As `lower`: the truth is at most this."""
        return self.bound(confidence)[1]

    def bound(self, confidence):
        from scipy.special import betaincinv

        assert 0.5 < confidence < 1
        if self.ends:
            return tuple(e.bound(confidence)[i] for i, e in enumerate(self.ends))
        if self.cap is None:
            return self.at(2 * confidence - 1).limits()
        n, right = (n_eff := self.n_eff(2 * confidence - 1)), self.estimate * n_eff
        low = betaincinv(right, n - right + 1, 1 - confidence) if self.estimate > 0 else 0.0
        return float(low), float(
            betaincinv(right + 1, n - right, confidence)
        ) if self.estimate < 1 else 1.0

    def power(self, delta):
        """Chance that samples and seeds like these show a true difference `delta`, at this level: Phi((delta - half) / sqrt(V_I + V_a))."""
        from scipy.special import ndtr

        return float(ndtr((abs(delta) - self.half) / math.sqrt(self.v_items + self.v_seeds)))

    def smallest_effect(self, power=0.8):
        """The true difference that samples and seeds like these would show with `power`, at this level."""
        return self.half + normal(power) * math.sqrt(self.v_items + self.v_seeds)


def wilson(k, n, level=0.95):
    """Wilson's interval for k out of n, (low, high); both may be fractions of a sample. [Wilson 1927]"""
    if n <= 0:
        return 0.0, 1.0
    p, z2 = k / n, normal(0.5 + level / 2) ** 2
    middle, half = p + z2 / (2 * n), math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n)))
    return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def cell(Y, level=0.95, others=(), group_size=None):
    """Accuracy of one cell, Y (S, m), with Wilson's interval at its effective n. Columns may be means of `group_size` samples.

    `others`: cells that should vary as much from seed to seed (the same architecture on other data), to lend phi: two seeds that
    agree by luck hide their spread, and where that is large they cover 92 to 94 % alone."""
    return balanced_accuracy(Y, np.zeros(np.shape(Y)[-1]), level, others, group_size)


def balanced_accuracy(Y, labels, level=0.95, others=(), group_size=None):
    """Mean over the K classes of the accuracy within the class: Y (S, m), labels (m,); the rest as in `cell`.

    Classes are strata of n_k samples. At 0 or 1 n_eff is K^2 / sum 1 / n_k: m for equal classes, about K^2 n_k if one is tiny."""
    cells, labels = [matrix(Z) for Z in (Y, *others)], np.asarray(labels)
    assert {Z.shape[1] for Z in cells} == {len(labels)}, "all on the same test samples"
    S, m, n = (
        np.array([len(Z) for Z in cells]),
        len(labels),
        np.unique(labels, return_counts=True)[1],
    )
    accuracies, v_items, ms_s, ms_e = np.array(
        [by_class(Z, labels) for Z in cells]
    ).T  # one value a cell
    v_seeds, df = seed_variance(np.eye(len(cells))[0], S, m, ms_s, ms_e)
    p, cap, sigma_s = (
        float(accuracies[0]),
        float(len(n) ** 2 / (1 / n).sum()),
        spread(S, m, ms_s, ms_e)[:1],
    )
    if cap * p * (1 - p) >= 5:  # with fewer errors, seeds that repeat them add no evidence
        cap *= int(S[0]) * (group_size or 1)
    known = bool(S.max() > 1)
    v_items *= (m - 1) / m  # one seed is then Wilson's interval at m, not at m - 1
    return Estimate(
        p, float(v_items[0]), v_seeds, df, m, S[:1].tolist(), sigma_s, known, cap, level=level
    )


def by_class(Y, labels):
    """p, V_I (no floor: Wilson brings his own), MS_s and MS_e of a cell's balanced accuracy; with one class, of its accuracy."""
    names, n = np.unique(labels, return_counts=True)
    K, m, seeds, v_items, ms_e = len(n), len(labels), np.zeros(len(Y)), 0.0, 0.0
    for name, n_k in zip(names, n):
        part = Y[:, labels == name]
        seeds += part.mean(1)
        part = part if n_k > 1 else Y  # a class of one sample has no variance of its own
        v_items += variance(part.mean(0)) / n_k / K**2
        ms_e += m * mean_squares(part)[1] / n_k / K**2
    return seeds.mean() / K, v_items, m * variance(seeds / K), ms_e


def corrected(given, audited, n):
    """Pseudo-values (S, m) whose column mean is the difference estimator of accuracy on clean labels: what is right (S, m) by the given
    labels, plus m / n times what the audit of n samples drawn at random changed. `audited` equals `given` outside the audit.

    Their variance over columns is that of the estimator, too large by (mean change)^2 (1/n - 1/m). [Särndal et al. 1992, 6.3;
    prediction-powered inference, Angelopoulos et al. 2023, is the same idea]"""
    given, audited = matrix(given), matrix(audited)
    return given + given.shape[1] / n * (audited - given)


def corrected_by_class(given, audited, labels, clean, n):
    """As `corrected`, for balanced accuracy: labels (m,) as given, clean (m,) as audited. A class's accuracy is a ratio of two difference
    estimates, hits and size; its linearised terms are the pseudo-values. [Särndal et al. 1992, 5.6]"""
    given, audited, labels, clean = (
        matrix(given),
        matrix(audited),
        np.asarray(labels),
        np.asarray(clean),
    )
    out, names, m = np.zeros(given.shape), np.unique(np.r_[labels, clean]), len(labels)
    for name in names:
        was, now = labels == name, clean == name
        size, hits = (
            was + m / n * (1.0 * now - was),
            was * given + m / n * (now * audited - was * given),
        )
        total = max(
            size.sum(), 1
        )  # an audit may find none of a rare class: its terms are then wide, as they should be
        share = (hits.sum(1, keepdims=True) / total).clip(0, 1)
        terms = m / total * (hits - share * size)
        out += share + terms - terms.mean(1, keepdims=True)
    return out / len(names)


def corrected_cell(Y, n, level=0.95, others=()):
    """Accuracy of one cell from pseudo-values Y (S, m), n of them audited, inside 0 to 1. Its interval is that of `contrast`: Wilson's would
    be too short near 1, where most of the variance is the audit's."""
    e = contrast([Y, *others], [1, *(0 for _ in others)], level, n / np.shape(Y)[-1])
    return replace(
        e, estimate=min(1.0, max(0.0, e.estimate)), seeds=e.seeds[:1], seed_spread=e.seed_spread[:1]
    )


def contrast(cells, weights, level=0.95, group_size=None):
    """Weighted sum of accuracies: PAIR, DATA_EFFECT, INTERACTION or any other weights, one a cell.

    cells: list of (S_c, m) over the same m test samples; S_c may differ. Where test samples come in correlated groups, columns
    are means over groups of `group_size`; an audit's pseudo-values weigh like groups of n / m. A cell of one seed borrows the seed
    spread of the others, where there are any."""
    cells, w = [matrix(Y) for Y in cells], np.asarray(weights, float)
    assert len(w) == len(cells) and len({Y.shape[1] for Y in cells}) == 1, (
        "one weight a cell, all on the same test samples"
    )
    m, S = cells[0].shape[1], np.array([len(Y) for Y in cells])
    L = sum(w_c * Y.mean(0) for w_c, Y in zip(w, cells))  # L_i
    floor = (
        w**2 / np.minimum(S, 2)
    ).sum()  # few samples differ: the plain variance would be too sure
    if m > 1:
        v_items = (((L - L.mean()) ** 2).sum() + floor / (group_size or 1) ** 2) / (m * (m - 1))
    else:
        v_items = floor  # one sample or group says next to nothing
    ms_s, ms_e = np.array([mean_squares(Y) for Y in cells]).T
    v_seeds, df = seed_variance(w, S, m, ms_s, ms_e)
    sigma_s, span = spread(S, m, ms_s, ms_e), (float(w[w < 0].sum()), float(w[w > 0].sum()))
    known = bool(S.max() > 1)
    return Estimate(
        float(L.mean()),
        float(v_items),
        v_seeds,
        df,
        m,
        S.tolist(),
        sigma_s,
        known,
        span=span,
        level=level,
    )


def seed_variance(w, S, m, ms_s, ms_e):
    """V_a and its degrees of freedom (Satterthwaite, on the seed part alone); arrays hold one value a cell."""
    free = S - 1
    if not free.any():
        return 0.0, None
    ms_e = np.where(
        free > 0, ms_e, (free * ms_e).sum() / free.sum()
    )  # a cell of one seed cannot know its own
    total = (free * ms_e).sum()
    share = (
        ms_e / total if total else 1 / free.sum()
    )  # phi MS_e,c = share_c sum (S-1) MS_s: no 0/0 where MS_e is 0
    a = w**2 / (S * m)
    u = (
        a * free / S + free * (a / S * share).sum()
    ) * ms_s  # u_c; the second term comes through phi
    v_seeds = u.sum() - (a * ms_e).sum()
    if v_seeds <= 0:
        return 0.0, None
    return float(v_seeds), float(u.sum() ** 2 / (u[free > 0] ** 2 / free[free > 0]).sum())


def spread(S, m, ms_s, ms_e):
    """sigma_s of each cell: sigma_s^2 = (MS_s - MS_e) / m."""
    return [math.sqrt(max(0.0, s - e) / m) if k > 1 else None for k, s, e in zip(S, ms_s, ms_e)]


def mean_squares(Y):
    """MS_s, between seeds, and MS_e, the two-way residual, of one cell (S, m); zeros where there is one seed."""
    S, m = Y.shape
    if S == 1:
        return 0.0, 0.0
    rows, columns, mean = Y.mean(1), Y.mean(0), Y.mean()
    residual = (
        (Y**2).sum() - m * (rows**2).sum() - S * (columns**2).sum() + S * m * mean**2
    )  # sum (Y - row - column + mean)^2
    found = m * rows.var(ddof=1), residual / ((S - 1) * max(m - 1, 1))
    return tuple(float(ms) if ms > 1e-12 else 0.0 for ms in found)  # rounding dust is not spread


def verdict(estimate, margin=None):
    """What a difference says in words: `margin` is the effect too small to matter (None: never say so, as with unaudited labels).

    Helps or hurts: its own interval, Holm's if it comes from `holm_intervals`, excludes zero. Too small to matter: its 90 %
    interval lies inside +-margin (TOST). One seed everywhere says nothing about a recipe, and under six samples not even a sign
    test reaches 5 %."""
    if not estimate.seeds_known or estimate.n < 6:
        return "no evidence either way"
    close = estimate.at(0.90)
    small = margin is not None and -margin < close.low and close.high < margin
    effect = "helps" if estimate.low > 0 else "hurts" if estimate.high < 0 else ""
    if effect:
        return f"{effect} (too small to matter)" if small else effect
    return "too small to matter" if small else "no evidence either way"


def diverged(Y):
    """Seeds of one cell whose run looks diverged: far worse than the better half of the runs, Y (S, m)."""
    Y = matrix(Y)
    S, m = Y.shape
    height = np.arcsin(
        np.sqrt(Y.mean(1))
    )  # on this scale the same noise has the same size at 0.6 and at 0.98
    below = (
        np.sort(height)[S // 2] - height
    )  # under the upper median: up to half of the runs may have failed
    robust = 1.4826 * np.sort(abs(below))[(S - 1) // 2]  # MAD as a standard deviation
    spread = max(
        robust, 0.03, 0.5 / math.sqrt(m)
    )  # two runs may agree by luck: at least 1.8 points at 0.9, and binomial noise
    return np.flatnonzero(below > 5 * spread).tolist()


def sound(Y):
    """A cell without its diverged seeds, and which were left out: (Y (S - k, m), [k indices]). What is left speaks of the recipe where it
    works; how often it fails is k of S. Where fewer than two seeds would be left, all stay: one says nothing of the recipe."""
    Y, out = matrix(Y), diverged(Y)
    return (np.delete(Y, out, 0), out) if len(Y) - len(out) > 1 else (Y, [])


precision_interval = wilson  # (hits, looks)


def variance(x):
    return x.var(ddof=1) if len(x) > 1 else 0.0


def normal(probability):
    from scipy.special import ndtri

    return float(ndtri(probability))


def matrix(Y):
    Y = np.atleast_2d(np.asarray(Y, float))
    assert Y.ndim == 2 and Y.size and np.isfinite(Y).all(), "expected (seeds, samples) without gaps"
    return Y

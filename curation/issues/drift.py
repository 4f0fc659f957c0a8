"""Whether two groups of images, such as train and val or last month's import and this one, come from the same distribution."""

import numpy as np

FEWEST = 20  # images of a group below which nothing can be said
SHUFFLES = 200
FAR = 0.1  # a distribution function that is off by less, or so many per cent fewer neighbours across, is no drift that matters


def pairs(groups):
    """The pairs of group names to compare: every other one with train, where there is one, or the largest."""
    names, count = np.unique([g for g in groups if g], return_counts=True)
    names = sorted(
        (str(n) for n, c in zip(names, count) if c >= FEWEST),
        key=lambda n: (n != "train", -count[list(names).index(n)]),
    )
    return [(names[0], other) for other in names[1:]]


def crossing(neighbours, side, rng):
    """How often the neighbours of two groups are of the other group, against chance: (share of what chance gives, the range of that in 95 % of
    shuffles, p). neighbours (n, k); side (n,) is 0, 1, or -1 for neither. One-sided: copies across make it more than chance, which leakage says.
    A k-nearest-neighbour two-sample test. [Schilling 1986]"""
    i, at = np.nonzero((neighbours >= 0) & (side[:, None] >= 0))
    j = neighbours[i, at]
    i, j = i[side[j] >= 0], j[side[j] >= 0]
    nodes = np.flatnonzero(side >= 0)
    mine = (side[nodes] == 1).astype("i1")
    place = np.empty(len(side), int)
    place[nodes] = np.arange(len(nodes))
    i, j = place[i], place[j]
    n, m = len(mine), int(mine.sum())
    expected = len(i) * 2 * m * (n - m) / (n * (n - 1))
    if not expected:
        return 1.0, (1.0, 1.0), 1.0
    seen = [
        (shuffled[i] != shuffled[j]).sum() / expected
        for shuffled in (rng.permutation(mine) for _ in range(SHUFFLES))
    ]
    share = float((mine[i] != mine[j]).sum() / expected)
    from scipy.special import ndtr

    low, high = np.quantile(seen, (0.025, 0.975))
    return (
        share,
        (float(low), float(high)),
        float(ndtr((share - 1) / max(np.std(seen), 1e-12))),
    )  # normal: 200 shuffles know no smaller p than .005


def ks(a, b):
    """(D, p) of the two-sample test of Kolmogorov and Smirnov; p by its limit, which is a little too large for small groups and ties."""
    from scipy.special import kolmogorov

    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    D = abs(
        np.searchsorted(a, both, "right") / len(a) - np.searchsorted(b, both, "right") / len(b)
    ).max()
    return float(D), float(kolmogorov(D * np.sqrt(len(a) * len(b) / (len(a) + len(b)))))


def find(neighbours, at, groupings, properties):
    """Rows (score, p, why) of everything that was compared. at (n,): each sample's node in neighbours; groupings {what: group names (n,), None for
    none}; properties {name: (n,) numbers of the images}. The score is 1 where both are alike, and low is bad."""
    rng, out = np.random.default_rng(0), []
    for what, groups in groupings.items():
        groups = np.asarray([g or "" for g in groups], object)
        for one, other in pairs(groups):
            side = np.full(len(neighbours), -1)
            side[at[groups == one]], a = 0, groups == one
            twice = np.isin(at[groups == other], at[a])
            b = np.flatnonzero(groups == other)
            side[at[b]], side[at[b[twice]]] = 1, -1  # what is in both tells nothing
            if min((side == 0).sum(), (side == 1).sum()) >= FEWEST:
                share, (low, high), p = crossing(neighbours, side, rng)
                why = f"{what} {other} ({(side == 1).sum():,} images) has {share:.0%} of the neighbours in {one} ({(side == 0).sum():,}) that chance gives"
                out.append((min(1.0, share), p, f"{why} [{low:.0%}, {high:.0%}], p = {p:.2g}"))
            for name, values in properties.items():
                D, p = ks(values[a], values[b])
                where = f"{np.median(values[b]):.3g} against {np.median(values[a]):.3g}"
                out.append(
                    (
                        1 - D,
                        p,
                        f"{name} of {what} {other} is off {one}'s by {D:.0%} of all images (median {where}), p = {p:.2g}",
                    )
                )
    return out

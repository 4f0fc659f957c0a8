"""Find groups of images that come from different distributions.

Such as train and val, or last month's import and this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from assay.curation.issues.base import (
    Finding,
    Issue,
    IssueFinder,
    Kind,
    ScanView,
    certain_issues,
)
from assay.curation.text import format_count

FEWEST = 20  # images of a group below which nothing can be said
BLOCK = 65_536  # nodes whose neighbours are looked at at a time
RARE = 5  # words expected in the smaller group, below which they are pooled (the usual rule of chi-square)
# a distribution function that is off by less, or so many per cent fewer neighbours across, is no drift that matters
FAR = 0.1
FIRST_IMPORTS = """
select sample, arg_min(batch, seq) as batch from edits semi join drawn using (sample)
where kind = 'import' group by sample"""


class Crossing(NamedTuple):
    """How often neighbours are of the other group, against chance."""

    share: float  # of what chance gives
    interval: tuple[float, float]  # of that in 95 % of permutations
    p: float


def pair_groups(groups: Sequence[str]) -> list[tuple[str, str]]:
    """Pair each group with train, or with the largest."""
    names, count = np.unique([g for g in groups if g], return_counts=True)
    names = sorted(
        (str(n) for n, c in zip(names, count) if c >= FEWEST),
        key=lambda n: (n != "train", -count[list(names).index(n)]),
    )
    return [(names[0], other) for other in names[1:]]


def measure_crossing(neighbours: np.ndarray, side: np.ndarray) -> Crossing:
    """Measure how often neighbours are of the other group.

    neighbours (n, k); side (n,) is 0, 1, or -1 for neither. One-sided: copies across make it more than chance, which
    leakage says. A k-nearest-neighbour two-sample test [Schilling 1986], by the normal limit of its permutation
    distribution, whose mean and variance are exact [Henze 1988].
    """
    from scipy.special import ndtr

    nodes = np.flatnonzero(side >= 0)
    n, m = len(nodes), int((side == 1).sum())
    edges = across = mutual = 0
    degree = np.zeros(len(side))  # neighbours that a node has, and that have it
    for i in np.array_split(nodes, -(-n // BLOCK) or 1):
        near = neighbours[i]
        near = np.where((near >= 0) & (side[near] >= 0), near, -1)
        there = near >= 0
        edges += int(there.sum())
        across += int((there & (side[near] != side[i][:, None])).sum())
        mutual += int((there & (neighbours[near] == i[:, None, None]).any(2)).sum())
        degree[i] += there.sum(1)
        degree += np.bincount(near[there], minlength=len(side))
    apart = 2 * m * (n - m) / max(n * (n - 1), 1)  # chance that two nodes are of different groups
    if not edges * apart:
        return Crossing(1.0, (1.0, 1.0), 1.0)
    # of two edges: they join the same two nodes, share one, or none
    same = edges + mutual
    shared = float((degree**2).sum()) - 2 * same
    both = 4 * m * (m - 1) * (n - m) * (n - m - 1) / (n * (n - 1) * (n - 2) * (n - 3))
    expected = edges * apart
    square = same * apart + shared * apart / 2 + (float(edges) ** 2 - same - shared) * both
    spread = max(square - expected**2, 0.0) ** 0.5 / expected
    share = across / expected
    p = float(ndtr((share - 1) / max(spread, 1e-12)))
    return Crossing(share, (1 - 1.96 * spread, 1 + 1.96 * spread), p)


def compare_distributions(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Test whether two groups of numbers are distributed alike.

    Returns (D, p) of Kolmogorov and Smirnov; p by its limit, which is a little too large for small groups and ties.
    scipy's ks_2samp gives others: it rounds.
    """
    from scipy.special import kolmogorov

    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    D = abs(
        np.searchsorted(a, both, "right") / len(a) - np.searchsorted(b, both, "right") / len(b)
    ).max()
    return float(D), float(kolmogorov(D * np.sqrt(len(a) * len(b) / (len(a) + len(b)))))


def compare_groups(
    neighbours: np.ndarray,
    node: np.ndarray,
    groupings: dict[str, Sequence[str | None]],
    properties: dict[str, np.ndarray],
    categories: dict[str, Sequence[str | None]] | None = None,
) -> list[Finding]:
    """Test each pair of groups by neighbours, properties and categories.

    A score is 1 where both are alike, low is bad. node (n,): of each sample in neighbours (nodes, k); groupings
    {what: group names (n,), None for none}; properties {name: (n,) numbers of the images};
    categories {name: (n,) words of rows}.
    """
    out = []
    for what, names in groupings.items():
        groups = np.asarray([name or "" for name in names], object)
        for one, other in pair_groups(groups):
            a, b = groups == one, np.flatnonzero(groups == other)
            side = np.full(len(neighbours), -1)
            side[node[a]] = 0
            twice = np.isin(node[b], node[a])
            side[node[b]], side[node[b[twice]]] = 1, -1  # what is in both tells nothing
            sizes = (side == 0).sum(), (side == 1).sum()
            if min(sizes) >= FEWEST:
                share, (low, high), p = measure_crossing(neighbours, side)
                why = (
                    f"{what} {other} ({format_count(sizes[1], 'sample')}) has {share:.0%} of the neighbours"
                    f" in {one} ({sizes[0]:,}) "
                    f"that chance gives [{low:.0%}, {high:.0%}], p = {p:.2g}"
                )
                out.append(Finding(min(1.0, share), p, why))
            for name, values in properties.items():
                one_side, other_side = known_numbers(values[a]), known_numbers(values[b])
                if min(len(one_side), len(other_side)) < FEWEST:
                    continue
                D, p = compare_distributions(one_side, other_side)
                medians = f"{np.median(other_side):.3g} against {np.median(one_side):.3g}"
                why = (
                    f"{name} of {what} {other} is off {one}'s by {D:.0%} of all images "
                    f"(median {medians}), p = {p:.2g}"
                )
                out.append(Finding(1 - D, p, why))
            for name, words in (categories or {}).items():
                about = f"{name} of {what} {other}"
                if finding := compare_words(words, groups, (one, other), about):
                    out.append(finding)
    return out


def compare_words(
    names: Sequence[str | None], groups: np.ndarray, pair: tuple[str, str], about: str
) -> Finding | None:
    """Test whether two groups have the same words as often; None where there are too few.

    names (n,): the words, None where one is missing. The distance is the share of rows that would have to say another
    word (total variation); rare words are pooled.
    """
    from scipy.stats import chi2_contingency

    words, at = np.unique([name or "" for name in names], return_inverse=True)
    table = np.stack([np.bincount(at[groups == group], minlength=len(words)) for group in pair])
    sizes = table.sum(1)
    if sizes.min() < FEWEST:
        return None
    expected = table.sum(0) * sizes.min() / sizes.sum()
    rare = expected < RARE
    pooled = np.column_stack([table[:, ~rare], table[:, rare].sum(1)])
    pooled = pooled[:, pooled.any(0)]
    if pooled.shape[1] < 2:
        return None
    shares = pooled / sizes[:, None]
    D, p = abs(shares[0] - shares[1]).sum() / 2, float(chi2_contingency(pooled).pvalue)
    most = int(abs(shares[0] - shares[1])[: (~rare).sum()].argmax()) if (~rare).any() else 0
    word = str(words[~rare][most]) if (~rare).any() else "rare words"
    why = (
        f"{about} is off {pair[0]}'s in {D:.0%} of the rows (most {word[:60] or 'no value'!r}:"
        f" {shares[1][most]:.1%} against {shares[0][most]:.1%}), p = {p:.2g}"
    )
    return Finding(float(1 - D), p, why)


def known_numbers(values: np.ndarray) -> np.ndarray:
    """Leave out NaN: a row may lack a number."""
    return values[~np.isnan(values)]


def find_drift(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find splits and imports that differ much, and certainly."""
    import pyarrow as pa

    rows = scan.drawn
    state = scan.state.iloc[rows]
    with scan.bench.connect() as con:
        con.register("drawn", pa.table(dict(sample=state.index.to_numpy(object))))
        first = dict(con.execute(FIRST_IMPORTS).fetchall())
    groupings = {
        "split": state.split.tolist(),
        "import": [first.get(sample) for sample in state.index],
    }
    properties = {name: values[rows] for name, values in scan.image_properties.items()}
    properties = {n: v for n, v in properties.items() if len(np.unique(known_numbers(v))) > 1}
    categories = {
        name: [words[row] for row in rows.tolist()] for name, words in scan.row_words.items()
    }
    found = compare_groups(
        scan.graph.neighbours, scan.node[rows], groupings, properties, categories
    )
    return certain_issues(kind, found, 1 - FAR, threshold, scan.say_drawn())


FINDER = IssueFinder(
    {"drift": Kind("a split or an import differs from the others", 1 - FAR, whole=True)},
    find_drift,
    order=110,
)

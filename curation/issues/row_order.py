"""Find tables whose rows are alike where they are near: sorted, drifting, or one thing in several rows."""

from __future__ import annotations

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

FEWEST = 100  # rows of a source, below which their order says nothing
SHUFFLES = 100
PAIRS = 500_000  # of neighbours that are looked at; drawn where there are more
# share of neighbours that are nearer in the file than chance puts them, below which it does not matter
FAR = 0.05


class Order(NamedTuple):
    """How near in a file the neighbours by content are."""

    excess: (
        float  # largest difference of the distributions of distances in the file, against chance
    )
    within: int  # the distance where it is
    share: float  # of neighbours within it
    chance: float  # the same of rows in random order
    p: float


def measure_order(neighbours: np.ndarray, place: np.ndarray, seed: int = 0) -> Order:
    """Measure whether neighbours lie nearer in a file than in random order.

    neighbours (n, k): rows, -1 for none; place (n,): 0 to m - 1 in the file, -1 for what is not in it. The permutation
    test of distances in the file. [Cummings, Snorrason, Mueller 2023, arXiv 2305.15696; one-sided here]
    """
    from scipy.special import ndtr

    rng, m = np.random.default_rng(seed), int((place >= 0).sum())
    i, at = np.nonzero((neighbours >= 0) & (place[:, None] >= 0))
    j = neighbours[i, at]
    i, j = i[place[j] >= 0], j[place[j] >= 0]
    if len(i) > PAIRS:
        drawn = rng.choice(len(i), PAIRS, replace=False)
        i, j = i[drawn], j[drawn]
    if m < 2 or not len(i):
        return Order(0.0, 0, 0.0, 0.0, 1.0)
    far = np.arange(1, m)
    chance = 1 - (m - far) * (m - far - 1) / (m * (m - 1))
    nodes = np.flatnonzero(place >= 0)
    shuffled, seen = place.copy(), []
    for _ in range(SHUFFLES):
        shuffled[nodes] = rng.permutation(m)
        seen.append(np.max(count_within(shuffled[i], shuffled[j], m) - chance))
    shares = count_within(place[i], place[j], m)
    most = int(np.argmax(shares - chance))
    excess = float(shares[most] - chance[most])
    # normal: 100 shuffles know no smaller p than .01
    p = float(ndtr((np.mean(seen) - excess) / max(np.std(seen), 1e-12)))
    return Order(excess, most + 1, float(shares[most]), float(chance[most]), p)


def count_within(a: np.ndarray, b: np.ndarray, m: int) -> np.ndarray:
    """Give the share of pairs that are at most 1, 2, ... m - 1 places apart."""
    return np.cumsum(np.bincount(abs(a - b), minlength=m)[1:]) / len(a)


def find_places(scan: ScanView, source: str) -> np.ndarray:
    """Give each node's place (nodes,) among the kept rows of a source, in the file's order; -1 for others.

    Of rows that say the same the first counts."""
    kept = (scan.state.keep & (scan.state.source == source)).to_numpy()
    rows = [split_place(uri) for uri in scan.state.uri[kept]]
    order = sorted(range(len(rows)), key=rows.__getitem__)
    nodes = scan.node[kept][order]
    first = nodes[np.sort(np.unique(nodes, return_index=True)[1])]
    place = np.full(len(scan.graph.neighbours), -1)
    place[first] = np.arange(len(first))
    return place


def split_place(uri: str) -> tuple[str, int]:
    """Split where a row lies into its file and its number there."""
    file, _, number = uri.rpartition("::")
    return file, int(number) if number.isdecimal() else 0


def find_order(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find sources in whose order near rows are alike."""
    found = []
    for source, n in scan.state.source[scan.state.keep].value_counts().items():
        if n < FEWEST:
            continue
        order = measure_order(scan.graph.neighbours, find_places(scan, source))
        why = (
            f"{order.share:.0%} of the rows most like a row of {source} lie within {format_count(order.within, 'row')}"
            f" of it, by chance {order.chance:.0%}, p = {order.p:.2g}: are several rows of one thing, or of one time?"
            " Splits by a column keep them together (assay split --group-column, --time-column)"
        )
        found.append(Finding(1 - order.excess, order.p, why))
    return certain_issues(kind, found, 1 - FAR, threshold)


FINDER = IssueFinder(
    {"non_iid": Kind("rows that are near in the file are alike", 1 - FAR, whole=True)},
    find_order,
    media=("row",),
    order=112,
)

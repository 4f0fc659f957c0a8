"""Count how much of train, validation and pool lies in each region.

Regions are every class, metadata value and cluster, and every pair of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.curation.media.base import media_of
from assay.curation.slicing import cluster_names, metadata
from assay.curation.slicing.judged_labels import JudgedLabels
from assay.curation.statistics.estimates import normal_quantile
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

FACETS = 14  # keys of metadata that are asked about: every one is paired with every other


@dataclass(frozen=True)
class Facet:
    """One way to cut the labels."""

    kind: str  # class, cluster or metadata
    names: list[str]  # of its values
    codes: np.ndarray  # (u,) into names, -1 for a label that has none


@dataclass(frozen=True)
class Region:
    """A part of the labels: a cell of one facet or two."""

    facets: str  # kinds of its facets: "class", "class x cluster"
    name: str
    mask: np.ndarray  # (u,) bool, what lies in it
    of_class: str | None = None  # the class, where a facet is


def make_facets(bench: Bench, state: pd.DataFrame, labels: JudgedLabels) -> list[Facet]:
    """Cut the labels of samples by class, cluster and metadata.

    Classes by the label as it is now, where there is one; fine clusters; metadata that do not
    repeat the label.
    """
    out = []
    if named := [i for i, name in enumerate(labels.names) if name or labels.several]:
        place = np.full(len(labels.names) + 1, -1)  # the last for code -1
        place[named] = np.arange(len(named))
        classes = [f"class {labels.names[i]}" for i in named]
        out.append(Facet("class", classes, place[labels.code]))
    cuts = []
    clusters = cluster_names.samples_by_cluster(bench, state).items()
    cuts.append(("cluster", {f"cluster {name}": ids for name, ids in clusters}))
    columns = metadata.slice_by_informative_metadata(state, media_of(bench).name)
    cuts += [("metadata", values) for _, values in islice(columns, FACETS)]
    for kind, values in cuts:
        codes = np.full(len(state), -1)
        for i, ids in enumerate(values.values()):
            codes[state.index.get_indexer(ids)] = i
        out.append(Facet(kind, list(values), codes[labels.of]))
    return out


def walk_cells(facets: list[Facet]) -> Iterator[tuple[tuple[Facet, ...], np.ndarray, int]]:
    """Walk over every facet, then over every pair of two.

    Yields the facets, the code (u,) of each label's cell, -1 for none, and the number of cells.
    """
    for f in facets:
        yield (f,), f.codes, len(f.names)
    for i, f in enumerate(facets):
        for g in facets[i + 1 :]:
            both = (f.codes >= 0) & (g.codes >= 0)
            code = np.where(both, f.codes * len(g.names) + g.codes, -1)
            yield (f, g), code, len(f.names) * len(g.names)


def join_kinds(facets: tuple[Facet, ...]) -> str:
    """Join the kinds of facets: 'class x cluster'."""
    return " x ".join(f.kind for f in facets)


def name_cell(facets: tuple[Facet, ...], cell: int) -> str:
    """Name a cell: `class cat`, or `class cat in cluster mostly cat`."""
    if len(facets) == 1:
        return facets[0].names[cell]
    a, b = divmod(int(cell), len(facets[1].names))
    word = "in" if facets[1].kind == "cluster" else "with"
    return f"{facets[0].names[a]} {word} {facets[1].names[b]}"


def count_cells(
    facets: list[Facet],
    columns: dict[str, np.ndarray],
    of_sample: dict[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Count the labels in every cell.

    columns: {name: (u,) bool}, what to count; of_sample: likewise, in cells of no class. A frame of the cells that any
    column has a label in: facets, code (the array), cell, of each column the count in the cell, and under all_NAME
    the count in all cells of these facets.
    """
    import pandas as pd

    parts = []
    for which, code, size in walk_cells(facets):
        asked = columns if of_sample is None or which[0].kind == "class" else of_sample
        counts = {
            name: np.bincount(code[mask & (code >= 0)], minlength=size)
            for name, mask in asked.items()
        }
        live = np.flatnonzero(sum(counts.values()))
        totals = {f"all_{name}": int(n.sum()) for name, n in counts.items()}
        part = pd.DataFrame(
            {name: n[live] for name, n in counts.items()} | totals | dict(cell=live)
        )
        parts.append(part.assign(facets=[which] * len(live), code=[code] * len(live)))
    return pd.concat(parts, ignore_index=True)


def make_region(row: Any) -> Region:
    """Make the region of a cell: a row of count_cells."""
    return region_of_cell(row.facets, row.cell, row.code == row.cell)


def region_of_cell(facets: tuple[Facet, ...], cell: int, mask: np.ndarray) -> Region:
    """Make the region of a cell of some facets, given what lies in it (u,)."""
    of_class = None
    if facets[0].kind == "class":
        at = cell if len(facets) == 1 else int(cell) // len(facets[1].names)
        of_class = facets[0].names[at].removeprefix("class ")
    return Region(join_kinds(facets), name_cell(facets, cell), mask, of_class)


# ---- formulas


def more_errors_p(wrong: np.ndarray, n: np.ndarray, all_wrong: int, all_n: int) -> np.ndarray:
    """p (m,) of as many errors in each region, by chance.

    Of at least `wrong` among its n. Were errors dealt out at random: Fisher's exact test, one-
    sided.
    """
    from scipy.stats import hypergeom

    return hypergeom.sf(np.asarray(wrong) - 1, all_n, all_wrong, n)


def fewer_in_train_p(
    train: np.ndarray, all_train: np.ndarray, other: np.ndarray, all_other: np.ndarray
) -> np.ndarray:
    """p (m,) of as few train samples in each region, by chance.

    Of at most `train` of its samples. Given how many of both splits it holds: Fisher's exact test,
    one-sided.
    """
    from scipy.stats import hypergeom

    train, all_train = np.asarray(train), np.asarray(all_train)
    return hypergeom.cdf(train, all_train + all_other, all_train, train + other)


def density_ratio(
    train: np.ndarray,
    all_train: np.ndarray,
    other: np.ndarray,
    all_other: np.ndarray,
    level: float = 0.95,
) -> np.ndarray:
    """Divide the share in train by that in another split.

    Returns (3, m): ratio, low, high. On the log scale, with 0.5 added to each count. [Katz et al.
    1978; Haldane]
    """
    a, n, b, m = (np.asarray(x) + 0.5 for x in (train, all_train, other, all_other))
    middle = np.log(a / n * m / b)
    half = normal_quantile(0.5 + level / 2) * np.sqrt(1 / a - 1 / n + 1 / b - 1 / m)
    return np.exp([middle, middle - half, middle + half])


class ClassCounts(NamedTuple):
    """How many val labels of each class lie in each region, where any do."""

    region: np.ndarray  # (c,)
    of: np.ndarray  # (c,) classes
    n: np.ndarray  # (c,)
    wrong: np.ndarray  # (c,) of these

    def total(self, counts: np.ndarray, m: int) -> np.ndarray:
        """Sum counts (c,) by region: (m,)."""
        return np.bincount(self.region, counts, m)


def expected_errors(inside: ClassCounts, of_all: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """Predict the errors (m,) of regions from the rest of val.

    Were its samples like the rest of their class, whose rate leans on that of the whole rest by
    two samples' weight; where `plain` (m,) bool, for a region that is a class, like the whole
    rest. of_all (2, k): samples of each class in all, and the wrong ones among them.
    """
    m, (all_n, all_wrong) = len(plain), of_all.sum(1)
    n = inside.total(inside.n, m)
    overall = (all_wrong - inside.total(inside.wrong, m)) / np.maximum(all_n - n, 1)
    rest, wrong = of_all[0, inside.of] - inside.n, of_all[1, inside.of] - inside.wrong
    rate = (wrong + 2 * overall[inside.region]) / (rest + 2)
    return np.where(plain, n * overall, inside.total(inside.n * rate, m))

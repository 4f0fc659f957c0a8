"""Which parts of a data set are asked about, and how much of train, validation and pool lies in each: every class, metadata value and cluster,
every pair of these."""

from dataclasses import dataclass

import numpy as np

from assay.curation.slicing import clusters, metadata
from assay.curation.statistics.estimates import normal

FACETS = 14  # keys of metadata that are asked about: every one is paired with every other


@dataclass(frozen=True)
class Facet:
    """One way to cut the samples: `names` of its values, and `codes` (n,) into them, -1 for a sample that has none."""

    kind: str  # class, cluster or metadata
    names: list
    codes: np.ndarray


def facets(bench, state):
    """The facets of `state`: classes by the label as it stands, where there is one, fine clusters, and metadata that do not repeat the label."""
    classes = sorted(set(state.label.dropna()))
    named = (
        [("class", {f"class {c}": list(ids) for c, ids in state.groupby("label").groups.items()})]
        if classes
        else []
    )
    named.append(
        ("cluster", {f"cluster {name}": ids for name, ids in clusters.named(bench, state).items()})
    )
    named += [("metadata", values) for values in list(metadata.telling(state).values())[:FACETS]]
    out = []
    for kind, values in named:
        codes = np.full(len(state), -1)
        for i, ids in enumerate(values.values()):
            codes[state.index.get_indexer(ids)] = i
        out.append(Facet(kind, list(values), codes))
    return out


def cells(facets):
    """(facets, code (n,) int of each sample's cell, -1 for none, number of cells) of every facet, then of every pair of two."""
    for f in facets:
        yield (f,), f.codes, len(f.names)
    for i, f in enumerate(facets):
        for g in facets[i + 1 :]:
            code = f.codes * len(g.names) + g.codes
            yield (
                (f, g),
                np.where((f.codes >= 0) & (g.codes >= 0), code, -1),
                len(f.names) * len(g.names),
            )


def kinds(facets):
    return " x ".join(f.kind for f in facets)


def called(facets, cell):
    """The name of a cell: `class cat`, or `class cat in cluster mostly cat`."""
    if len(facets) == 1:
        return facets[0].names[cell]
    a, b = divmod(int(cell), len(facets[1].names))
    return (
        f"{facets[0].names[a]} in {facets[1].names[b]}"
        if facets[1].kind == "cluster"
        else f"{facets[0].names[a]} with {facets[1].names[b]}"
    )


def counts(facets, columns):
    """Every cell that any of `columns` ({name: (n,) bool}) has a sample in, as a frame: facets, code (the array), cell, of each column the count
    in the cell, and under all_NAME the count in all cells of these facets."""
    import pandas as pd

    parts = []
    for which, code, size in cells(facets):
        each = {
            name: np.bincount(code[c & (code >= 0)], minlength=size) for name, c in columns.items()
        }
        live = np.flatnonzero(sum(each.values()))
        row = {name: n[live] for name, n in each.items()} | {
            f"all_{name}": int(n.sum()) for name, n in each.items()
        }
        parts.append(
            pd.DataFrame(row | dict(cell=live)).assign(
                facets=[which] * len(live), code=[code] * len(live)
            )
        )
    return pd.concat(parts, ignore_index=True)


# ---- formulas


def wrong_more_often(wrong, n, all_wrong, all_n):
    """p (m,): chance of at least `wrong` among the n of a region, were errors dealt out at random: Fisher's exact test, one-sided."""
    from scipy.stats import hypergeom

    return hypergeom.sf(np.asarray(wrong) - 1, all_n, all_wrong, n)


def thinner(train, all_train, other, all_other):
    """p (m,): chance of at most `train` of a region's samples in train, given how many of both splits it holds: Fisher's exact test, one-sided."""
    from scipy.stats import hypergeom

    train, all_train = np.asarray(train), np.asarray(all_train)
    return hypergeom.cdf(train, all_train + all_other, all_train, train + other)


def ratio(train, all_train, other, all_other, level=0.95):
    """(share in train over share in the other split, low, high) (3, m), with 0.5 added to each count, on the log scale. [Katz et al. 1978; Haldane]"""
    a, n, b, m = (np.asarray(x) + 0.5 for x in (train, all_train, other, all_other))
    middle, half = (
        np.log(a / n * m / b),
        normal(0.5 + level / 2) * np.sqrt(1 / a - 1 / n + 1 / b - 1 / m),
    )
    return np.exp([middle, middle - half, middle + half])


def discoveries(p):
    """Benjamini and Hochberg's adjusted p (m,). [1995]"""
    from scipy.stats import false_discovery_control

    return false_discovery_control(p) if len(p) else np.empty(0)


def expected(inside, of_all, plain):
    """The errors (m,) that the rest of val predicts for each of m regions: were its samples like the rest of their class, whose rate leans on
    that of the whole rest by two samples' weight; where `plain` (m,), for a region that is a class, like the whole rest. From counts by class:
    inside (m, 2, k) and of_all (2, k), samples and the wrong ones among them."""
    n, wrong = np.moveaxis(of_all - inside, 1, 0)  # (m, k) of the rest
    overall = wrong.sum(1) / np.maximum(n.sum(1), 1)
    by_class = (inside[:, 0] * (wrong + 2 * overall[:, None]) / (n + 2)).sum(1)
    return np.where(plain, inside[:, 0].sum(1) * overall, by_class)

"""Which parts of a data set are asked about, and how much of train, validation and pool lies in each: every class, metadata value and cluster,
every pair of these."""

from dataclasses import dataclass

import numpy as np

from curation import clusters, slices
from curation.stats import normal, wilson

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
    named = [("class", {f"class {c}": list(ids) for c, ids in state.groupby("label").groups.items()})] if classes else []
    named.append(("cluster", {f"cluster {name}": ids for name, ids in clusters.named(bench, state).items()}))
    named += [("metadata", values) for values in list(slices.telling(state).values())[:FACETS]]
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
            yield (f, g), np.where((f.codes >= 0) & (g.codes >= 0), code, -1), len(f.names) * len(g.names)


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
        each = {name: np.bincount(code[c & (code >= 0)], minlength=size) for name, c in columns.items()}
        live = np.flatnonzero(sum(each.values()))
        row = {name: n[live] for name, n in each.items()} | {f"all_{name}": int(n.sum()) for name, n in each.items()}
        parts.append(pd.DataFrame(row | dict(cell=live)).assign(facets=[which] * len(live), code=[code] * len(live)))
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
    middle, half = np.log(a / n * m / b), normal(0.5 + level / 2) * np.sqrt(1 / a - 1 / n + 1 / b - 1 / m)
    return np.exp([middle, middle - half, middle + half])


def discoveries(p):
    """Benjamini and Hochberg's adjusted p (m,). [1995]"""
    from scipy.stats import false_discovery_control

    return false_discovery_control(p) if len(p) else np.empty(0)


def rates(wrong, label, others):
    """The chance (n,) that the model is wrong about each val sample, were it like the `others` (n,) bool of its class: their rate, leaning on the
    rate of all others by two samples' weight. wrong (n,) bool, label (n,) codes."""
    k = int(label.max(initial=-1)) + 1
    overall = wrong[others].mean() if others.any() else 0.0
    n = np.bincount(label[others], minlength=k)
    return ((np.bincount(label[others], wrong[others], minlength=k) + 2 * overall) / (n + 2))[label]


def excess(wrong, label, inside, open_, plain):
    """(errors of a region beyond what the rest predicts, low, high (95 %, the rest's rate taken as known)) over the val samples that are still
    `open_`: the rest's rate of the same class, or of all where the region is a class. All arrays (n,) over val."""
    part, rest = inside & open_, ~inside & open_
    n, k = int(part.sum()), int(wrong[part].sum())
    if not n:
        return 0.0, 0.0, 0.0
    expected = float(rates(wrong, label * (not plain), rest)[part].sum())
    low, high = wilson(k, n)
    return k - expected, n * low - expected, n * high - expected

"""Find gaps of each kind: missing, under-represented, high error, inconsistent, isolated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy import flatnonzero as rows_of

from assay.curation.features import neighbor_graph
from assay.curation.features.reduction import chord_distance
from assay.curation.slicing import regions
from assay.curation.slicing.gap_evidence import GapEvidence
from assay.curation.slicing.regions import Region, make_region, name_cell
from assay.curation.statistics.multiple_testing import adjust_fdr
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

FOUND = 0.05  # false discoveries among the gaps of a kind, at most, by Benjamini and Hochberg
FEWEST = 5  # val samples of a region whose errors are tested
SEEN = 10  # samples of train and the other split that a region's density ratio is tested on
THIN = 0.5  # a thin region has at most this share of the density that it has in val or pool
RARE = 0.2  # a rare class or cell has at most this share of what is expected
# share of the cells of class and a key that are rare, from which on the two simply go together
MANY = 0.25
MOST = 200  # gaps of a kind: of a thousand rare classes the rarest are shown
EXPECTED = 5  # samples that a cell must be expected to have for their lack to be told
# quantile of the distances from train sample to train sample beyond which a sample is isolated
FAR = 0.99
BLOCK = 65_536  # vectors that are compared at a time

Found = Iterator[tuple[dict, np.ndarray]]  # rows of gaps, and what lies in each (u,) bool


def find_candidates(evidence: GapEvidence) -> list[tuple[dict, np.ndarray]]:
    """Find gaps of all kinds, not ranked yet: (row, mask) of each."""
    return [
        *find_missing_classes(evidence),
        *find_missing_pairs(evidence),
        *find_under_represented(evidence),
        *find_high_error(evidence),
        *find_inconsistent_labels(evidence),
        *find_isolated(evidence),
    ]


def find_high_error(evidence: GapEvidence) -> Found:
    """Find regions where the model errs more often than elsewhere.

    Elsewhere is the rest of val.
    """
    for r in keep_surest(evidence, failing_cells(evidence)).itertuples():
        yield evidence.make_row("error", make_region(r), dict(p=r.p, q=r.q))


def failing_cells(evidence: GapEvidence) -> pd.DataFrame:
    """Find the cells where the model errs more often than elsewhere."""
    cells = evidence.counts[evidence.counts.judged >= FEWEST]
    alone = np.array([evidence.alone(regions.join_kinds(facets)) for facets in cells.facets])
    columns = [cells[name] for name in ("wrong", "judged", "all_wrong", "all_judged")]
    p = regions.more_errors_p(*(round_down(column / alone) for column in columns))
    return cells.assign(p=p, q=adjust_fdr(p)).query("q <= @FOUND")


def round_down(counts: pd.Series) -> np.ndarray:
    """Round counts down to whole ones."""
    return np.floor(counts.to_numpy() + 1e-9).astype(int)


def keep_surest(evidence: GapEvidence, cells: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells of least p, and count those that are left out: thousands help nobody."""
    evidence.left_out += max(0, len(cells) - MOST)
    return cells if len(cells) <= MOST else cells.nsmallest(MOST, "p").sort_index()


def find_under_represented(evidence: GapEvidence) -> Found:
    """Find regions that train has much less of than val or pool.

    The pool where no label is needed to tell. Asked of all regions and, by itself, of those where
    the model is wrong more often: there a lack that is too small to stand out among hundreds of
    regions may still be the reason.
    """
    cells = failing_cells(evidence)
    failing = {name_cell(facets, cell) for facets, cell in zip(cells.facets, cells.cell)}
    for other, only in (("val", None), ("val", failing), ("pool", None)):
        cells = evidence.counts
        if other == "pool":
            unlabelled = [all(f.kind != "class" for f in facets) for facets in cells.facets]
            cells = cells[np.array(unlabelled, bool)]  # not a list: an empty one picks no columns
        seen = cells.train + cells[other] >= SEEN
        cells = cells[seen & (cells.all_train > 0) & (cells[f"all_{other}"] > 0)]
        if only is not None:
            names = [name_cell(facets, cell) for facets, cell in zip(cells.facets, cells.cell)]
            cells = cells[np.array([name in only for name in names], bool)]
        columns = ("train", "all_train", other, f"all_{other}")
        counts = [cells[column].to_numpy() for column in columns]
        p, (density, low, high) = regions.fewer_in_train_p(*counts), regions.density_ratio(*counts)
        cells = cells.assign(p=p, q=adjust_fdr(p), density=density, low=low, high=high)
        thin = cells.query("q <= @FOUND and density <= @THIN")
        for r in keep_surest(evidence, thin).itertuples():
            numbers = dict(p=r.p, q=r.q, ratio=r.density, ratio_low=r.low, ratio_high=r.high)
            yield evidence.make_row("thin", make_region(r), numbers, other)


def find_missing_classes(evidence: GapEvidence) -> Found:
    """Find classes of far fewer train samples than the median class.

    Or of none, though val or pool have them.
    """
    from scipy.stats import poisson

    cells = evidence.counts
    single = [regions.join_kinds(facets) == "class" for facets in cells.facets]
    cells = cells[np.array(single, bool)]
    if len(cells) < 2:
        return
    median = cells.train.median()
    p = poisson.cdf(cells.train, THIN * median)
    if median < EXPECTED:
        return
    few = cells.assign(p=p, q=adjust_fdr(p)).query("q <= @FOUND and train <= @RARE * @median")
    for r in keep_surest(evidence, few).itertuples():
        kind = "rare" if r.train else "absent"
        numbers = dict(p=r.p, q=r.q, ratio=r.train / median, expected=median)
        yield evidence.make_row(kind, make_region(r), numbers, "classes")


def find_missing_pairs(evidence: GapEvidence) -> Found:
    """Find pairs of class and metadata that train lacks.

    Cells far below what independence of the two expects.
    """
    from scipy.stats import hypergeom

    for facets in {id(pair): pair for pair in evidence.counts.facets}.values():
        if regions.join_kinds(facets) != "class x metadata":
            continue
        a, b = facets
        shape = len(a.names), len(b.names)
        both = evidence.train & (a.codes >= 0) & (b.codes >= 0)
        both &= evidence.labels.given
        code = a.codes[both] * shape[1] + b.codes[both]
        n = np.bincount(code, minlength=shape[0] * shape[1]).reshape(shape)
        expected = np.outer(n.sum(1), n.sum(0)) / max(n.sum(), 1)
        testable = expected >= EXPECTED
        if not testable.any() or (n[testable] <= RARE * expected[testable]).mean() > MANY:
            continue  # values that only some classes can have
        p = hypergeom.cdf(n, n.sum(), n.sum(1)[:, None], n.sum(0)[None])
        q = np.ones(n.shape)
        q[testable] = adjust_fdr(p[testable])
        found = np.argwhere((q <= FOUND) & (n <= RARE * expected) & testable)
        evidence.left_out += max(0, len(found) - MOST)
        found = found[np.argsort(p[tuple(found.T)], kind="stable")[:MOST]]
        for at in map(tuple, found):
            mask = (a.codes == at[0]) & (b.codes == at[1])
            name = name_cell(facets, at[0] * shape[1] + at[1])
            numbers = dict(p=p[at], q=q[at], ratio=n[at] / expected[at], expected=expected[at])
            region = Region(regions.join_kinds(facets), name, mask, a.names[at[0]][len("class ") :])
            kind = "rare" if n[at] else "absent"
            yield evidence.make_row(kind, region, numbers, "independence")


def find_inconsistent_labels(evidence: GapEvidence) -> Found:
    """Find clusters where labels disagree with their neighbours' more often than elsewhere.

    A label disagrees where most of the labelled neighbours in train and val have another. (With several labels a
    sample: where most share less than half of the classes that either names.)
    """
    cluster = next(f for f in evidence.facets if f.kind == "cluster")
    graph, node = neighbor_graph.load_nodes(evidence.bench, evidence.every)
    once = evidence.first
    usable = (evidence.train | evidence.val)[once]
    rows = neighbor_graph.rows_on_nodes(graph, node, neighbor_graph.labelled_rows(evidence.every))
    near = neighbor_graph.neighbour_rows(graph, node[evidence.rows], rows)
    known = (near >= 0).sum(1)
    other = ((near >= 0) & find_other_labels(evidence, near)).sum(1)
    testable = usable & (known >= 3)
    odd = testable & (other > known / 2)
    size, codes = len(cluster.names), cluster.codes[once]
    n, k = (np.bincount(codes[mask], minlength=size) for mask in (testable, odd))
    p = regions.more_errors_p(k, n, k.sum(), n.sum())
    use = rows_of(n >= SEEN)
    for c, q in zip(use, adjust_fdr(p[use])):
        if q <= FOUND:
            numbers = dict(p=p[c], q=q, ratio=(k[c] / n[c]) / (k.sum() / n.sum()))
            region = Region("cluster", cluster.names[c], cluster.codes == c)
            against = f"{k[c]:,} of {n[c]:,}"
            yield evidence.make_row("disagreement", region, numbers, against)


def find_other_labels(evidence: GapEvidence, near: np.ndarray) -> np.ndarray:
    """Mark the neighbours (n, j) whose label is another than the sample's.

    near: rows of every sample, -1 for none. Of several labels a sample: less than half is equal.
    """
    import pandas as pd

    code, labels = pd.factorize(evidence.every.label)
    mine = code[evidence.rows]
    if not evidence.labels.several:
        return code[near] != mine[:, None]
    from scipy.sparse import csr_array

    members = [set(evidence.task.members(label)) for label in labels] + [set()]  # the last for none
    names = {name: i for i, name in enumerate(sorted(set().union(*members)))}
    where = [(row, names[name]) for row, held in enumerate(members) for name in held]
    shape = len(members), max(len(names), 1)
    at = np.array(where, int).reshape(-1, 2).T
    has = csr_array((np.ones(len(where), "i4"), (at[0], at[1])), shape=shape)
    size = np.array([len(held) for held in members])
    other = np.zeros(near.shape, bool)
    for j in range(near.shape[1]):
        theirs = code[near[:, j]]
        both = has[mine].multiply(has[theirs]).sum(1)
        other[:, j] = 2 * both < size[mine] + size[theirs] - both
    return other


def find_isolated(evidence: GapEvidence) -> Found:
    """Find val and pool samples far from any train sample.

    Farther than train samples are from each other; told where they are more than such a distance
    lets one expect.
    """
    from scipy.stats import binom

    graph, node = neighbor_graph.load_nodes(evidence.bench, evidence.every)
    every, once = evidence.every, evidence.first
    train = evidence.train[once]
    if not graph.distances.size or not train.any():
        return
    holds = np.zeros(len(graph.hashes), bool)
    holds[node[(every.split == "train").to_numpy() & every.label.notna().to_numpy()]] = True
    node = node[evidence.rows]
    near, far = graph.neighbours[node], graph.distances[node]
    first = np.where((near >= 0) & holds[near], far, np.inf).min(1)
    # a heap of strangers is near to itself: the graph shows no way to train
    if (lone := np.isinf(first)).any():
        first[lone] = distance_to_train(evidence.bench, graph, node[lone], holds)
    limit = np.quantile(first[train], FAR)
    for split in ("val", "pool"):
        mine = getattr(evidence, split)[once]
        mask = mine & (first > limit)
        k, n = int(mask.sum()), int(mine.sum())
        p = binom.sf(k - 1, n, 1 - FAR) if n else 1.0
        if p <= FOUND:
            numbers = dict(p=p, q=p, ratio=k / n / (1 - FAR), expected=n * (1 - FAR))
            region = Region("", f"{split} far from train", mask[evidence.labels.of])
            yield evidence.make_row("isolated", region, numbers, f"{k:,} of {n:,}")


def distance_to_train(
    bench: Bench, graph: neighbor_graph.Graph, nodes: np.ndarray, holds: np.ndarray
) -> np.ndarray:
    """Measure how far nodes are from the nearest train node.

    Nodes (m,) of the graph; distances (m,) of unit vectors; a node is not its own neighbour. holds
    (nodes,) bool: those with a train sample.
    """
    import faiss

    vectors = neighbor_graph.load_vectors(bench, graph)
    asked = np.asarray(vectors[nodes], "f4")
    best = np.full((len(nodes), 2), -1.0, "f4")
    for start in range(0, len(vectors), BLOCK):
        some = vectors[start : start + BLOCK][holds[start : start + BLOCK]].astype("f4")
        if len(some) > 1:
            found = faiss.knn(asked, some, 2, faiss.METRIC_INNER_PRODUCT)[0]
        else:
            found = asked @ some.T
        best = -np.sort(-np.concatenate([best, found], 1), axis=1)[:, :2]
    # the nearest to a node of train is itself
    return chord_distance(np.where(holds[nodes], best[:, 1], best[:, 0]))

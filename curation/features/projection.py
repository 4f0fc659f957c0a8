"""The map: where every image lies in a plane on which near ones stay near, the same for all who look at it."""

from hashlib import sha256

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.storage.arrays import find, load, save

FEWEST = 1_000  # images from which UMAP draws it: below, its start takes longer than the whole scan, and principal components show as much
KNOWN = 0.8  # share of images with a place from which the others are put beside their neighbours, and nobody moves


def standing(bench):
    """What arrays/map.npz holds: dict key, hashes (n,) sorted, xy (n, 2), method (umap, pca, or placed beside a few by umap); None before a scan."""
    return load(bench.arrays / "map.npz")


def key_of(graph):
    return sha256(str(graph["key"]).encode() + b"map").hexdigest()


def positions(bench, state):
    """((n, 2) float32, method) for every row of `state`, all splits; equal images share a place. No label enters. UserError before a scan of all."""
    kept = standing(bench)
    if kept is None:
        raise UserError(
            "expected a map of the images, found none", f"run: assay scan -b {bench.given}"
        )
    at = find(kept["hashes"], state.content_hash)
    if (at < 0).any():
        raise UserError(
            "expected every image on the map, found some imported since",
            f"run: assay scan -b {bench.given}",
        )
    return kept["xy"][at], str(kept["method"])


def sketch(bench):
    """Give every image of the standing graph a place at once, and keep it: its old one, or beside its neighbours that have one; where
    nobody has one, by principal components. Returns the method, and whether UMAP has still to draw it anew. UserError before a scan."""
    graph, old = load(bench.arrays / "graph.npz"), standing(bench)
    if graph is None:
        raise UserError(
            "expected a scanned bench to draw a map of, found none",
            f"run: assay scan -b {bench.given}",
        )
    if old is not None and str(old["key"]) == key_of(graph):
        return str(old["method"]), unfinished(str(old["method"]), len(old["xy"]))
    places = inherited(graph, old)
    known = np.isfinite(places[:, 0])
    if known.any():
        xy, method = (
            place(places, graph["neighbours"], graph["distances"]),
            "umap" if known.mean() >= KNOWN else "placed",
        )
    else:
        xy, method = components(neighbor_graph.vectors(bench, graph).astype("f4")), "pca"
    keep(bench, graph, xy, method)
    return method, unfinished(method, len(xy))


def unfinished(method, n):
    return method != "umap" and n >= FEWEST


def keep(bench, graph, xy, method):
    save(
        bench.arrays / "map.npz",
        key=np.array(key_of(graph)),
        hashes=graph["hashes"],
        xy=xy.astype("f4"),
        method=np.array(method),
    )


def inherited(graph, old):
    """The places (n, 2) that images of the graph have by UMAP on an older map; NaN for the others."""
    out = np.full((len(graph["hashes"]), 2), np.nan, "f4")
    if old is not None and str(old["method"]) == "umap":
        at = find(old["hashes"], graph["hashes"])
        out[at >= 0] = old["xy"][at[at >= 0]]
    return out


def components(V):
    """The first two principal components of V (n, d), each scaled to spread 1."""
    centred = V - V.mean(0)
    _, vectors = np.linalg.eigh((centred.T @ centred).astype("f8"))
    xy = centred @ vectors[:, :-3:-1].astype("f4")
    xy = np.pad(xy, ((0, 0), (0, 2 - xy.shape[1])))
    return xy / np.maximum(xy.std(0), 1e-12)


def place(xy, neighbours, distances):
    """xy (n, 2) with a place for every NaN row: the mean of its neighbours that have one, near ones weighing more; those without any such neighbour
    after ten rounds go to the middle. Rows that have a place keep it."""
    xy = xy.copy()
    for _ in range(10):
        lost = np.flatnonzero(np.isnan(xy[:, 0]))
        if not len(lost):
            return xy
        near = neighbours[lost]
        weight = np.where((near >= 0) & np.isfinite(xy[near, 0]), 1 / (distances[lost] + 1e-3), 0)
        found = weight.sum(1) > 0
        weight = weight[found] / weight[found].sum(1, keepdims=True)
        xy[lost[found]] = (weight[:, :, None] * np.nan_to_num(xy[near[found]])).sum(1)
    xy[np.isnan(xy[:, 0])] = np.nanmean(xy, axis=0)
    return xy


def umap(neighbours, distances, start):
    """Places (n, 2) by UMAP [McInnes, Healy and Melville 2018, arXiv:1802.03426] from neighbour lists (n, k); `start` (n, 2): where everyone is now,
    so that a map drawn anew looks like the one before."""
    import warnings

    n = len(neighbours)
    lists = (
        np.c_[np.arange(n), neighbours].astype("i4"),
        np.c_[np.zeros(n), distances].astype("f4"),
    )  # each is its own first neighbour
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # on seeds and threads, and that it cannot place new images: `place` does
        from umap import UMAP

        drawn = UMAP(
            n_neighbors=lists[0].shape[1],
            precomputed_knn=(*lists, None),
            init=10 * (start - start.min(0)) / np.maximum(np.ptp(start, axis=0), 1e-9),
            random_state=0,
        ).fit_transform(
            np.arange(2.0 * n, dtype="f4").reshape(n, 2)
        )  # it asks for vectors, and looks at the lists alone
    return drawn.astype("f4")

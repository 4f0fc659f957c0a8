"""Cluster images by embedding, at a fine and a coarse level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import knn, reduction, scan_settings
from assay.curation.features.neighbor_graph import Graph, load_vectors
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load_arrays, locate_hashes, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import pandas as pd

LEVELS = ("fine", "coarse")
# fine clusters: sqrt(n) / 2 of them, so that each holds the more samples the more there are
FEWEST, MOST = 5, 72
ENOUGH = 1_000_000  # images that centres are made of; of more every second, third, ... one
BLOCK = 65_536  # images that are put into clusters at a time
JOINED = 4  # fine clusters that a coarse one joins on average
# new centres, once as many new images came as this share of those that made the centres
MAKE_ANEW = 0.2


@dataclass(frozen=True)
class Clusters:
    """The clusters of all images: arrays/clusters.npz."""

    key: str  # a hash of the images, and of which of them made the centres
    folder: str  # of the embedding
    hashes: np.ndarray  # (n,) S32, sorted
    fine: np.ndarray  # (n,) cluster of each image, 0 the largest
    coarse: np.ndarray  # (k,) coarse cluster of each fine one
    cosine: np.ndarray  # (n,) of each image with its centre
    open: np.ndarray  # (n,) bool: made the centres
    made: int  # how many made the centres
    added: int  # how many came since

    @classmethod
    def load(cls, path: Path, folder: str) -> Clusters | None:
        """Read the clusters; None where there are none.

        Those of another embedding or an older Assay are none.
        """
        kept = load_arrays(path)
        if kept is None or "fine" not in kept or str(kept["folder"]) != folder:
            return None
        numbers = dict(made=int(kept["made"]), added=int(kept["added"]))
        names = cls.__dataclass_fields__
        found = {name: array for name, array in kept.items() if name in names}
        return cls(**found | numbers | dict(key=str(kept["key"]), folder=folder))

    def save(self, path: Path) -> None:
        save_arrays(path, **{name: np.asarray(value) for name, value in asdict(self).items()})


def assign_clusters(bench: Bench, state: pd.DataFrame, level: str = "fine") -> np.ndarray:
    """Find the cluster (n,) of every row of `state`, 0 the largest.

    Centres are made of all images but test and guard, without labels; those go to the nearest.
    New images do so too, until a fifth as many came. UserError without a scan of every image.
    """
    kept = current_clusters(bench, state)
    fine = kept.fine[locate_hashes(kept.hashes, state.content_hash)]
    return fine if check_level(level) == "fine" else kept.coarse[fine]


def find_clusters(bench: Bench, hashes: Iterable[str], level: str) -> np.ndarray:
    """Find the cluster (n,) of samples by their content, as the clusters are; -1 for none."""
    kept = Clusters.load(
        bench.arrays / "clusters.npz", scan_settings.read_settings(bench)["folder"]
    )
    if kept is None:
        return np.full(len(list(hashes)), -1)
    at = locate_hashes(kept.hashes, np.asarray(hashes, "S32"))
    fine = kept.fine[at]
    return np.where(at < 0, -1, fine if check_level(level) == "fine" else kept.coarse[fine])


def check_level(level: str) -> str:
    """Return the level; UserError where there is none."""
    if level not in LEVELS:
        raise UserError(
            f"expected a level of clusters, found {level!r}", f"there are {' and '.join(LEVELS)}"
        )
    return level


def current_clusters(bench: Bench, state: pd.DataFrame) -> Clusters:
    """Load the clusters of all images of `state`.

    They are extended, or made anew, where images came.
    """
    folder, path = scan_settings.read_settings(bench)["folder"], bench.arrays / "clusters.npz"
    kept, asked = Clusters.load(path, folder), np.asarray(state.content_hash, "S32")
    if kept is not None and (locate_hashes(kept.hashes, asked) >= 0).all():
        return kept
    hashes, node = np.unique(asked, return_inverse=True)
    new = hashes if kept is None else np.setdiff1d(hashes, kept.hashes)
    shards = Shards(bench.arrays / "embeddings" / folder)
    if kept is None or len(new) + kept.added >= MAKE_ANEW * kept.made:
        there = np.zeros(len(hashes), bool)
        there[node[~state.split.isin(LOCKED).to_numpy()]] = True
        kept = build_clusters(folder, hashes, read_vectors(bench, shards, hashes), there)
    else:
        known = kept.hashes[shards.find(kept.hashes) >= 0]  # what was removed since may be gone
        every = np.union1d(known, new)
        kept = extend_clusters(kept, every, read_vectors(bench, shards, every))
    kept.save(path)
    return kept


def read_vectors(bench: Bench, shards: Shards, hashes: np.ndarray) -> np.ndarray:
    """Read unit vectors (n, <=128) of sorted hashes: of many those that the graph was made of, mapped."""
    graph = Graph.load(bench.arrays / "graph.npz") if len(hashes) > knn.CELLS else None
    if graph is not None and np.array_equal(graph.hashes, hashes):
        return load_vectors(bench, graph)
    return reduction.reduce_vectors(shards.rows(hashes))


def load_clusters_key(bench: Bench) -> str | None:
    """Read the key of the current clusters; None where there are none."""
    kept = load_arrays(bench.arrays / "clusters.npz", ["key"])
    return kept and str(kept["key"])


def hash_clusters(folder: str, hashes: np.ndarray, made: np.ndarray) -> str:
    """Hash what clusters are made of.

    The embedding, the images (n,) and which of them made the centres (n,) bool.
    """
    return sha256(folder.encode() + hashes.tobytes() + made.tobytes()).hexdigest()


def build_clusters(
    folder: str, hashes: np.ndarray, vectors: np.ndarray, there: np.ndarray
) -> Clusters:
    """Cluster unit vectors (n, d) of images `hashes` (n,).

    Fine clusters by spherical k-means, coarse ones by Ward's method. there (n,) bool: the rows that
    the centres are made of.
    """
    fine, centres, cosine = kmeans(vectors, there)
    coarse = merge_clusters(centres, np.bincount(fine[there], minlength=len(centres)))
    return Clusters(
        key=hash_clusters(folder, hashes, there),
        folder=folder,
        hashes=hashes,
        fine=fine.astype("i4"),
        coarse=coarse.astype("i4"),
        cosine=cosine,
        open=there,
        made=int(there.sum()),
        added=0,
    )


def kmeans(vectors: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cluster unit vectors (n, d) by spherical k-means.

    Returns the cluster (n,) of each, the centres (k, d), and each one's cosine (n,) with its centre. there (n,) bool:
    the rows that the centres are made of. Cluster 0 has most of them.
    """
    import faiss

    n, d = int(there.sum()), vectors.shape[1]
    if not n:
        return np.zeros(len(vectors), int), np.zeros((1, d), "f4"), np.zeros(len(vectors), "f4")
    k = min(n, max(FEWEST, min(MOST, round(n**0.5 / 2))))
    # faiss takes at most 256 images a centre
    means = faiss.Kmeans(d, k, niter=20, seed=0, spherical=True, min_points_per_centroid=1)
    rows = np.flatnonzero(there)
    means.train(np.asarray(vectors[rows[:: max(1, n // ENOUGH)]], "f4"))
    cosine, nearest = np.empty(len(vectors), "f4"), np.empty(len(vectors), int)
    for start in range(0, len(vectors), BLOCK):
        some = slice(start, start + BLOCK)
        cosine[some], nearest[some] = (
            found[:, 0] for found in means.index.search(np.asarray(vectors[some], "f4"), 1)
        )
    order = np.argsort(-np.bincount(nearest[there], minlength=k), kind="stable")
    return np.argsort(order)[nearest], means.centroids[order], cosine


def merge_clusters(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Merge fine clusters into coarse ones, by Ward's method.

    Returns the coarse cluster (k,) of each fine one, 0 the largest. centres (k, d); sizes (k,): how
    many images each holds.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    k = min(len(centres), max(FEWEST, round(len(centres) / JOINED)))
    if k == len(centres):
        return np.arange(k)
    coarse = fcluster(linkage(centres, "ward"), k, "maxclust") - 1
    order = np.argsort(-np.bincount(coarse, sizes), kind="stable")
    return np.argsort(order)[coarse]


def extend_clusters(kept: Clusters, hashes: np.ndarray, vectors: np.ndarray) -> Clusters:
    """Put new images into the cluster of nearest mean.

    vectors (n, d): of `hashes` (n,), old and new. Another set of images has other principal
    components, so the centres are found again, as the means of the images that made them.
    """
    at = locate_hashes(kept.hashes, hashes)
    known = at >= 0
    fine, own = kept.fine[at], known & kept.open[at]
    centres = np.zeros((len(kept.coarse), vectors.shape[1]), "f4")
    for rows in np.array_split(np.flatnonzero(own), -(-len(hashes) // BLOCK)):
        np.add.at(centres, fine[rows], vectors[rows])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    similarity = vectors[~known] @ centres.T
    fine[~known] = similarity.argmax(1)
    cosine = kept.cosine[at]
    cosine[~known] = similarity.max(1)
    return replace(
        kept,
        key=hash_clusters(kept.folder, hashes, own),
        hashes=hashes,
        fine=fine,
        cosine=cosine,
        open=own,
        added=kept.added + int((~known).sum()),
    )


def order_by_typicality(bench: Bench, state: pd.DataFrame, mine: np.ndarray) -> np.ndarray:
    """Order samples, the most typical of their cluster first.

    Only kept ones outside test and guard. mine (n,) bool: which rows of `state` to order. Returns
    row numbers. Where there are no kept ones outside test and guard, all of `mine`.
    """
    kept = current_clusters(bench, state)
    cosine = kept.cosine[locate_hashes(kept.hashes, state.content_hash)]
    rows = np.flatnonzero(mine & state.keep.to_numpy() & ~state.split.isin(LOCKED).to_numpy())
    rows = rows if len(rows) else np.flatnonzero(mine)
    return rows[np.lexsort((state.index[rows], -cosine[rows]))]

"""The one neighbour graph: who looks like whom, from which duplicates, leakage, outliers and evidence are all read."""

import numpy as np

K = 10  # neighbours of a sample
DIMENSIONS = 128  # principal components that the graph is built on
EXACT = 20_000  # up to here every pair is compared
NEAR = 0.25  # near duplicates: closer than this share of the median nearest distance


def graph(X, k=K):
    """(neighbours (n, k) int, distances (n, k) of unit vectors, ascending; -1 and inf where there are fewer) of X (n, d), which may
    stay on disk. Exact up to 20,000 rows, then an inverted file that finds about 98 % of them."""
    import faiss

    V = reduced(X)
    n, d = V.shape
    k = min(k, n - 1)
    if k < 1:
        return np.empty((n, 0), int), np.empty((n, 0), "f4")
    if n <= EXACT:
        index = faiss.IndexFlatIP(d)
    else:
        cells = int(2 * n**0.5)
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.max_points_per_centroid = 8, 64
        index.train(V)
        index.nprobe = max(8, cells // 16)
    index.add(V)
    cosine, found = index.search(V, k + 1)
    others = found != np.arange(n)[:, None]
    others[others.all(1), -1] = False  # more than k exact twins: the row itself was crowded out
    distance = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    return found[others].reshape(n, k), np.where(found >= 0, distance, np.inf)[others].reshape(n, k)


def reduced(X, sample=10_000):
    """X standardised, on its first 128 principal components, as unit vectors (n, <=128) float32."""
    n, d = X.shape
    part = np.asarray(X[np.sort(np.random.default_rng(0).permutation(n)[:sample])], "f4")
    mean, scale = part.mean(0), part.std(0)
    scale[scale < 1e-6 * max(scale.max(), 1e-30)] = 1
    part = (part - mean) / scale
    Q = np.eye(d, dtype="f4")
    if d > DIMENSIONS:
        Q = np.linalg.eigh((part.T @ part).astype("f8"))[1][:, -DIMENSIONS:].astype("f4")
    Q = np.ascontiguousarray(Q / scale[:, None])
    V = np.empty((n, Q.shape[1]), "f4")
    for i in range(0, n, 8192):
        V[i : i + 8192] = (X[np.arange(i, min(i + 8192, n))] - mean) @ Q
    return V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-12)


def near_pairs(neighbours, distances):
    """Pairs (i, j), i < j, of near duplicates as an array (m, 2)."""
    if not distances.size:
        return np.empty((0, 2), int)
    nearest = distances[:, 0]
    limit = NEAR * np.median(nearest[nearest > 0]) if (nearest > 0).any() else 0
    i, at = np.nonzero(distances <= limit)
    pairs = np.sort(np.stack([i, neighbours[i, at]], 1), axis=1)
    return np.unique(pairs[pairs[:, 0] >= 0], axis=0)


def star_groups(n, pairs):
    """Group numbers (n,): a sample joins the first near duplicate that is nobody's follower. Stars do not chain, and hold what one
    sample's neighbour list holds, or a slow drift of images would become one group."""
    group = np.arange(n)
    leads, follows = np.zeros(n, bool), np.zeros(n, bool)
    for i, j in pairs:
        if not follows[i] and not follows[j] and not leads[j]:
            group[j], leads[i], follows[j] = i, True, True
    return group


def isolation(distances):
    """(mean distance to the neighbours (n,), its robust z-score (n,)): far above the others is an outlier."""
    if not distances.size:
        return np.zeros(len(distances)), np.zeros(len(distances))
    mean = distances.mean(1)
    finite = mean[np.isfinite(mean)]
    middle = np.median(finite)
    spread = 1.4826 * np.median(abs(finite - middle))
    return mean, (mean - middle) / max(spread, 1e-9)

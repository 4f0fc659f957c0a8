"""The one neighbour graph: who looks like whom, from which duplicates, leakage, outliers, drift and evidence are all read."""

from hashlib import sha256

import numpy as np

K = 10  # neighbours of a sample
DIMENSIONS = 128  # principal components in which candidates are sought
CANDIDATES = 50  # of which the K nearest by all numbers are kept: the components alone find 73 % of those on CIFAR-10
EXACT = 8_000  # up to here every pair is compared by all numbers
LINKS, WIDTH, BREADTH = (
    16,
    80,
    112,
)  # of the HNSW graph: recall@10 of 0.985 and more on CIFAR-10, see tests/benchmarks/graph.py
BLOCK = 8192
NEAR = 1.0  # pairs closer than this share of the median nearest distance may be near duplicates: twins.py looks at their pixels


def build(X):
    """The graph of X (n, d), which may stay on disk: dict neighbours (n, k) int, distances (n, k) of unit vectors, ascending (-1 and inf where
    there are fewer), and what `extended` needs: mean, scale (d,), axes (d, p), vectors (n, p), reach (n,), built (n)."""
    n, (mean, scale, axes) = len(X), basis(X)
    out = dict(
        mean=mean,
        scale=scale,
        axes=axes,
        vectors=projected(X, mean, axes),
        reach=np.full(n, -1.0, "f4"),
        built=np.array(n),
    )
    k = min(K, n - 1)
    if k < 1:
        return out | dict(neighbours=np.empty((n, 0), int), distances=np.empty((n, 0), "f4"))
    index = flat(X, mean, scale)
    if n <= EXACT:
        near, far = searched(index, k)
    else:
        candidates, out["reach"] = found(out["vectors"], CANDIDATES)
        near, far = ranked(index, candidates)
    return out | dict(neighbours=near, distances=far, vectors=out["vectors"].astype("f2"))


def key_of(of, hashes):
    """The key of a graph: what it is made `of`, and the images `hashes` (n,) that it is about."""
    return sha256(of.encode() + hashes.tobytes()).hexdigest()


def basis(X, sample=10_000):
    """(mean (d,), scale (d,), axes (d, p)) that standardise X (n, d) and turn it to its first 128 principal components."""
    n, d = X.shape
    total, squares = np.zeros(d), np.zeros(d)
    part = np.asarray(X[np.sort(np.random.default_rng(0).permutation(n)[:sample])], "f4")
    near = part.mean(0)  # sums of squares about a mean that is nearly right keep their digits
    for i in range(0, n, BLOCK):
        block = np.asarray(X[np.arange(i, min(i + BLOCK, n))], "f4") - near
        total, squares = (
            total + block.sum(0, dtype="f8"),
            squares + np.einsum("ij,ij->j", block, block, dtype="f8"),
        )
    mean, scale = (
        (near + total / n).astype("f4"),
        np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0)).astype("f4"),
    )
    scale[scale < 1e-6 * max(scale.max(), 1e-30)] = 1
    axes = np.eye(d, dtype="f4")
    if d > DIMENSIONS:
        part = (part - mean) / scale
        axes = np.linalg.eigh((part.T @ part).astype("f8"))[1][:, -DIMENSIONS:].astype("f4")
    return mean, scale, np.ascontiguousarray(axes / scale[:, None])


def projected(X, mean, axes):
    """X on the axes, as unit vectors (n, p) float32."""
    V = np.empty((len(X), axes.shape[1]), "f4")
    for i in range(0, len(X), BLOCK):
        V[i : i + BLOCK] = (X[np.arange(i, min(i + BLOCK, len(X)))] - mean) @ axes
    return unit(V)


def reduced(X):
    """X standardised, on its first 128 principal components, as unit vectors (n, <=128) float32."""
    mean, _, axes = basis(X)
    return projected(X, mean, axes)


def unit(V):
    return V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-12)


def flat(X, mean, scale):
    """A faiss index of all numbers of X, standardised, as unit vectors: it compares exactly."""
    import faiss

    index = faiss.IndexFlatIP(X.shape[1])
    for i in range(0, len(X), BLOCK):
        index.add(unit((np.asarray(X[np.arange(i, min(i + BLOCK, len(X)))], "f4") - mean) / scale))
    return index


def rows_of(index):
    """The vectors of a flat index (n, d), not copied."""
    import faiss

    return faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)


def searched(index, k):
    """(neighbours (n, k), distances (n, k)) by comparing every pair."""
    cosine, near = index.search(rows_of(index), k + 1)
    others = but_itself(near)
    return near[others].reshape(-1, k), apart(cosine[others].reshape(-1, k))


def found(V, count):
    """(candidates (n, count) most similar in the reduced space, similarity of the last one (n,)). Built by one thread, or two scans of the same
    images would differ."""
    import faiss

    rows = together(V)
    V = V[rows]
    index = faiss.IndexHNSWSQ(
        V.shape[1], faiss.ScalarQuantizer.QT_fp16, LINKS
    )  # by squared distance: by inner product it loses 1 %
    index.hnsw.efConstruction, index.hnsw.efSearch = WIDTH, BREADTH
    index.train(V[:1])
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index.add(V)
    finally:
        faiss.omp_set_num_threads(threads)
    squared, near = index.search(V, count + 1)
    near = near[but_itself(near)].reshape(-1, count)
    candidates, last = np.empty((len(V), count), int), np.empty(len(V), "f4")
    candidates[rows], last[rows] = np.where(near < 0, -1, rows[near]), 1 - squared[:, -1] / 2
    return candidates, last


def together(V, each=500):
    """The rows of V so ordered that those near one of n / 500 of them stand side by side: what is asked one after the other then lies in the cache."""
    import faiss

    some = V[
        np.sort(np.random.default_rng(0).permutation(len(V))[: max(1, min(1000, len(V) // each))])
    ]
    return np.argsort(faiss.knn(V, some, 1)[1][:, 0], kind="stable")


def but_itself(near, rows=None):
    """Which of near (n, k + 1) to take so that k others remain, (n, k + 1) bool. rows (n,): whose they are, by default row by row."""
    others = near != (np.arange(len(near)) if rows is None else rows)[:, None]
    others[others.all(1), -1] = False  # more than k exact twins: the row itself was crowded out
    return others


def ranked(index, candidates):
    """The K nearest of candidates (n, c) by all numbers: (neighbours (n, K), distances (n, K))."""
    import faiss

    near, far = np.empty((len(candidates), K), int), np.empty((len(candidates), K), "f4")
    for i in range(0, len(candidates), BLOCK):
        ids, query = (
            np.ascontiguousarray(candidates[i : i + BLOCK], "i8"),
            np.ascontiguousarray(rows_of(index)[i : i + BLOCK]),
        )
        cosine, known = np.empty(ids.shape, "f4"), np.maximum(ids, 0)
        index.compute_distance_subset(
            len(ids),
            faiss.swig_ptr(query),
            ids.shape[1],
            faiss.swig_ptr(cosine),
            faiss.swig_ptr(known),
        )
        near[i : i + BLOCK], far[i : i + BLOCK] = nearest(
            ids, np.where(ids < 0, np.inf, apart(cosine))
        )
    return near, far


def apart(cosine):
    """Distance of unit vectors with this cosine."""
    return np.sqrt(np.maximum(2 - 2 * cosine, 0))


# ---- images come and go


def can_extend(kept, was):
    """Is it worth extending `kept` rather than building anew? was (n,): the row of `kept` that each image was, -1 for a new one."""
    n, changed = len(was), (was < 0).sum() + len(kept["reach"]) - (was >= 0).sum()
    return (
        len(kept["reach"]) > EXACT
        and n > EXACT
        and changed <= n / 10
        and abs(n - int(kept["built"])) <= int(kept["built"]) / 2
    )


def extended(kept, X, was):
    """What `build` would make of X (n, d), from the graph `kept` of most of its rows, with its basis: new rows are compared with all, in the
    reduced space, exactly; they enter the lists of old ones that they are nearer to, and lists that lost a row are filled again."""
    import faiss

    out, new = carried(kept, was), was < 0
    out["vectors"][new] = projected(X[np.flatnonzero(new)], kept["mean"], kept["axes"])
    V = out["vectors"].astype("f4")
    asked = np.flatnonzero(new | (out["neighbours"] < 0).any(1))
    reach, offers = np.empty(len(asked), "f4"), [np.empty((0, 2), int)]
    out["reach"][asked] = np.inf  # who is asked anew is offered nothing
    step = max(16, 2**26 // len(V))
    for i in range(0, len(asked), step):
        rows = asked[i : i + step]
        similarity = V[rows] @ V.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        one, other = np.nonzero(similarity[new[rows]] > out["reach"])
        offers.append(np.stack([other, rows[new[rows]][one]], 1))
        close, best = faiss.knn(V[rows], V, CANDIDATES + 1, metric=faiss.METRIC_INNER_PRODUCT)
        best, reach[i : i + step] = (
            best[but_itself(best, rows)].reshape(-1, CANDIDATES),
            close[:, -1],
        )
        out["neighbours"][rows], out["distances"][rows] = nearest(
            best, between(X, kept, rows, best)
        )
    out["reach"][asked] = reach
    offered(out, np.concatenate(offers), X)
    return out


def carried(kept, was):
    """The graph `kept` with its rows where they are now; a list that pointed to a row that left has -1 there, new rows have nothing but."""
    old = np.flatnonzero(was >= 0)
    now = np.full(
        len(kept["reach"]) + 1, -1
    )  # where each row is; the last one says that no row is nowhere
    now[was[old]] = old
    out = dict(kept)
    for name, empty in dict(vectors=0, reach=0, neighbours=-1, distances=np.inf).items():
        out[name] = np.full((len(was), *kept[name].shape[1:]), empty, kept[name].dtype)
        out[name][old] = kept[name][was[old]]
    out["neighbours"][old] = now[out["neighbours"][old]]
    return out


def between(X, kept, rows, others):
    """Distances (m, c) by all numbers from rows (m,) to others (m, c)."""
    out, scaled = (
        np.empty(others.shape, "f4"),
        lambda at: unit((np.asarray(X[at], "f4") - kept["mean"]) / kept["scale"]),
    )
    for i in range(0, len(rows), 256):
        theirs = scaled(others[i : i + 256].ravel()).reshape(*others[i : i + 256].shape, -1)
        out[i : i + 256] = apart(np.einsum("ijk,ik->ij", theirs, scaled(rows[i : i + 256])))
    return out


def nearest(candidates, distances, k=K):
    """The k nearest of candidates (m, c): (neighbours (m, k), distances (m, k)), ascending."""
    first = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(candidates, first, 1), np.take_along_axis(distances, first, 1)


def offered(graph, pairs, X):
    """Let each list of `graph` take in what it is offered where that is nearer than its last; pairs (m, 2): whose list, and what."""
    if not len(pairs):
        return
    distance = between(X, graph, pairs[:, 0], pairs[:, 1:])[:, 0]
    nearer = distance < graph["distances"][pairs[:, 0], -1]
    lists = np.unique(pairs[nearer, 0])
    whose = np.r_[np.repeat(lists, K), pairs[nearer, 0]]
    what = np.r_[graph["neighbours"][lists].ravel(), pairs[nearer, 1]]
    far = np.r_[graph["distances"][lists].ravel(), distance[nearer]]
    order = np.lexsort((far, whose))
    start = np.searchsorted(whose[order], lists)
    first = order[start[:, None] + np.arange(K)]  # every list has K and more to choose from
    graph["neighbours"][lists], graph["distances"][lists] = what[first], far[first]


# ---- what is read from it


def close_pairs(neighbours, distances):
    """(pairs (m, 2), i < j, that are close enough to be worth a look at their pixels, their distances (m,)), nearest first."""
    if not distances.size:
        return np.empty((0, 2), int), np.empty(0)
    nearest = distances[:, 0]
    limit = NEAR * np.median(nearest[nearest > 0]) if (nearest > 0).any() else 0
    i, at = np.nonzero((distances <= limit) & (neighbours >= 0))
    pairs, first = np.unique(
        np.sort(np.stack([i, neighbours[i, at]], 1), axis=1), axis=0, return_index=True
    )
    return pairs, distances[i, at][first].astype("f8")


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

"""Made vectors in shards: clusters of low rank, and near copies at known distances."""

import numpy as np

SHARD = 100_000
CLUSTERS, BASES, RANK = 5000, 400, 24
DISTANCES = 0, 0.02, 0.05, 0.1, 0.2  # of a copy from its original


def cluster_vectors(d=128, seed=0):
    """A function of a shard's number: (SHARD, d) float32 unit vectors. Clusters are of Zipf's sizes and of rank 4 to 24."""
    rng = np.random.default_rng(seed)
    top = rng.normal(size=(60, d))
    centre = top[rng.integers(0, 60, CLUSTERS)] + 0.8 * rng.normal(size=(CLUSTERS, d))
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    rank = rng.integers(4, RANK + 1, CLUSTERS)
    share = 1 / np.arange(1, CLUSTERS + 1) ** 0.7
    share /= share.sum()
    basis = rng.normal(size=(BASES, RANK, d)).astype("f4") / np.sqrt(d)
    which, spread = rng.integers(0, BASES, CLUSTERS), rng.uniform(0.3, 0.9, CLUSTERS)

    def shard(i):
        rng = np.random.default_rng([seed, i])
        mine = rng.choice(CLUSTERS, SHARD, p=share)
        low = rng.normal(size=(SHARD, RANK)).astype("f4") * (np.arange(RANK) < rank[mine][:, None])
        low *= (spread[mine] / np.sqrt(rank[mine]))[:, None].astype("f4")
        X = centre[mine].astype("f4")
        order = np.argsort(which[mine], kind="stable")
        cuts = np.searchsorted(which[mine][order], np.arange(BASES + 1))
        for b, rows in enumerate(np.split(order, cuts[1:-1])):
            X[rows] += low[rows] @ basis[b]
        X += 0.02 * rng.normal(size=X.shape).astype("f4")
        return X / np.linalg.norm(X, axis=1, keepdims=True)

    return shard


def write_shards(folder, n):
    """n vectors as float16 in FOLDER/0000.npy...; one in a hundred is a copy of one of the shard before.

    planted.npz: pairs (m, 2) of a copy and its original, distance (m,). Shards that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    vectors, before, pairs, distances = cluster_vectors(), None, [], []
    for i in range(n // SHARD):
        X = vectors(i)
        original = X.copy()
        if i:
            rng = np.random.default_rng([7, i])
            copies, sources = (rng.permutation(SHARD)[: SHARD // 100] for _ in range(2))
            copies, P = np.sort(copies), before[sources]
            far = np.array(DISTANCES)[np.arange(len(copies)) % len(DISTANCES)]
            aside = rng.normal(size=P.shape).astype("f4")
            aside -= (aside * P).sum(1, keepdims=True) * P
            aside /= np.linalg.norm(aside, axis=1, keepdims=True)
            angle = 2 * np.arcsin(far / 2)[:, None].astype("f4")
            X[copies] = np.cos(angle) * P + np.sin(angle) * aside
            pairs.append(np.stack([i * SHARD + copies, (i - 1) * SHARD + sources], 1))
            distances.append(far)
        before = original
        np.save(folder / f"{i:04}.npy", X.astype("f2"))
    np.savez(
        folder / "planted.npz", pairs=np.concatenate(pairs), distances=np.concatenate(distances)
    )

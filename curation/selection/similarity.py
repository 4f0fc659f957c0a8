"""Which samples deserve a person's time next: those that look like given ones, or those whose labels would teach the model most."""

from collections import defaultdict

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.slicing import slices
from assay.curation.splits import LOCKED

MINED = (
    "pool",
    "train",
    "val",
)  # splits that may be searched; test and guard are judged by experiments alone
SHRINK = 40  # seeds from which on the covariance of all images outweighs the identity
FEW = 5  # seeds below which their own spread says nothing
MANY = 100_000  # unit vectors that say what the mean and covariance of all are


LIKE = "rank sample source_id path label score distance nearest nearest_source_id".split()


def similar(bench, samples, split="pool", copies=False):
    """The kept samples of `split` (pool, train or val), most like `samples` (ids or keys, as slices.queried takes them) first: frame rank, sample,
    source_id, path, label, score (1: as they are on average, 0: as all images are), distance (of unit vectors, to the nearest of them),
    nearest (that one), nearest_source_id. Near duplicates of them and of each other are left out unless `copies`. UserError for a test or
    guard sample."""
    import pandas as pd

    if split not in MINED:
        raise UserError(
            f"expected to search {', '.join(MINED)}, found {split!r}",
            "test and guard samples are judged by experiments alone",
        )
    state = bench.state()
    seeds = seeds_of(bench, samples, state)
    rows = np.flatnonzero(
        (state.keep & (state["split"] == split) & ~state.index.isin(seeds)).to_numpy()
    )
    if not len(rows):
        return pd.DataFrame(columns=LIKE)
    graph, at = neighbor_graph.nodes(bench, state)
    V, mine = neighbor_graph.vectors(bench, graph), at[state.index.get_indexer(seeds)]
    score = likeness(V, V[mine].astype("f4"), V[at[rows]].astype("f4"))
    order = np.argsort(-score, kind="stable")
    if not copies:
        order = order[apart(graph, at[rows[order]], mine)]
    rows, score = rows[order], score[order]
    distance, which = nearest(V[at[rows]].astype("f4"), V[mine].astype("f4"))
    found = pd.DataFrame(dict(rank=np.arange(1, len(rows) + 1), sample=state.index[rows]))
    found["source_id"], found["path"], found["label"] = (
        state[c].to_numpy(object)[rows] for c in ("key", "uri", "label")
    )
    near = np.array(seeds, object)[which]
    found = found.assign(
        score=score,
        distance=distance,
        nearest=near,
        nearest_source_id=state.key.reindex(near).to_numpy(object),
    )
    return found[LIKE]


def seeds_of(bench, samples, state):
    """The ids of what a person calls `samples`; UserError for what is none, or is of the test or guard split."""
    seeds = list(dict.fromkeys(map(str, samples)))
    if not len(seeds) or (state.index.get_indexer(seeds) < 0).any():  # not all of them ids
        seeds = slices.queried(bench, {"like these": seeds})["like these"]
    locked = [s for s in seeds if s in state.index and state["split"][s] in LOCKED]
    if locked:
        raise UserError(
            f"expected samples of train, val or pool, found {len(locked):,} of test or guard, first {locked[0]} ({state.key[locked[0]]})",
            "what looks like the test set must not be looked for: it would no longer measure anything",
        )
    if gone := [s for s in seeds if s not in state.index]:
        raise UserError(
            f"expected samples of this version, found {gone[0]}, which it does not have",
            "choose others",
        )
    return seeds


# ---- formulas


def likeness(V, seeds, of=None):
    """How much each unit vector of V (n, d), or of `of` (m, d), is like `seeds` (s, d): (n,) or (m,), 1 as they are on average, 0 as V is. Fisher's
    linear discriminant of the seeds against all, the covariance shrunk towards a multiple of the identity, the more the fewer seeds say
    where to go: one seed ranks about as distance does."""
    mean, C = moments(V)
    w = direction(mean, C, seeds)
    return ((V if of is None else of) @ w.astype("f4") - mean @ w) / max(
        (seeds.mean(0, dtype="f8") - mean) @ w, 1e-12
    )


def moments(V):
    """Mean (d,) and covariance (d, d) of V (n, d), fp64; of many from 100,000 evenly drawn rows."""
    V = np.asarray(V[:: max(1, len(V) // MANY)], "f4")
    mean = V.mean(0, dtype="f8")
    return mean, (V.T @ V).astype("f8") / len(V) - np.outer(mean, mean)


def direction(mean, C, seeds):
    """The discriminant (d,) of `seeds` (s, d) against what has this mean and covariance."""
    shrunk = C + max(0.3, SHRINK / len(seeds)) * np.trace(C) / len(C) * np.eye(len(C))
    return np.linalg.solve(shrunk, seeds.mean(0, dtype="f8") - mean)


def bar(V, seeds, k):
    """The likeness from which on a sample counts as found: what half of the seeds reach when the others look for them; of fewer than five seeds,
    which cannot tell that, what k of V for each seed reach."""
    if len(seeds) < FEW:
        scores, most = likeness(V, seeds), min(k * len(seeds), len(V))
        return float(np.partition(scores, -most)[-most])
    (mean, C), reached = moments(V), []
    for i, seed in enumerate(seeds):
        others = np.delete(seeds, i, 0)
        w = direction(mean, C, others)
        reached.append((seed - mean) @ w / max((others.mean(0, dtype="f8") - mean) @ w, 1e-12))
    return float(np.median(reached))


def nearest(V, seeds):
    """(distance (n,) of each unit vector of V to the nearest of `seeds`, which (n,) that is)."""
    distance, which = np.empty(len(V), "f4"), np.empty(len(V), int)
    for i in range(0, len(V), 8192):
        cosine = V[i : i + 8192] @ seeds.T
        which[i : i + 8192] = cosine.argmax(1)
        distance[i : i + 8192] = np.sqrt(np.maximum(2 - 2 * cosine.max(1), 0))
    return distance, which


def apart(graph, ranked, taken=(), most=None):
    """Positions in the ranked nodes (m,) of the first `most` that are no near duplicate of one before them, nor of a node in `taken`."""
    near, group = defaultdict(list), graph["groups"].tolist()
    for i, j in graph["pairs"].tolist():
        near[i].append(j)
        near[j].append(i)
    blocked, groups, out = set(), set(), []

    def block(node):
        blocked.update((node, *near.get(node, ())))
        groups.add(group[node])

    for node in np.asarray(taken, int).tolist():
        block(node)
    for position, node in enumerate(ranked.tolist()):
        if node not in blocked and group[node] not in groups:
            block(node)
            out.append(position)
            if len(out) == most:
                break
    return np.array(out, int)

"""Find samples that look like given ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.features.reduction import chord_distance
from assay.curation.slicing import slices
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

# splits that may be searched; test and guard are judged by experiments alone
SEARCHED = ("pool", "train", "val")
SHRINK = 40  # seeds from which on the covariance of all images outweighs the identity
FEW = 5  # seeds below which their own spread says nothing
MANY = 100_000  # unit vectors that say what the mean and covariance of all are
COLUMNS = "rank sample source_id path label score distance nearest nearest_source_id".split()


def find_similar(
    bench: Bench, samples: list[str], split: str = "pool", copies: bool = False
) -> pd.DataFrame:
    """Find the kept samples of a split that look most like `samples`.

    samples: ids or keys, as slices.resolve_slices takes them; split: pool, train or val. A frame,
    the likest first: rank, sample, source_id, path, label, score (1: as they are on average, 0:
    as all images are), distance (of unit vectors, to the nearest of them), nearest (that one),
    nearest_source_id. Near duplicates of them and of each other are left out unless `copies`.
    UserError for a test or guard sample.
    """
    import pandas as pd

    if split not in SEARCHED:
        raise UserError(
            f"expected to search {', '.join(SEARCHED)}, found {split!r}",
            "test and guard samples are judged by experiments alone",
        )
    state = bench.state()
    seeds = resolve_seeds(bench, samples, state)
    rows = np.flatnonzero(
        (state.keep & (state["split"] == split) & ~state.index.isin(seeds)).to_numpy()
    )
    if not len(rows):
        return pd.DataFrame(columns=COLUMNS)
    graph, at = neighbor_graph.load_nodes(bench, state)
    vectors = neighbor_graph.load_vectors(bench, graph)
    mine = at[state.index.get_indexer(seeds)]
    score = score_similarity(vectors, vectors[mine].astype("f4"), vectors[at[rows]].astype("f4"))
    order = np.argsort(-score, kind="stable")
    if not copies:
        order = order[without_near_copies(graph, at[rows[order]], mine)]
    rows, score = rows[order], score[order]
    distance, which = find_nearest(vectors[at[rows]].astype("f4"), vectors[mine].astype("f4"))
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
    return found[COLUMNS]


def resolve_seeds(bench: Bench, samples: list[str], state: pd.DataFrame) -> list[str]:
    """Find the ids of what a person calls `samples`.

    UserError for what is none, or is of the test or guard split.
    """
    seeds = list(dict.fromkeys(map(str, samples)))
    if not len(seeds) or (state.index.get_indexer(seeds) < 0).any():  # not all of them ids
        seeds = slices.resolve_slices(bench, {"like these": seeds})["like these"]
    rows = state.index.get_indexer(seeds)
    named = state.iloc[rows[rows >= 0]]
    locked = list(named.index[named["split"].isin(LOCKED)])
    if locked:
        raise UserError(
            f"expected samples of train, val or pool, found {len(locked):,} of test or guard, "
            f"first {locked[0]} ({named.key[locked[0]]})",
            "what looks like the test set must not be looked for: it would no longer measure anything",
        )
    if gone := [s for s, row in zip(seeds, rows) if row < 0]:
        raise UserError(
            f"expected samples of this version, found {gone[0]}, which it does not have",
            "choose others",
        )
    return seeds


# ---- formulas


def score_similarity(
    vectors: np.ndarray, seeds: np.ndarray, of: np.ndarray | None = None
) -> np.ndarray:
    """Score each vector's likeness to the seeds (s, d).

    Unit vectors (n, d), or `of` (m, d) of them: returns (n,) or (m,), 1 as the seeds are on
    average, 0 as `vectors` are. Fisher's linear discriminant of the seeds against all, the
    covariance shrunk towards a multiple of the identity, the more the fewer seeds say where to
    go: one seed ranks about as distance does.
    """
    mean, covariance = mean_and_covariance(vectors)
    w = fit_discriminant(mean, covariance, seeds)
    scored = vectors if of is None else of
    one = max((seeds.mean(0, dtype="f8") - mean) @ w, 1e-12)
    return (scored @ w.astype("f4") - mean @ w) / one


def mean_and_covariance(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of vectors (n, d), fp64.

    Of many vectors, from 100,000 evenly drawn rows.
    """
    V = np.asarray(vectors[:: max(1, len(vectors) // MANY)], "f4")
    mean = V.mean(0, dtype="f8")
    return mean, (V.T @ V).astype("f8") / len(V) - np.outer(mean, mean)


def fit_discriminant(mean: np.ndarray, covariance: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Fit the discriminant (d,) of `seeds` (s, d) against all.

    mean (d,), covariance (d, d): of all.
    """
    d = len(covariance)
    weight = max(0.3, SHRINK / len(seeds)) * np.trace(covariance) / d
    shrunk = covariance + weight * np.eye(d)
    return np.linalg.solve(shrunk, seeds.mean(0, dtype="f8") - mean)


def similarity_threshold(vectors: np.ndarray, seeds: np.ndarray, k: int) -> float:
    """Similarity threshold: median leave-one-out similarity of the seeds.

    Half of the seeds reach it when the others look for them. Fewer than five seeds cannot tell
    that: then what k of `vectors` (n, d) for each seed reach.
    """
    if len(seeds) < FEW:
        scores, most = score_similarity(vectors, seeds), min(k * len(seeds), len(vectors))
        return float(np.partition(scores, -most)[-most])
    (mean, covariance), reached = mean_and_covariance(vectors), []
    for i, seed in enumerate(seeds):
        others = np.delete(seeds, i, 0)
        w = fit_discriminant(mean, covariance, others)
        reached.append((seed - mean) @ w / max((others.mean(0, dtype="f8") - mean) @ w, 1e-12))
    return float(np.median(reached))


def find_nearest(vectors: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest seed of each unit vector (n, d).

    Returns the distance (n,), and which seed it is (n,).
    """
    n = len(vectors)
    distance, which = np.empty(n, "f4"), np.empty(n, int)
    for i in range(0, n, 8192):
        cosine = vectors[i : i + 8192] @ seeds.T
        which[i : i + 8192] = cosine.argmax(1)
        distance[i : i + 8192] = chord_distance(cosine.max(1))
    return distance, which


def without_near_copies(
    graph: neighbor_graph.Graph,
    ranked: np.ndarray,
    taken: Sequence[int] = (),
    most: int | None = None,
) -> np.ndarray:
    """Leave out near duplicates from ranked nodes (m,).

    Returns positions in `ranked` of the first `most` that are no near duplicate of one before
    them, nor of a node in `taken`.
    """
    near, group = defaultdict(list), graph.groups.tolist()
    for i, j in graph.pairs.tolist():
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

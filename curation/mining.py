"""Which samples deserve a person's time next: those that look like given ones, or those whose labels would teach the model most."""

import json
from collections import defaultdict

import numpy as np

from curation import slices, suspects
from curation.arrays import load
from curation.errors import UserError

MINED = ("pool", "train", "val")  # splits that may be searched; test and guard are judged by experiments alone
SHRINK = 40  # seeds from which on the covariance of all images outweighs the identity
FEW = 5  # seeds below which their own spread says nothing
RIDGE = 0.1  # of the covariance whose fall is foreseen, times trace / d
MANY = 100_000  # unit vectors that say what the mean and covariance of all are
CANDIDATES = 20_000  # of a larger pool only the most uncertain are compared: each choice costs a pass over them


LIKE = "rank sample source_id path label score distance nearest nearest_source_id".split()


def similar(bench, samples, split="pool", copies=False):
    """The kept samples of `split` (pool, train or val), most like `samples` (ids or keys, as slices.queried takes them) first: frame rank, sample,
    source_id, path, label, score (1: as they are on average, 0: as all images are), distance (of unit vectors, to the nearest of them),
    nearest (that one), nearest_source_id. Near duplicates of them and of each other are left out unless `copies`. UserError for a test or
    guard sample."""
    import pandas as pd

    if split not in MINED:
        raise UserError(f"expected to search {', '.join(MINED)}, found {split!r}", "test and guard samples are judged by experiments alone")
    state = bench.state()
    seeds = seeds_of(bench, samples, state)
    rows = np.flatnonzero((state.keep & (state["split"] == split) & ~state.index.isin(seeds)).to_numpy())
    if not len(rows):
        return pd.DataFrame(columns=LIKE)
    graph, at = suspects.nodes(bench, state)
    V, mine = suspects.vectors(bench, graph), at[state.index.get_indexer(seeds)]
    score = likeness(V, V[mine].astype("f4"), V[at[rows]].astype("f4"))
    order = np.argsort(-score, kind="stable")
    if not copies:
        order = order[apart(graph, at[rows[order]], mine)]
    rows, score = rows[order], score[order]
    distance, which = nearest(V[at[rows]].astype("f4"), V[mine].astype("f4"))
    found = pd.DataFrame(dict(rank=np.arange(1, len(rows) + 1), sample=state.index[rows]))
    found["source_id"], found["path"], found["label"] = (state[c].to_numpy(object)[rows] for c in ("key", "uri", "label"))
    near = np.array(seeds, object)[which]
    found = found.assign(score=score, distance=distance, nearest=near, nearest_source_id=state.key.reindex(near).to_numpy(object))
    return found[LIKE]


def seeds_of(bench, samples, state):
    """The ids of what a person calls `samples`; UserError for what is none, or is of the test or guard split."""
    seeds = list(dict.fromkeys(map(str, samples)))
    if not len(seeds) or (state.index.get_indexer(seeds) < 0).any():  # not all of them ids
        seeds = slices.queried(bench, {"like these": seeds})["like these"]
    locked = [s for s in seeds if s in state.index and state["split"][s] in ("test", "guard")]
    if locked:
        raise UserError(
            f"expected samples of train, val or pool, found {len(locked):,} of test or guard, first {locked[0]} ({state.key[locked[0]]})",
            "what looks like the test set must not be looked for: it would no longer measure anything",
        )
    if gone := [s for s in seeds if s not in state.index]:
        raise UserError(f"expected samples of this version, found {gone[0]}, which it does not have", "choose others")
    return seeds


def suggest(bench, n=100):
    """The n samples of the pool whose labels would teach the model most (see choose), each with its prediction as a suggestion: frame rank, sample,
    source_id, path, suggested_label, score (probability of that), reason. No copy of another sample, whatever its split, and no two that
    nearly equal each other. Brings the standing opinion up to date."""
    import pandas as pd

    if n < 1:
        raise UserError(f"expected at least one sample to suggest, found -n {n}", "for example: -n 100")
    suspects.brought(bench)
    kept = load(bench.arrays / "opinion.npz")
    state, classes = bench.state(), np.array(json.loads(str(kept["classes"])), object)
    row, probs = state.index.get_indexer(kept["ids"].astype(str)), kept["pred_probs"].astype("f8")
    part = state.iloc[row]
    split, keep, none = part["split"].to_numpy(), part.keep.to_numpy(), part.label.isna().to_numpy()
    pool = np.flatnonzero(keep & (split == "pool") & none)
    if not len(pool):
        raise UserError(
            "expected unlabelled samples in the pool, found none",
            f"assay import SOURCE -b {bench.given} brings more (--split-map NAME=pool); what is labelled there: assay edit, column split",
        )
    graph, at = suspects.nodes(bench, state)
    V, unsure = suspects.vectors(bench, graph), 1 - (probs**2).sum(1)
    pool = pool[np.argsort(-unsure[pool], kind="stable")]
    others = at[
        (state.keep & ~state.index.isin(part.index[pool])).to_numpy()
    ]  # a copy in train tells nothing, one in val or test would leak
    pool = pool[apart(graph, at[row[pool]], others, max(CANDIDATES, 10 * n))]
    train, val = (np.flatnonzero(keep & (split == s)) for s in ("train", "val"))
    train = train[~none[train]]
    known, asked = ((V[at[row[r]]], unsure[r]) for r in (train, val if len(val) else pool))
    chosen, fall = choose((V[at[row[pool]]], unsure[pool]), known, asked, min(n, len(pool)))
    rows = pool[chosen]
    best = np.argsort(-probs[rows], axis=1, kind="stable")[:, :2]
    (p, q), (one, two) = np.take_along_axis(probs[rows], best, 1).T, classes[best].T
    found = pd.DataFrame(dict(rank=np.arange(1, len(rows) + 1), sample=part.index[rows]))
    found["source_id"], found["path"] = part.key.to_numpy()[rows], part.uri.to_numpy()[rows]
    target = "val" if len(val) else "the pool"
    why = [f"{a:.0%} {x}, {b:.0%} {y}; takes {f:.2%} off the variance on {target}" for a, x, b, y, f in zip(p, one, q, two, fall)]
    return found.assign(suggested_label=one, score=p, reason=why)


# ---- formulas


def likeness(V, seeds, of=None):
    """How much each unit vector of V (n, d), or of `of` (m, d), is like `seeds` (s, d): (n,) or (m,), 1 as they are on average, 0 as V is. Fisher's
    linear discriminant of the seeds against all, the covariance shrunk towards a multiple of the identity, the more the fewer seeds say
    where to go: one seed ranks about as distance does."""
    mean, C = moments(V)
    w = direction(mean, C, seeds)
    return ((V if of is None else of) @ w.astype("f4") - mean @ w) / max((seeds.mean(0, dtype="f8") - mean) @ w, 1e-12)


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


def choose(pool, train, val, n):
    """(n rows of the pool, by what share each lets the variance on val fall), greedily the most each time. Each of the three is (vectors (m, d),
    uncertainty (m,) such as 1 - sum p^2).

    A linear model fitted with weights w has the covariance B = (X' w X + lambda I)^-1; a label for x lets the variance at z fall by
    w (z' B x)^2 / (1 + w x' B x), here summed over val, each weighted by its own uncertainty. So a sample counts that the model is unsure of
    (w), that lies where train is thin and val is not (B), and that resembles none chosen before it: B is updated, rank one, with each.
    (Fedorov's V-optimal design; Hoi et al. 2006 and Yu et al. 2006 for active learning.)"""
    (X, w), (known, w_known), (asked, w_asked) = ((widened(V), np.asarray(u, "f8")) for V, u in (pool, train, val))
    A = (known * w_known[:, None]).T @ known
    A[np.diag_indices(len(A))] += RIDGE * max(np.trace(A), 1e-9) / len(A)
    B, C = np.linalg.inv(A), (asked * w_asked[:, None]).T @ asked
    total = max((B * C).sum(), 1e-300)
    M = X @ B
    h, g = (M * X).sum(1), ((M @ C) * M).sum(1)
    chosen, fall, free = [], [], np.ones(len(X), bool)
    for _ in range(n):
        i = int(np.where(free, w * g / (1 + w * h), -1).argmax())
        k = w[i] / (1 + w[i] * h[i])
        chosen.append(i)
        fall.append(k * g[i] / total)
        free[i] = False
        v = B @ X[i]
        u = B @ (C @ v)
        a, b = X @ v, X @ u
        g, h, B = g - 2 * k * a * b + (k * a) ** 2 * (v @ C @ v), h - k * a * a, B - k * np.outer(v, v)
    return np.array(chosen, int), np.array(fall)


def widened(V):
    """Unit vectors (m, d) with a constant column for the bias, whose square is about a tenth of the others together: (m, d + 1) fp64."""
    return np.column_stack([V, np.full(len(V), 0.3)]).astype("f8")

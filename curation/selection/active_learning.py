"""Suggest which pool samples to label next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.label_quality import live
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.selection.similarity import without_near_copies
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import sum_squares
from assay.curation.tasks.base import refuse_task

if TYPE_CHECKING:
    import pandas as pd

RIDGE = 0.1  # of the covariance whose fall is foreseen, times trace / d
# of a larger pool only the most uncertain are compared: each choice costs a pass over them
CANDIDATES = 20_000


def suggest_samples(bench: Bench, n: int = 100) -> pd.DataFrame:
    """Suggest the n pool samples whose labels would teach the model most.

    See choose_samples. A frame: rank, sample, source_id, path, suggested_label (the prediction),
    score (probability of that), reason. No copy of another sample, whatever its split, and no two
    that nearly equal each other. Brings the label scores up to date.
    """
    refuse_task(
        bench, "what to label next", "assay samples --where \"split = 'pool'\" lists the pool"
    )
    import pandas as pd

    if n < 1:
        raise UserError(
            f"expected at least one sample to suggest, found -n {n}", "for example: -n 100"
        )
    live.refresh_scores(bench)
    kept = LabelScores.load(bench)
    state, classes = bench.state(), np.array(kept.classes, object)
    row, probs = state.index.get_indexer(kept.ids.astype(str)), kept.pred_probs.astype("f8")
    part = state.iloc[row]
    split, keep, none = part["split"].to_numpy(), part.keep.to_numpy(), part.label.isna().to_numpy()
    pool = np.flatnonzero(keep & (split == "pool") & none)
    if not len(pool):
        raise UserError(
            "expected unlabelled samples in the pool, found none",
            f"assay import SOURCE -b {bench.given} brings more (--split-map NAME=pool); "
            "what is labelled there: assay edit, column split",
        )
    graph, at = neighbor_graph.load_nodes(bench, state)
    V, unsure = neighbor_graph.load_vectors(bench, graph), 1 - sum_squares(probs)
    pool = pool[np.argsort(-unsure[pool], kind="stable")]
    # a copy in train tells nothing, one in val or test would leak
    others = at[(state.keep & ~state.index.isin(part.index[pool])).to_numpy()]
    pool = pool[without_near_copies(graph, at[row[pool]], others, max(CANDIDATES, 10 * n))]
    train, val = (np.flatnonzero(keep & (split == s)) for s in ("train", "val"))
    train = train[~none[train]]
    known, asked = ((V[at[row[r]]], unsure[r]) for r in (train, val if len(val) else pool))
    chosen, fall = choose_samples((V[at[row[pool]]], unsure[pool]), known, asked, min(n, len(pool)))
    rows = pool[chosen]
    said = np.asarray(probs[rows])
    best = np.argsort(-said, axis=1, kind="stable")[:, :2]
    (p, q), (one, two) = np.take_along_axis(said, best, 1).T, classes[best].T
    found = pd.DataFrame(dict(rank=np.arange(1, len(rows) + 1), sample=part.index[rows]))
    found["source_id"], found["path"] = part.key.to_numpy()[rows], part.uri.to_numpy()[rows]
    target = "val" if len(val) else "the pool"
    why = [
        f"{a:.0%} {x}, {b:.0%} {y}; takes {f:.2%} off the variance on {target}"
        for a, x, b, y, f in zip(p, one, q, two, fall)
    ]
    return found.assign(suggested_label=one, score=p, reason=why)


def choose_samples(
    pool: tuple[np.ndarray, np.ndarray],
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    n: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the pool samples that most lower val's variance.

    Each of the three is (vectors (m, d), uncertainty (m,) such as 1 - sum p^2). Returns n rows of
    the pool, chosen greedily, and by what share each lets the variance on val fall.

    A linear model fitted with weights w has the covariance B = (X' w X + lambda I)^-1; a label
    for x lets the variance at z fall by w (z' B x)^2 / (1 + w x' B x), here summed over val, each
    weighted by its own uncertainty. So a sample counts that the model is unsure of (w), that lies
    where train is thin and val is not (B), and that resembles none chosen before it: B is
    updated, rank one, with each. (Fedorov's V-optimal design; Hoi et al. 2006 and Yu et al. 2006
    for active learning.)
    """
    (X, w), (known, w_known), (asked, w_asked) = (
        (add_bias_column(V), np.asarray(u, "f8")) for V, u in (pool, train, val)
    )
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
        g = g - 2 * k * a * b + (k * a) ** 2 * (v @ C @ v)
        h = h - k * a * a
        B = B - k * np.outer(v, v)
    return np.array(chosen, int), np.array(fall)


def add_bias_column(vectors: np.ndarray) -> np.ndarray:
    """Add a constant column for the bias to unit vectors (m, d).

    Its square is about a tenth of the others together: (m, d + 1) fp64.
    """
    return np.column_stack([vectors, np.full(len(vectors), 0.3)]).astype("f8")

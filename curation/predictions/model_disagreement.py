"""Where two models disagree more than by chance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.tasks.multilabel import likely_sets

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = "key, arch, seed, config, train_tree, version, n_train"


Said = tuple[list[str], np.ndarray]  # the classes (k,) and probabilities (m, k) of one run


def load_runs(bench: Bench, keys: Iterable[str]) -> list[dict]:
    """Load finished runs as dicts, in the order of `keys`.

    They have key, arch, seed, config, train_tree, at, n_train.
    """
    rows = (
        bench.query(f"select {COLUMNS} from runs")
        .rename(columns=dict(version="at"))
        .set_index("key", drop=False)
    )
    return [
        r | dict(config=json.loads(r["config"])) for r in rows.loc[list(keys)].to_dict("records")
    ]


def align_classes(said: Sequence[Said]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Bring several runs' predictions to one class order.

    [(classes, probs (m, k_i))] -> (classes (k,), [probs (m, k)]).
    """
    classes = sorted({c for own, _ in said for c in own})
    out = []
    for own, probs in said:
        wide = np.zeros((len(probs), len(classes)))
        wide[:, np.searchsorted(classes, own)] = probs
        wide[np.isnan(probs).any(1)] = np.nan
        out.append(wide)
    return np.array(classes, object), out


def measure_distances(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure how far apart two recipes are, and their seeds: (between, within).

    A (S, m, k): predictions of the seeds of one recipe, B (R, m, k) of another; results (m,). between: mean squared
    distance of two runs of different recipes. within: of two of one recipe (the mean of both recipes, of one where the
    other has a single seed; NaN where both have). between - within is an unbiased estimate of the squared distance of
    what the recipes say on average: the energy distance (Szekely & Rizzo 2013) of squared differences.
    """
    between = pair_distances(A, B).mean((0, 1))
    own = [pair_distances(P, P).sum((0, 1)) / (len(P) * (len(P) - 1)) for P in (A, B) if len(P) > 1]
    return between, np.mean(own, axis=0) if own else np.full(A.shape[1], np.nan)


def pair_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Squared distances (S, R, m) of the predictions of every two runs."""
    return np.array([[((a - b) ** 2).sum(1) for b in B] for a in A])


def disagreement_shares(A: np.ndarray, B: np.ndarray) -> tuple[float, float]:
    """Measure the shares where two runs name different classes.

    Means over all pairs of runs: (one of A and one of B; two of one recipe, NaN where neither has two).
    """
    a, b = A.argmax(2), B.argmax(2)
    own = [
        np.mean([(x != y).mean() for i, x in enumerate(P) for y in P[:i]])
        for P in (a, b)
        if len(P) > 1
    ]
    between = float(np.mean([[(x != y).mean() for y in b] for x in a]))
    return between, float(np.mean(own)) if own else float("nan")


def compare_recipes(
    first: list[Said], second: list[Said], several: bool = False
) -> tuple[pd.DataFrame, dict]:
    """Compare what two recipes say of m samples.

    Each recipe is a list of its runs. Returns (frame, about). A row of probabilities is NaN for a sample that a run
    has not seen. frame: row, current and candidate (the class that each recipe's mean names), p_current and
    p_candidate (its probability), between, within, score (between - within; between alone where no recipe has two
    seeds), of the rows where they name different classes and more than chance in training does, highest first. about:
    n (rows that all have seen), seen ((m,) bool), unseen, differ, noise (of those, left out), share, control (see
    disagreement_shares), seeds. several: samples have several labels: see compare_members.
    """
    import pandas as pd

    classes, wide = align_classes([*first, *second])
    mask = ~np.isnan(np.array([w[:, 0] for w in wide])).any(0)
    seen = np.flatnonzero(mask)
    A, B = (np.array([w[seen] for w in part]) for part in (wide[: len(first)], wide[len(first) :]))
    if not len(seen):
        raise UserError(
            "expected samples that both have predicted, found none",
            "assay disagreements --predict trains them again for that",
        )
    if several:
        frame, about = compare_members(A, B, classes)
        frame["row"] = seen[frame.row]
        about |= dict(n=len(seen), seen=mask, unseen=len(wide[0]) - len(seen))
        return frame, about | dict(seeds=[len(A), len(B)])
    between, within = measure_distances(A, B)
    score = np.where(np.isnan(within), between, between - within)
    a, b = A.mean(0), B.mean(0)
    differ = a.argmax(1) != b.argmax(1)
    rows = np.flatnonzero(differ & (score > 0))
    rows = rows[np.argsort(-score[rows], kind="stable")]
    share, control = disagreement_shares(A, B)
    frame = pd.DataFrame(
        dict(
            row=seen[rows], current=classes[a[rows].argmax(1)], candidate=classes[b[rows].argmax(1)]
        )
    )
    frame = frame.assign(p_current=a[rows].max(1), p_candidate=b[rows].max(1))
    frame = frame.assign(between=between[rows], within=within[rows], score=score[rows])
    about = dict(
        n=len(seen),
        seen=mask,
        unseen=len(wide[0]) - len(seen),
        differ=int(differ.sum()),
        noise=int(differ.sum()) - len(rows),
    )
    return frame, about | dict(share=share, control=control, seeds=[len(A), len(B)])


def compare_members(A: np.ndarray, B: np.ndarray, classes: np.ndarray) -> tuple[pd.DataFrame, dict]:
    """Compare what two recipes say of the classes of samples with several labels.

    A (S, m, k) and B (R, m, k): each probability by itself. Returns what compare_recipes does: current and candidate
    are the sets of classes that each recipe's mean says; question the class, of those of which one says yes and the
    other no, on which they are farthest apart beyond chance in training; p_current, p_candidate, between, within and
    score are of that class. share and control: of samples with another set.
    """
    import pandas as pd

    between = ((A[:, None] - B[None]) ** 2).mean((0, 1))  # (m, k)
    own = [2 * P.var(0, ddof=1) for P in (A, B) if len(P) > 1]
    within = np.mean(own, axis=0) if own else np.full(between.shape, np.nan)
    score = np.where(np.isnan(within), between, between - within)
    a, b = A.mean(0), B.mean(0)
    other = (a >= 0.5) != (b >= 0.5)
    at = np.where(other, score, -np.inf).argmax(1)
    every = np.arange(len(a))
    differ = other.any(1)
    rows = np.flatnonzero(differ & (score[every, at] > 0))
    rows = rows[np.argsort(-score[rows, at[rows]], kind="stable")]
    at = at[rows]
    frame = pd.DataFrame(
        dict(
            row=rows, current=likely_sets(a[rows], classes), candidate=likely_sets(b[rows], classes)
        )
    )
    frame = frame.assign(question=classes[at], p_current=a[rows, at], p_candidate=b[rows, at])
    frame = frame.assign(between=between[rows, at], within=within[rows, at], score=score[rows, at])
    about = dict(differ=int(differ.sum()), noise=int(differ.sum()) - len(rows))
    share, control = other_set_shares(A >= 0.5, B >= 0.5)
    return frame, about | dict(share=share, control=control)


def other_set_shares(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Measure the shares where two runs name different sets: as disagreement_shares.

    a (S, m, k) and b (R, m, k) bool.
    """
    own = [
        np.mean([(x != y).any(1).mean() for i, x in enumerate(P) for y in P[:i]])
        for P in (a, b)
        if len(P) > 1
    ]
    between = float(np.mean([[(x != y).any(1).mean() for y in b] for x in a]))
    return between, float(np.mean(own)) if own else float("nan")

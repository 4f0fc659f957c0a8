"""Predict many classes without a table of samples by classes.

Rows are scored in blocks, of each the likeliest classes are kept. An edit moves the scores of a few classes, which are
scored by themselves. Rows without copies take a short way; a group of copies is a probe of its rows alone, with the
weights of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.curation.label_quality.calibration import Curve, fit_calibration, fit_sampled_calibration
from assay.curation.label_quality.linear_algebra import row_blocks, sample_groups
from assay.curation.storage.shards import Rows
from assay.curation.storage.stages import Arrays, gather_rows, stage
from assay.curation.storage.top_probs import MANY, TOP, TopProbs, name_arrays

Probe = Any  # the class of probe.py, which imports this file

NUMBERS = 2_000_000  # scores of a block
ASKED = 2000  # rows that calibration asks
AT_ONCE = 30_000_000  # scores that are made anew with every edit
MOST = 64  # classes that are scored by themselves
FRESH = 100  # rows that come or go, after which all is scored anew
LIKELIEST = 4  # of a row that comes or goes: they too
TIGHT = 0.9  # leverage, from which on fp32 will not do


@dataclass(frozen=True)
class TopScores:
    """The likeliest classes of each row, and what makes probabilities of their logits."""

    probs: TopProbs  # (n, k)
    totals: np.ndarray  # (n,): the log of the sum over all classes
    came: int = 0  # rows that came or went since all were scored

    def to_arrays(self) -> dict[str, np.ndarray]:
        return name_arrays("top", self.probs) | dict(totals=self.totals)


# ---- all rows


def predict_top(probe: Probe, X: np.ndarray | Rows, labels: np.ndarray) -> TopScores:
    """Predict the rows of X (n, d) out of sample: the likeliest classes of each.

    labels (n,): class indices that are kept too, -1 for none.
    """
    return predict_rows(probe, X, labels, np.arange(len(X)))


def predict_rows(
    probe: Probe, X: np.ndarray | Rows, labels: np.ndarray, rows: np.ndarray
) -> TopScores:
    """Predict some rows (m,), ascending and whole groups: see predict_top."""
    size, alone = max(16, NUMBERS // probe.k), find_singles(probe, rows)
    fixed = dict(fold=fold_weights(probe), stretch=probe.stretch, k=probe.k, vote=probe.vote)
    fixed |= dict(knots=probe.knots, heights=probe.heights)
    singles = rows[alone]
    if getattr(X, "sharding", None) is not None and len(rows) == len(X):
        use = np.zeros(len(X), bool)
        use[singles] = True
        arrays = describe_rows(probe, labels, rows) | dict(use=use)
        made = gather_rows(X, predict_singles, arrays, **fixed)
        parts = [(singles, *(made[name][singles] for name in ("at", "p", "totals")))]
    else:

        def score_quickly(block: np.ndarray) -> tuple:
            made = predict_block(X[block], describe_rows(probe, labels, block), **fixed)
            return block, *made

        with ThreadPoolExecutor(2) as threads:
            parts = [
                *threads.map(score_quickly, (singles[p] for p in row_blocks(len(singles), size)))
            ]
    for block, scores in score_blocks(probe, X, rows[~alone]):
        stretched = (scores * probe.stretch).astype("f4")
        parts.append((block, *keep_top(probe.curve, labels[block], stretched)))
    order, at, p, totals = (np.concatenate(each) for each in zip(*parts))
    back = np.argsort(order)
    return TopScores(TopProbs(at[back], p[back], probe.k), totals[back])


def describe_rows(probe: Probe, labels: np.ndarray, rows: np.ndarray) -> Arrays:
    """Describe what a block of rows without copies is predicted by, beside its vectors."""
    about = dict(labels=labels[rows], y=probe.y[rows], h=probe.h[rows])
    if probe.vote:
        near, votes = probe.voters(rows)
        about["voted"] = np.where(near >= 0, votes[near], -1).astype("i4")
    return about


@stage(1)
def predict_singles(X: np.ndarray | Rows, use: np.ndarray, k: int, **more: Any) -> Arrays:
    """Predict the rows in use (n,) bool, each without itself: see predict_block; the others are 0."""
    by_row = {name: more.pop(name) for name in ("labels", "y", "h", "voted") if name in more}
    width, out = min(TOP, k), {}
    out = dict(at=np.zeros((len(X), width), "i4"), p=np.zeros((len(X), width), "f4"))
    out["totals"] = np.zeros(len(X))
    rows = np.flatnonzero(use)
    for part in row_blocks(len(rows), max(16, NUMBERS // k)):
        block = rows[part]
        about = {name: array[block] for name, array in by_row.items()}
        for array, made in zip(out.values(), predict_block(X[block], about, k=k, **more)):
            array[block] = made
    return out


def predict_block(
    X: np.ndarray,
    about: Arrays,
    fold: np.ndarray,
    stretch: np.ndarray,
    vote: float,
    k: int,
    knots: np.ndarray,
    heights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict rows X (b, d) each without itself: (classes, probabilities, totals).

    about: as describe_rows.
    """
    scores = score_singles(X, about["y"], about["h"], fold, stretch)
    if vote:
        add_votes(scores, about["voted"], vote * stretch)
    return keep_top(Curve(knots, heights), about["labels"], scores)


def keep_top(
    curve: Curve, labels: np.ndarray, stretched: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the likeliest classes of a block: (classes, probabilities, totals).

    stretched (b, k) float32: scores, which are overwritten.
    """
    logits = bend_scores(curve, stretched)
    most = logits.max(1)
    logits -= most[:, None]
    np.exp(logits, out=logits)
    total = logits.sum(1)
    kept = TopProbs.keep_highest(logits, labels)
    return kept.at, kept.p / total[:, None], most + np.log(total)


def bend_scores(curve: Curve, scores: np.ndarray) -> np.ndarray:
    """Turn stretched scores (b, k) into logits, in place: nearly all lie on the first piece of the curve."""
    flat = scores.reshape(-1)
    high = np.flatnonzero(flat > curve.knots[1])
    bent = curve.logits(flat[high].astype("f8"))
    slope = (curve.heights[1] - curve.heights[0]) / (curve.knots[1] - curve.knots[0])
    scores *= np.float32(slope)
    scores += np.float32(curve.heights[0] - slope * curve.knots[0])
    flat[high] = bent
    return scores


# ---- rows without copies


def find_singles(probe: Probe, rows: np.ndarray) -> np.ndarray:
    """Mark the rows (m,) that no fitted copy leaves with, and that fp32 will do for."""
    fitted = probe.fitted_rows[rows]
    _, name = np.unique(probe.groups[rows], return_inverse=True)
    return (np.bincount(name, fitted)[name] < 2) & (probe.h[rows] <= TIGHT)


def fold_weights(probe: Probe) -> np.ndarray:
    """Fold what standardises, weighs and stretches into one matrix (d + 1, k) float32."""
    W = probe.inverse @ probe.XtY
    bias = W[-1] - (probe.mean / probe.scale) @ W[:-1]
    return (np.vstack([W[:-1] / probe.scale[:, None], bias]) * probe.stretch).astype("f4")


def score_singles(
    X: np.ndarray, y: np.ndarray, h: np.ndarray, fold: np.ndarray, stretch: np.ndarray
) -> np.ndarray:
    """Score rows X (b, d) each without itself, stretched: (b, k) float32."""
    at, fitted = np.arange(len(X)), y >= 0
    share = np.where(fitted, 1 / (1 - np.where(fitted, h, 0)), 1)
    Z = np.append(X, np.ones((len(X), 1), "f4"), 1) * share[:, None].astype("f4")
    scores = Z @ fold
    own = (share * h)[fitted] * stretch[y[fitted]]
    scores[at[fitted], y[fitted]] -= own.astype("f4")
    return scores


def add_votes(scores: np.ndarray, voted: np.ndarray, weight: np.ndarray) -> None:
    """Add to scores (b, k) the votes for classes voted (b, j), -1 for none; weight (k,): of all of a row."""
    row, voter = np.nonzero(voted >= 0)
    of = voted[row, voter]
    each = weight[of] / np.bincount(row, minlength=len(voted))[row]
    np.add.at(scores, (row, of), each.astype("f4"))


# ---- copies


def score_blocks(
    probe: Probe, X: np.ndarray | Rows, asked: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Score rows (m,), whole groups, each without its own, a block after the other.

    Yields (rows (b,), scores (b, k)), votes included.
    """
    size = max(16, NUMBERS // probe.k)
    for block in group_blocks(probe.groups[asked], size):
        rows = asked[block]
        if len(rows) <= size:
            yield rows, score_groups(probe, X, rows)
            continue
        fitted = probe.fitted_rows[rows]
        for of, W in (
            (rows[fitted], probe.weights_without(X, rows[fitted])),
            (rows[~fitted], probe.inverse @ probe.XtY),
        ):
            for part in row_blocks(len(of), size):
                yield of[part], probe.add_votes(probe.project(X[of[part]], W), of[part])


def score_groups(probe: Probe, X: np.ndarray | Rows, rows: np.ndarray) -> np.ndarray:
    """Score the rows (b,) of whole groups, each without its own: (b, k)."""
    return probe.add_votes(restrict(probe, rows).out_of_group(X[rows]), rows)


def restrict(probe: Probe, rows: np.ndarray) -> Probe:
    """Make a probe of some rows (b,), with the weights of all and without votes."""
    out = copy(probe)
    out.y, out.groups, out.h = probe.y[rows], probe.groups[rows], probe.h[rows]
    out.near, out.vote, out.fitted, out.hats = None, np.float64(0), None, None
    return out


def group_blocks(groups: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Cut rows into blocks of whole groups (n,): at most `size` rows, or one larger group."""
    _, first, name = np.unique(groups, return_index=True, return_inverse=True)
    order = np.argsort(first[name], kind="stable")  # nearly the order of the rows
    ends = np.append(np.flatnonzero(np.diff(first[name][order])) + 1, len(order))
    start = 0
    while start < len(order):
        at = np.searchsorted(ends, start + size, side="right") - 1
        stop = ends[at] if at >= 0 and ends[at] > start else ends[at + 1]
        yield order[start:stop]
        start = stop


def calibrate_sample(probe: Probe, X: np.ndarray | Rows) -> tuple[Curve, np.ndarray]:
    """Choose curve and stretch by some of the rows: see fit_sampled_calibration."""
    fitted, few = probe.fitted_rows, probe.k <= MANY
    rows = sample_groups(probe.groups, fitted, NUMBERS // probe.k if few else ASKED)
    scores, y = score_groups(probe, X, rows), probe.y[rows]
    if few:
        return fit_calibration(scores, y)
    return fit_sampled_calibration(scores, y, np.bincount(probe.y[fitted], minlength=probe.k))


# ---- after an edit


def update_top(probe: Probe, X: np.ndarray | Rows, y: np.ndarray) -> TopScores | None:
    """Bring a probe to new class indices y (n,), and what it predicts; None: to be made anew.

    A relabelling moves the scores of two classes: these are scored anew for every row. A row that comes or goes moves
    those of all: its own and its likeliest are scored anew, and all of the rows that it votes on.
    """
    top: TopScores = probe.top
    changed = np.flatnonzero(probe.y != y)
    come = changed[(probe.y[changed] < 0) != (y[changed] < 0)]
    best = np.argsort(-top.probs.p[come], axis=1)[:, :LIKELIEST]
    near = np.take_along_axis(top.probs.at[come], best, 1)
    classes = np.unique(np.r_[probe.y[changed], y[changed], near.ravel()])
    classes, came = classes[classes >= 0], top.came + len(come)
    if len(X) * probe.k <= AT_ONCE or len(classes) > MOST or came > FRESH:
        probe.refit_changed(X, y)
        return None
    before = score_classes(probe, X, classes)
    probe.refit_changed(X, y)
    top = replace_classes(top, classes, before, score_classes(probe, X, classes))
    if not len(come):
        return replace(top, came=came)
    voted = come[:0] if probe.near is None else np.flatnonzero(np.isin(probe.near, come).any(1))
    rows = np.flatnonzero(np.isin(probe.groups, probe.groups[np.r_[come, voted]]))
    at, p, totals = top.probs.at, top.probs.p, top.totals
    anew = predict_rows(probe, X, y, rows)
    at[rows], p[rows], totals[rows] = anew.probs.at, anew.probs.p, anew.totals
    return replace(top, came=came)


def keep_labels(
    probe: Probe, X: np.ndarray | Rows, top: TopScores, labels: np.ndarray
) -> TopScores:
    """Keep the probabilities of other labels (n,) too."""
    rows = np.flatnonzero((labels >= 0) & (top.probs.at != labels[:, None]).all(1))
    if not len(rows):
        return top
    rows = np.flatnonzero(np.isin(probe.groups, probe.groups[rows]))
    at, p = top.probs.at.copy(), top.probs.p.copy()
    anew = predict_rows(probe, X, labels, rows)
    at[rows], p[rows] = anew.probs.at, anew.probs.p
    return replace(top, probs=TopProbs(at, p, probe.k))


def score_classes(probe: Probe, X: np.ndarray | Rows, classes: np.ndarray) -> np.ndarray:
    """Compute the logits of some classes (c,), out of sample: (n, c).

    By a probe of these classes and one more for all others.
    """
    few, place = copy(probe), np.full(probe.k, len(classes))
    place[classes] = np.arange(len(classes))
    few.k = len(classes) + 1
    few.XtY = np.append(probe.XtY[:, classes], np.zeros((len(probe.XtY), 1)), 1)
    few.y = np.where(probe.y < 0, -1, place[probe.y])
    few.fitted, few.hats = None, probe.hat_groups(X)
    scores = few.score_all(X)[:, :-1]
    return probe.curve.logits(scores * probe.stretch[classes])


def replace_classes(
    top: TopScores, classes: np.ndarray, before: np.ndarray, after: np.ndarray
) -> TopScores:
    """Replace the logits of some classes (c,), which were `before` (n, c) and are `after`."""
    was, now = (np.exp(logits - top.totals[:, None]) for logits in (before, after))
    ratio = np.maximum(1 + (now - was).sum(1), 1e-12)
    at, p = top.probs.at.copy(), (top.probs.p / ratio[:, None]).astype("f4")
    for c, prob in zip(classes, now.T / ratio):
        here = at == c
        rows, places = np.nonzero(here)
        p[rows, places] = prob[rows]
        least = p.argmin(1)
        out = np.flatnonzero(~here.any(1) & (prob > p[np.arange(len(p)), least]))
        at[out, least[out]], p[out, least[out]] = c, prob[out]
    return TopScores(TopProbs(at, p, top.probs.k), top.totals + np.log(ratio))

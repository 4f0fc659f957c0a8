"""Score many classes in blocks of rows.

A block is a probe of its rows alone, with the weights of all: copies stay together, so that what is scored without
its group is the same as at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np

from assay.curation.label_quality.calibration import PROBABILITIES, Curve, fit_calibration
from assay.curation.label_quality.linear_algebra import row_blocks, sample_groups
from assay.curation.storage.shards import Rows
from assay.curation.storage.top_probs import TopProbs

Probe = Any  # the class of probe.py, which imports this file

NUMBERS = 6_000_000  # scores of a block
FEWEST = 2000  # rows that calibration asks, at least


def predict_top(probe: Probe, X: np.ndarray | Rows, labels: np.ndarray) -> TopProbs:
    """Predict the rows of X (n, d) out of sample: the likeliest classes of each.

    labels (n,): class indices that are kept too, -1 for none.
    """
    parts, order = [], []
    for rows, scores in score_blocks(probe, X):
        parts.append(TopProbs.keep_highest(probe.probabilities(scores), labels[rows]))
        order.append(rows)
    back = np.argsort(np.concatenate(order))
    return TopProbs.concatenate(parts)[back]


def score_blocks(probe: Probe, X: np.ndarray | Rows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Score every row without its group, a block after the other.

    Yields (rows (b,), scores (b, k)), votes included.
    """
    size = max(16, NUMBERS // probe.k)
    for rows in group_blocks(probe.groups, size):
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
    """Choose curve and stretch by some of the rows: see fit_calibration."""
    fitted, most = probe.fitted_rows, max(FEWEST, PROBABILITIES // probe.k)
    rows = sample_groups(probe.groups, fitted, most)
    sizes = np.bincount(probe.y[fitted], minlength=probe.k)
    return fit_calibration(score_groups(probe, X, rows), probe.y[rows], sizes)

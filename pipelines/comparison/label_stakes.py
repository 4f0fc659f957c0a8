"""How much a comparison depends on wrong test labels, and which ones.

Where two models say the same, a wrong label changes both alike: only samples on which they differ can turn a verdict.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.curation.statistics import contrasts
from assay.curation.statistics.estimates import Estimate
from assay.curation.statistics.sampling import shuffled_rows

PURPOSE = "compare audit"  # salts the draw


def find_differing(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rows (d,) on which two models' codes (S, m) and (Q, m) differ in any training."""
    low, high = np.minimum(first.min(0), second.min(0)), np.maximum(first.max(0), second.max(0))
    return np.flatnonzero(low != high)


def find_extreme_labels(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, sign: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find each sample's label that most favours the second (sign 1) or the first (-1).

    first (S, d), second (Q, d) codes; labels (d,). Returns (labels (d,), what each moves the difference by, times d).
    """

    def gain(label: np.ndarray) -> np.ndarray:
        return (second == label).mean(0) - (first == label).mean(0)

    best, most = labels.copy(), gain(labels)
    now = most.copy()
    for candidate in (*first, *second):
        moved = np.where(candidate >= 0, gain(candidate), 0.0)
        better = sign * (moved - most) > 1e-12
        best, most = np.where(better, candidate, best), np.where(better, moved, most)
    return best, abs(most - now)


def count_turning_labels(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, judge: Callable[[Estimate], str]
) -> int | None:
    """Count the labels that must be wrong, the worst way, to turn the verdict.

    A shown difference is then no longer shown; one that is not shown would be. None: not even all of them would.
    first (S, m), second (Q, m), labels (m,): codes. judge: as Estimate -> word.
    """
    rows = find_differing(first, second)
    e = contrast_labels(first, second, labels)
    shown, way = judge(e), 1 if e.estimate > 0 else -1
    is_shown = shown not in NOT_SHOWN
    sign = -way if is_shown else way
    best, moves = find_extreme_labels(first[:, rows], second[:, rows], labels[rows], sign)
    order = np.argsort(-moves, kind="stable")
    order = order[moves[order] > 0]

    def turns(k: int) -> bool:
        changed = labels.copy()
        changed[rows[order[:k]]] = best[order[:k]]
        return (judge(contrast_labels(first, second, changed)) in NOT_SHOWN) == is_shown

    low, high = 0, len(order)
    if not high or not turns(high) and not is_shown:
        return None
    # the verdict turns once and stays so until the other side is shown
    if is_shown:
        high = count_to_zero(e, moves[order], len(labels))
        if high is None:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if turns(middle) else (middle, high)
    return high


NOT_SHOWN = ("no evidence either way", "")


def count_to_zero(e: Estimate, moves: np.ndarray, m: int) -> int | None:
    """Count the labels that take the estimate to zero; None: all do not."""
    left = np.cumsum(moves) / m >= abs(e.estimate) - 1e-12
    return int(left.argmax()) + 1 if left.any() else None


def contrast_labels(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> Estimate:
    """Estimate the difference of two models' accuracies by labels (m,)."""
    return contrasts.contrast([1.0 * (second == labels), 1.0 * (first == labels)], contrasts.PAIR)


def draw_audit(ids: np.ndarray, rows: np.ndarray, most: int) -> np.ndarray:
    """Draw which of the differing rows to audit, in random order: all, or `most` of them."""
    order = shuffled_rows([str(i) for i in ids[rows]], PURPOSE)
    return rows[order[:most]]

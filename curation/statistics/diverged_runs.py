"""Find seeds whose training diverged, and leave them out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from assay.curation.statistics.contrasts import as_matrix


def find_diverged(Y: ArrayLike) -> list[int]:
    """Find the seeds of one cell whose run looks diverged.

    Y (S, m). Such a run is far worse than the better half of the runs.
    """
    Y = as_matrix(Y)
    S, m = Y.shape
    # on this scale the same noise has the same size at 0.6 and at 0.98
    height = np.arcsin(np.sqrt(Y.mean(1)))
    # under the upper median: up to half of the runs may have failed
    below = np.sort(height)[S // 2] - height
    robust = 1.4826 * np.sort(abs(below))[(S - 1) // 2]  # MAD as a standard deviation
    # two runs may agree by luck: at least 1.8 points at 0.9, and binomial noise
    spread = max(robust, 0.03, 0.5 / math.sqrt(m))
    return np.flatnonzero(below > 5 * spread).tolist()


def drop_diverged(Y: ArrayLike) -> tuple[np.ndarray, list[int]]:
    """Leave the diverged seeds out of a cell.

    Returns (Y (S - k, m), [k indices]). What is left speaks of the recipe where it works; how often
    it fails is k of S. Where fewer than two seeds would be left, all stay: one says nothing of the
    recipe.
    """
    Y, out = as_matrix(Y), find_diverged(Y)
    return (np.delete(Y, out, 0), out) if len(Y) - len(out) > 1 else (Y, [])

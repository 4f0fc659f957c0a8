"""Choose how strongly the ridge is regularised: by scores out of group."""

from __future__ import annotations

import numpy as np

from assay.curation.label_quality.linear_algebra import leave_out, stack_groups

LAMBDAS = np.geomspace(1e-3, 1, 7)  # times trace / d
# for label sets: of 80 classes most are rare, and a weak ridge learns their few samples by heart
MORE = np.geomspace(1e-3, 30, 10)
LESS = np.geomspace(1e-5, 1e-1, 9)  # for weighted columns: many of a kernel are nearly alike
ASKED = 4096  # rows, about: whole groups
LARGEST = 256  # rows of a group: a larger one says little about lambda, and costs its cube


def choose_lambda(
    T: np.ndarray,
    Y: np.ndarray,
    groups: np.ndarray,
    s: np.ndarray,
    YQ: np.ndarray,
    factors: np.ndarray,
    unit: float,
) -> float:
    """Choose lambda among `factors`, multiples of `unit` (trace / d).

    By the least squared error of out-of-group scores. T (n, j): rows in the directions of the eigenvectors of X'X, Y
    (n, k) their targets, groups (n,); s (j,): its eigenvalues; YQ (j, k): X'Y in these directions.
    """
    losses = []
    for factor in factors:
        d = 1 / (s + factor * unit)
        miss = Y - T @ (YQ * d[:, None])
        out = miss / (1 - (T * T) @ d)[:, None]
        for stack in stack_groups(groups, np.ones(len(groups), bool)):
            if stack.shape[1] <= LARGEST:
                root = (T[stack.ravel()] * np.sqrt(d)).reshape(*stack.shape, -1)
                H = root @ root.transpose(0, 2, 1)
                out[stack] = Y[stack] - leave_out(H, Y[stack] - miss[stack], Y[stack])
        losses.append((out**2).sum())
    return factors[int(np.argmin(losses))]

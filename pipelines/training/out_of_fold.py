"""Predict each row by a network that did not see it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.pipelines.training.data import LazyRows, RowUnion, TrainingData
from assay.pipelines.training.train import fit_predict


def predict_out_of_fold(
    arch: str,
    data: TrainingData,
    seed: int,
    folds: int = 3,
    epochs: int | None = None,
    progress: Callable[[float, str], None] | None = None,
    also: LazyRows | None = None,
) -> np.ndarray:
    """Predict every row by a network that did not see it.

    Returns probabilities (n, k). No network saw a row of the same group either.
    Copies share a fold, or the network has seen the answer. Folds have one class mix as far as groups allow.
    `also`: m more rows, which no fold trains on; the mean of what all folds predict for them comes after the others,
    (n + m, k).
    """
    n, m = len(data.labels), 0 if also is None else len(also)
    probs = np.zeros((n + m, data.n_classes), "f4")
    parts = split_folds(data, folds, seed)
    for fold, (seen, unseen) in enumerate(parts):

        def report(done, text, fold=fold):
            progress((fold + done) / len(parts), f"fold {fold + 1} of {len(parts)}: {text}")

        rows = data.take(unseen).rows
        predicted = fit_predict(
            arch,
            data.take(seen),
            RowUnion(rows, also) if m else rows,
            seed,
            epochs,
            progress and report,
        )
        probs[unseen] = np.asarray(predicted[: len(unseen)])
        probs[n:] += np.asarray(predicted[len(unseen) :]) / len(parts)
    return probs


def split_folds(data: TrainingData, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split row numbers into folds (seen, unseen) that share no group, with one class mix as far as groups allow.

    Groups are dealt out in turn, class by class, the largest first. sklearn's StratifiedGroupKFold asks every fold
    about every group, in Python: of 7,000 rows without copies that took longer than the trees.
    """
    _, first, group = np.unique(data.groups, return_index=True, return_inverse=True)
    folds = min(folds, len(first))
    assert folds > 1, "one group cannot be predicted from the others: there are none"
    drawn = np.random.default_rng(seed).permutation(len(first))
    order = np.lexsort((drawn, -np.bincount(group), data.labels[first]))
    fold = np.empty(len(first), int)
    fold[order] = np.arange(len(first)) % folds
    of_row = fold[group]
    return [(np.flatnonzero(of_row != i), np.flatnonzero(of_row == i)) for i in range(folds)]

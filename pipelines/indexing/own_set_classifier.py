"""Predict label sets by a person's own scikit-learn classifier, out of fold."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality.linear_algebra import is_labelled
from assay.curation.storage.interface import Progress, Tell

FOLDS = 5


class FoldNews:
    """Say which fold a model is fitted to: a bar at once, lines where it takes long."""

    SOON = 5  # seconds after which a line is due

    def __init__(self, say: Tell, progress: Progress | None) -> None:
        self.say, self.progress, self.last = say, progress, time.monotonic()

    def tell(self, done: int, folds: int) -> None:
        """Say which fit begins after `done`; the last is of all folds."""
        text = f"fold {done + 1} of {folds}" if done < folds else "all folds, for val and pool"
        if self.progress:
            self.progress(done / (folds + 1), f"model: {text}")
        if time.monotonic() - self.last > self.SOON:
            self.last = time.monotonic()
            self.say(f"model       {text}")


def predict_set_rows(
    model: Any, X: np.ndarray, y: np.ndarray, groups: np.ndarray, news: FoldNews
) -> np.ndarray:
    """Predict the classes of rows by a classifier, out of fold where it is fitted.

    X (n, d), y (n, k) 0 or 1, rows of -1 where not fitted, groups (n,) of near duplicates. Returns (n, k). A class that
    no row of a fold has, or every row, has its share there: most classifiers refuse to be fitted to one answer.
    """
    from sklearn.base import clone
    from sklearn.model_selection import GroupKFold
    from threadpoolctl import threadpool_limits

    rows, out = np.flatnonzero(is_labelled(y)), np.zeros(y.shape)
    folds = min(FOLDS, len(np.unique(groups[rows])))
    if folds < 2:
        raise UserError(
            f"expected two different train samples or more to fit a model on, found {len(rows):,}",
            "leave the model out, or import more",
        )
    cut = GroupKFold(folds, shuffle=True, random_state=0)
    parts = [(rows[a], rows[b]) for a, b in cut.split(rows, groups=groups[rows])]
    rest = np.flatnonzero(~is_labelled(y))
    parts += [(rows, rest)] if len(rest) else []
    with threadpool_limits(1, user_api="blas"):
        for done, (seen, asked) in enumerate(parts):
            news.tell(done, folds)
            share = y[seen].mean(0)
            both = np.flatnonzero((share > 0) & (share < 1))
            out[asked] = share
            if len(both):
                fitted = fit_sets(clone(model), X[seen], y[np.ix_(seen, both)])
                said = read_members(model, fitted, fitted.predict_proba(X[asked]), len(both))
                out[np.ix_(asked, both)] = said
    return out


def fit_sets(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Fit a classifier to members (m, k); UserError where it takes one label a sample alone."""
    try:
        return model.fit(X, y)
    except ValueError as e:
        if y.shape[1] > 1 and ("1d" in str(e) or "multilabel" in str(e) or "shape" in str(e)):
            name = type(model).__name__
            raise UserError(
                f"expected a classifier that takes several labels a sample, found {name}, which says: {e}",
                f"sklearn.multiclass.OneVsRestClassifier({name}()), or MultiOutputClassifier",
            ) from None
        raise


def read_members(model: Any, fitted: Any, said: Any, k: int) -> np.ndarray:
    """Read what predict_proba gave for k classes: (m, k), each probability by itself.

    Either that, or a list of k arrays (m, 2), as of MultiOutputClassifier, trees and neighbours.
    """
    if isinstance(said, list) and len(said) == k:
        kinds = getattr(fitted, "classes_", [np.array([0, 1])] * k)
        columns = [p[:, list(own).index(1)] for p, own in zip(said, kinds)]
        return check_range(model, np.stack(columns, axis=1))
    found = np.asarray(said) if not isinstance(said, list) else np.empty(0)
    if k == 1 and found.ndim == 2 and found.shape[1] == 2:
        found = found[:, 1:]  # it took one class for a question of two answers
    if found.ndim != 2 or found.shape[1] != k:
        what = f"a list of {len(said)}" if isinstance(said, list) else f"shape {found.shape}"
        raise UserError(
            f"expected probabilities of {k} classes from {type(model).__name__}.predict_proba, found {what}",
            "an array (m, k) with a probability for each class, or a list of k arrays (m, 2)",
        )
    return check_range(model, found)


def check_range(model: Any, probs: np.ndarray) -> np.ndarray:
    """Refuse what are no probabilities."""
    if np.isnan(probs).any() or probs.min(initial=0) < -1e-6 or probs.max(initial=1) > 1 + 1e-6:
        raise UserError(
            f"expected probabilities from 0 to 1 from {type(model).__name__}.predict_proba, found"
            f" {np.nanmin(probs):.3g} to {np.nanmax(probs):.3g}",
            "apply a sigmoid to logits first",
        )
    return probs.clip(0, 1)

"""Match a person's probabilities of label sets to classes, and doubt them before they judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality import scoring
from assay.curation.tasks.multilabel import TASK
from assay.curation.text import format_count
from assay.pipelines.indexing.own_probabilities import (
    FAR,
    SURE,
    MatchedProbs,
    name_columns,
    refuse_missing,
    shorten_list,
)

if TYPE_CHECKING:
    import pandas as pd


def match_set_probs(probs: pd.DataFrame, state: pd.DataFrame) -> MatchedProbs:
    """Match the columns of probabilities by sample id to classes; each is by itself, from 0 to 1.

    Raises UserError where columns or rows are others, they are no probabilities, or they are no higher where a class is
    given than where it is not.
    """
    part = scoring.without_locked(state)
    classes, _ = scoring.find_targets(part, None, TASK)
    columns = name_columns(probs, classes)
    array = probs.to_numpy("f8")[:, [columns.classes.index(c) for c in classes]]
    if (array < -1e-3).any() or (array > 1 + 1e-3).any():
        raise UserError(
            "expected a probability from 0 to 1 for each class,"
            f" found numbers from {array.min():.3g} to {array.max():.3g}",
            "apply a sigmoid to logits first",
        )
    array = array.clip(0, 1)
    needed = refuse_missing(probs, part)
    y = TASK.targets(part.label[needed], classes)
    known = y[:, 0] >= 0
    rows = probs.index.get_indexer(needed[known])
    matched = probs.attrs.get("matched", "")
    notes = [columns.note, *([f"rows by {matched}"] if matched else [])]
    notes.append(check_higher(array[rows], y[known], classes))
    if len(classes) > 1 and (abs(array.sum(1) - 1) < 1e-3).all():
        notes.append("every row sums to 1, as of a softmax: a sigmoid for each class says more")
    return MatchedProbs(array, classes, "; ".join(notes))


def check_higher(probs: np.ndarray, y: np.ndarray, classes: list[str]) -> str:
    """Check that probabilities are higher where classes are given, and say how much.

    probs, y (n, k). By correlations; UserError where they are chance, or far better with the columns in another order.
    """
    from scipy.optimize import linear_sum_assignment

    agree = correlate(probs, y)
    mean, luck = agree.trace() / len(classes), SURE / np.sqrt(max(y.size, 1))
    swapped = linear_sum_assignment(-agree)[1]
    better = agree[np.arange(len(classes)), swapped].mean()
    moved = [f"{classes[i]} as {classes[j]}" for i, j in enumerate(swapped) if i != j]
    clear = moved and better > mean + max(FAR, 3 / np.sqrt(len(y)))
    if mean <= luck or clear:
        other = f"; with columns in another order ({shorten_list(moved, 5)}) {better:.2f}"
        raise UserError(
            "expected probabilities that are higher where a class is given,"
            f" found a correlation of {mean:.2f} on {format_count(len(y), 'label')}{other * bool(clear)}",
            "name the columns by class and the rows by sample: a column `sample`, `key` or `path`",
        )
    there, gone = probs[y == 1].mean(), probs[y == 0].mean()
    return f"classes that are given have {there:.0%} on average, others {gone:.0%}"


def correlate(probs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlate columns of probabilities with columns of members: (k, k)."""
    one, two = ((a - a.mean(0)) / np.maximum(a.std(0), 1e-9) for a in (probs, np.asarray(y, "f8")))
    return one.T @ two / max(len(y), 1)

"""Score a version's labels by a model's out-of-sample probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.splits import LOCKED
from assay.curation.tasks.classification import TASK, class_indices

if TYPE_CHECKING:
    import pandas as pd


def without_locked(state: pd.DataFrame) -> pd.DataFrame:
    """Leave test and guard out, which no score may read.

    The other samples are fitted or predicted.
    """
    return state[~state.split.isin(LOCKED)]


def find_targets(
    state: pd.DataFrame, classes: list[str] | None = None
) -> tuple[list[str], np.ndarray]:
    """Give what a probe fits: (classes, each row's class index (n,)).

    The classes are the lexicographic ones of kept, labelled train samples; a row has -1 unless it is one of those.
    """
    fitted = (state.keep & (state.split == "train") & state.label.notna()).to_numpy()
    classes = sorted(set(state.label[fitted])) if classes is None else classes
    return classes, np.where(fitted, class_indices(state.label, classes), -1)


def scored_rows(
    state: pd.DataFrame, classes: Sequence[str], few: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the scored rows, and every row's class.

    Returns (rows (m,) of the state, class indices (n,)). These are kept train and val samples, labelled with a class
    that is not one of the `few` (k,) bool.
    """
    y = class_indices(state.label, classes)
    use = (
        (y >= 0)
        & ~np.asarray(few)[y]
        & state.keep.to_numpy()
        & state.split.isin(("train", "val")).to_numpy()
    )
    return np.flatnonzero(use), y


def score_labels(
    state: pd.DataFrame, classes: Sequence[str], probs: np.ndarray, few: np.ndarray
) -> pd.DataFrame:
    """Score the labels of a state: worst labels lowest.

    Of every labelled, kept train and val sample. probs (n, k): of the rows of the state. few (k,): classes with too
    few samples to judge, or to suggest. Frame by sample: label, reviewed, score (probability of the label it has),
    suggestion, confidence (probability of that), flagged (another class is likelier, and nobody has decided about the
    label).
    """
    rows, y = scored_rows(state, classes, few)
    p = np.ascontiguousarray(probs[rows], "f8")
    p[:, few] = 0
    p /= p.sum(1, keepdims=True)
    out = TASK.score(y[rows], p, classes).set_index(state.index[rows])
    out.insert(0, "label", state.label.iloc[rows])
    out.insert(1, "reviewed", state.reviewed.iloc[rows])
    out["flagged"] &= ~out.reviewed.to_numpy(bool)
    return out

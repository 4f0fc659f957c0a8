"""Find properties that should not matter and tell the label.

Such as brightness, size, or where an image came from.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.issues.base import (
    Finding,
    Issue,
    IssueFinder,
    Kind,
    ScanView,
    certain_issues,
)
from assay.curation.tasks.base import task_of

if TYPE_CHECKING:
    import pandas as pd

BINS = 20
FOLDS = 5
VALUES = 50  # different words up to which a key of the metadata is looked at
SHORTCUT = 0.7  # a property that goes 30 % of the way from chance to certainty (cleanlab: 70 %)


class Accuracy(NamedTuple):
    """Balanced accuracy out of fold."""

    estimate: float
    interval: tuple[float, float]  # 95 %
    p: float  # against chance


def measure_accuracy(values: np.ndarray, y: np.ndarray, classes: int, seed: int = 0) -> Accuracy:
    """Measure how well a property alone tells the label.

    values (n,): numbers, cut into 20 equal parts, or codes of at most 50 words; y (n,): class indices below `classes`.
    In each fold the class is predicted under which the value's part is likeliest.
    """
    from scipy.special import ndtr

    values, y = np.asarray(values), np.asarray(y)
    names = np.unique(values)
    ends = (
        names[1:]
        if len(names) <= VALUES
        else np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    )
    part = np.searchsorted(ends, values, "right")
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(y))
    counts = np.zeros((FOLDS, len(ends) + 1, classes))
    np.add.at(counts, (fold, part, y), 1)
    # what is never seen is predicted as no class more than as another
    others = counts.sum(0) - counts + 1 / classes
    predicted = (others / others.sum(1, keepdims=True)).argmax(2)[fold, part]
    size = np.bincount(y, minlength=classes)
    right = np.bincount(y, predicted == y, minlength=classes)[size > 0] / size[size > 0]
    k, chance = len(right), 1 / max(len(right), 1)
    accuracy, spread = right.mean(), np.sqrt((right * (1 - right) / size[size > 0]).sum()) / k
    null = np.sqrt((chance * (1 - chance) / size[size > 0]).sum()) / k
    interval = float(accuracy - 1.96 * spread), float(accuracy + 1.96 * spread)
    return Accuracy(float(accuracy), interval, float(ndtr((chance - accuracy) / null)))


def room_for_improvement(accuracy: float, classes: int) -> float:
    """Score an accuracy, as cleanlab does: 1 at chance, 0 without errors."""
    return float(np.clip((1 - accuracy) / (1 - 1 / classes), 0, 1))


def metadata_columns(state: pd.DataFrame) -> dict[str, np.ndarray]:
    """Read what came with the samples: {key: (n,)}.

    Numbers, or codes of at most 50 words. Where a sample has no value, it has a code of its own.
    """
    import pandas as pd

    codes, different = pd.factorize(state.meta.fillna("{}"))  # many samples may share one
    frame = pd.DataFrame([json.loads(meta or "{}") for meta in different])
    frame = frame.reindex(range(len(different))).iloc[codes].set_axis(state.index)
    frame = frame.assign(source=state.source)
    out = {}
    for key in sorted(frame.columns, key=str):
        column = frame[key]
        if column.map(lambda v: isinstance(v, list | dict)).any():
            continue
        numbers = pd.to_numeric(column, errors="coerce")  # a CSV's numbers are text
        codes, names = pd.factorize(column.astype(str), sort=True)
        if 1 < len(names) <= VALUES:
            out[str(key)] = codes
        elif len(names) > VALUES and numbers.notna().all():
            out[str(key)] = numbers.to_numpy("f8")
    return out


def compare_properties(
    properties: dict[str, np.ndarray], y: np.ndarray, classes: int
) -> list[Finding]:
    """Test every property {name: (n,)} against the labels y (n,), class indices."""
    out, k = [], len(np.unique(y))
    for name, values in properties.items():
        if len(np.unique(values)) > 1:
            found = measure_accuracy(values, y, classes)
            low, high = found.interval
            why = (
                f"{name} alone tells the label: balanced accuracy {found.estimate:.1%} "
                f"[{low:.1%}, {high:.1%}] out of fold, chance {1 / k:.1%}, n = {len(y):,}"
            )
            out.append(Finding(room_for_improvement(found.estimate, k), found.p, why))
    return out


def find_spurious_correlations(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    """Find correlations that are large, and certain.

    Labels are those of kept train and val samples.
    """
    at = scan.drawn[scan.is_labelled[scan.drawn]]
    rows = scan.state.iloc[at]
    if task_of(scan.bench).several:
        return []  # a set of labels is no class
    names, y = np.unique(rows.label.to_numpy(object).astype(str), return_inverse=True)
    if len(names) < 2:
        return []
    properties = {name: values[at] for name, values in scan.image_properties.items()}
    found = compare_properties(properties | metadata_columns(rows), y, len(names))
    return certain_issues(kind, found, SHORTCUT, threshold, scan.say_drawn())


FINDER = IssueFinder(
    {
        "spurious_correlations": Kind(
            "something that should not matter tells the label", SHORTCUT, whole=True
        )
    },
    find_spurious_correlations,
    order=100,
)

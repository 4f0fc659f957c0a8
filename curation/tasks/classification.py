"""Classification: every sample has one class, or no label yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import ask_meant, suggest_names
from assay.curation.tasks.base import Task
from assay.curation.text import escape_controls

if TYPE_CHECKING:
    import pandas as pd


class NoSuchClass(ValueError):
    """A label that no sample has; `label` says which."""

    def __init__(self, problem: str, label: str, meant: list[str]) -> None:
        super().__init__(problem)
        self.label, self.suggestions = label, meant


def parse_label(cell: str, classes: Collection[str]) -> str:
    """Read a cell as one of the classes.

    ValueError where it is none. A spreadsheet makes 3.0 of 3 in a column of whole numbers with gaps: that is taken
    back.
    """
    if cell in classes:
        return cell
    if cell.removesuffix(".0") in classes:
        return cell.removesuffix(".0")
    some = ", ".join(escape_controls(c) for c in sorted(classes)[:12])
    meant = suggest_names(cell, classes)
    asked = ask_meant([escape_controls(c) for c in meant])
    raise NoSuchClass(
        f"expected one of the classes {some}, found {cell!r}. {asked}".strip(), cell, meant
    )


def class_indices(labels: Sequence, classes: Sequence[str]) -> np.ndarray:
    """Give every label's class index (n,), -1 for none."""
    place = {name: index for index, name in enumerate(classes)}
    # four times as fast as an index of pandas: every decision asks for all samples
    return np.fromiter(map(place.get, np.asarray(labels, object), repeat(-1)), int, len(labels))


def score_classes(y: np.ndarray, probs: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Score labels by out-of-sample probabilities, through cleanlab.

    y (m,): class indices; probs (m, k): rows sum to 1. Frame of m rows: score (probability of the label, low is bad),
    suggestion (the likeliest class), confidence (its probability).
    """
    import pandas as pd
    from cleanlab.rank import get_self_confidence_for_each_label

    out = pd.DataFrame(index=range(len(y)))
    if not len(y):
        return out.assign(score=0.0, suggestion="", confidence=0.0)
    best = probs.argmax(1)
    out["score"] = get_self_confidence_for_each_label(y, probs)
    out["suggestion"] = np.array(classes, dtype=object)[best]
    out["confidence"] = probs[np.arange(len(y)), best]
    return out


def equal_classes(predicted: Sequence, labels: Sequence) -> np.ndarray:
    """Mark predictions of the label's class: (n,) uint8."""
    return (np.asarray(predicted, object) == np.asarray(labels, object)).astype("u1")


def likeliest_classes(probs: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Give the likeliest class of each row: (m,)."""
    return np.asarray(classes, object)[probs.argmax(1)]


TASK = Task(
    name="classification",
    noun="one label a sample",
    parse=parse_label,
    members=lambda label: (label,),
    show=str,
    targets=class_indices,
    score=score_classes,
    predict=likeliest_classes,
    correct=equal_classes,
)

"""Measure what a change of the class list did to accuracy.

The model before and the model after are judged on the same validation labels, by the coarser of
both class lists: what a merge makes one counts as one before it, and what a split parts counts as
one after it. So a change of names alone is no gain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.app.server.live_effect import describe_gain
from assay.curation.tasks import classification

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.tasks.base import Task


def tally_classes(
    state: pd.DataFrame, predicted: Mapping[str, str], task: Task
) -> dict[str, tuple[int, int]]:
    """Count (right, n) of the validation labels of every class.

    predicted: {sample: label} out of sample, of validation alone. Of label sets: how many of those that name the class
    are predicted with it.
    """
    import pandas as pd

    said = pd.Series(predicted, dtype=object)
    rows = state.reindex(said.index)
    use = rows.keep.eq(True).to_numpy() & rows.label.notna().to_numpy()
    use &= (rows["split"] == "val").to_numpy()
    if task.several:
        return tally_members(rows.label[use], said[use], task)
    label, right = rows.label[use], (rows.label == said)[use]
    found = right.groupby(label).agg(["sum", "size"])
    return {name: (int(r["sum"]), int(r["size"])) for name, r in found.iterrows()}


def tally_members(labels: pd.Series, said: pd.Series, task: Task) -> dict[str, tuple[int, int]]:
    """Count (also predicted, n) of the labels that name each class."""
    found: dict[str, tuple[int, int]] = {}
    for label, answer in zip(labels, said):
        for name in task.members(label):
            right, n = found.get(name, (0, 0))
            found[name] = right + (name in task.members(answer)), n + 1
    return found


def measure_change(
    state: pd.DataFrame,
    before: Mapping[str, str],
    after: Mapping[str, str],
    same: Mapping[str, str],
    task: Task = classification.TASK,
) -> dict[str, Any]:
    """Measure the paired difference between the predictions before and after a change.

    state: with the labels after it; same: {name: the name that it counts as}. Dict n, gain
    (estimate, low, high: see sequential.live_gain), better, worse, measurable.
    """
    ids = [s for s in before if s in after]
    rows = state.reindex(ids)
    use = (rows.keep.eq(True) & rows.label.notna() & (rows["split"] == "val")).to_numpy()

    def call(labels: Any) -> np.ndarray:
        names = [task.members(label) if isinstance(label, str) else () for label in labels]
        called = [sorted({same.get(name, name) for name in each}) for each in names]
        return np.array(["\0".join(each) for each in called], object)[use]

    label = call(rows.label)
    was = call(before[s] for s in ids) == label
    now = call(after[s] for s in ids) == label
    return describe_gain(now, was)

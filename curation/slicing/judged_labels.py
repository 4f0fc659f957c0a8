"""Lay out the labels that gaps count errors of.

With one label a sample that is the sample. With several it is each class that its label or the prediction names: such
a label is wrong where only one of the two names it, so that one less the rate of errors is the share of labels right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.tasks.base import Task

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class JudgedLabels:
    """The u labels of n samples, a row each: one for a sample of no class, too."""

    of: np.ndarray  # (u,) row of the sample, ascending
    code: np.ndarray  # (u,) into names; -1 for none
    names: list[str]  # classes, sorted
    given: np.ndarray  # (u,) bool, whether the sample's label names the class
    judged: np.ndarray  # (u,) bool, whether the model was asked
    wrong: np.ndarray  # (u,) bool
    several: bool

    @property
    def first(self) -> np.ndarray:
        """Mark the first row of each sample: (u,) bool."""
        return np.r_[True, np.diff(self.of) > 0][: len(self.of)]

    @property
    def spread(self) -> float:
        """Say how many labels are worth one that stands alone: errors of one sample come together.

        The variance of the rate of errors over what it were by itself, at least 1. [Rao and Scott 1992]
        """
        if not self.several or not self.judged.any():
            return 1.0
        n = np.bincount(self.of, self.judged)
        wrong = np.bincount(self.of, self.wrong)
        rate = wrong.sum() / n.sum()
        alone = rate * (1 - rate) * n.sum()
        return max(1.0, float(((wrong - rate * n) ** 2).sum() / alone)) if alone else 1.0


def lay_out_labels(state: pd.DataFrame, judged: pd.DataFrame, task: Task) -> JudgedLabels:
    """Lay out the labels of samples.

    state: n samples; judged: as find_model_errors gives it, by the same samples, null where it has none.
    """
    if not task.several:
        labels = state.label.fillna("").to_numpy(object).astype(str)
        names, code = np.unique(labels, return_inverse=True)
        rows = np.arange(len(state))
        asked, wrong = judged.label.notna().to_numpy(), judged.wrong.eq(True).to_numpy()
        return JudgedLabels(rows, code, list(names), rows >= 0, asked, wrong, False)
    of, classes, marks = [], [], []
    pairs = zip(state.label.to_numpy(object), judged.said.to_numpy(object))
    for row, (label, said) in enumerate(pairs):
        asked = isinstance(said, str)
        has = set(task.members(label)) if isinstance(label, str) else set()
        told = set(task.members(said)) if asked else set()
        for name in sorted(has | told) or [None]:
            of.append(row)
            classes.append(name)
            marks.append((name in has, asked, asked and (name in has) != (name in told)))
    names = sorted({name for name in classes if name is not None})
    place: dict[str | None, int] = {name: i for i, name in enumerate(names)} | {None: -1}
    code = np.array([place[name] for name in classes], int)
    given, judged_, wrong = np.array(marks, bool).reshape(-1, 3).T
    return JudgedLabels(np.array(of, int), code, names, given, judged_, wrong, True)

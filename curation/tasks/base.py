"""What a task is: what a label says, and judges models by.

A member of this extension point is one module with a `TASK`: of this package, or of an entry point of the group
`assay.curation.tasks`. Today classification.py is the only one, so every sample has one class.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.plugins import discover

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Task:
    """What a label says, as plain functions: arrays and rows in, arrays and rows out."""

    name: str
    # a cell of a CSV or of JSON, and the classes there are -> the value of an edit; ValueError says what is wrong
    parse: Callable[[str, Collection[str]], Any]
    # labels (n,) and classes -> what the probe fits, (n,) or (n, k); -1 where a row has no label of these
    targets: Callable[[Sequence, Sequence[str]], np.ndarray]
    # targets (m,), out-of-sample probabilities (m, k), classes
    # -> frame of m rows: score (0 to 1, low is bad), suggestion, confidence
    score: Callable[[np.ndarray, np.ndarray, Sequence[str]], pd.DataFrame]
    # predicted and true labels (n,) -> (n,), 0 wrong to 1 right
    correct: Callable[[Sequence, Sequence], np.ndarray]


def list_tasks() -> list[Task]:
    """List our tasks, then those of other distributions."""
    modules = discover("assay.curation.tasks")
    return [module.TASK for module in modules if hasattr(module, "TASK")]

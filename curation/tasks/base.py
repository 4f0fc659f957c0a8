"""What a task is: what a label says, and judges models by.

A member of this extension point is one module with a `TASK`: of this package, or of an entry point of the group
`assay.curation.tasks`. A bench has one, which its first import decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UnknownName, UserError
from assay.curation.plugins import discover
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


class OtherTask(UserError):
    """A bench whose labels are of another kind than is asked for."""

    code = "other_task"


@dataclass(frozen=True)
class Task:
    """What a label says, as plain functions: arrays and rows in, arrays and rows out."""

    name: str
    noun: str  # what a sample has, in words
    # a cell of a CSV or of JSON, and the classes there are -> the value of an edit; ValueError says what is wrong
    parse: Callable[[str, Collection[str]], Any]
    # a label -> the classes that it names
    members: Callable[[str], Sequence[str]]
    # a label -> how people read it
    show: Callable[[str], str]
    # labels (n,) and classes -> what the probe fits, (n,) or (n, k); -1 where a row has no label of these
    targets: Callable[[Sequence, Sequence[str]], np.ndarray]
    # targets (m,), out-of-sample probabilities (m, k), classes
    # -> frame of m rows: score (0 to 1, low is bad), suggestion, confidence
    score: Callable[[np.ndarray, np.ndarray, Sequence[str]], pd.DataFrame]
    # probabilities (m, k), classes -> the labels (m,) that they say
    predict: Callable[[np.ndarray, Sequence[str]], np.ndarray]
    # predicted and true labels (n,) -> (n,), 0 wrong to 1 right
    correct: Callable[[Sequence, Sequence], np.ndarray]
    several: bool = False  # whether a label is a set of classes


def list_tasks() -> list[Task]:
    """List our tasks, then those of other distributions."""
    modules = discover("assay.curation.tasks")
    return [module.TASK for module in modules if hasattr(module, "TASK")]


TASK_OF = "select value from meta where key = 'task'"


def task_of(bench: Bench) -> Task:
    """Look up the task of a bench, which its first import decided."""
    return find_task((bench.rows(TASK_OF) or [("classification",)])[0][0])


def read_task(con: duckdb.DuckDBPyConnection) -> Task:
    """Look up the task of the bench that a connection is open on."""
    return find_task((con.execute(TASK_OF).fetchall() or [("classification",)])[0][0])


@cache
def find_task(name: str) -> Task:
    """Find a task by its name."""
    tasks = {task.name: task for task in list_tasks()}
    if name not in tasks:
        some = ", ".join(tasks)
        raise UnknownName(
            f"expected a task {some}, found {name!r}", f"--task {some}", name, [*tasks]
        )
    return tasks[name]


def list_members(task: Task, labels: Iterable[str | None]) -> list[str]:
    """List the classes that labels name, sorted."""
    distinct = {label for label in labels if isinstance(label, str)}
    return sorted({name for label in distinct for name in task.members(label)})


def explode_labels(task: Task, labels: pd.Series) -> pd.Series:
    """Give a row for each class that each label names; no label has none."""
    if not task.several:
        return labels.dropna()
    return labels.dropna().map(task.members).explode().dropna()


def has_class(task: Task, labels: pd.Series, name: str) -> np.ndarray:
    """Mark the labels (n,) that name a class."""
    if task.name == "classification":
        return (labels == name).to_numpy(bool)
    said = {label: name in task.members(label) for label in labels.dropna().unique()}
    return labels.map(lambda label: said.get(label, False)).to_numpy(bool)


def name_strata(task: Task, labels: Sequence[str | None]) -> list[str | None]:
    """Name the stratum of each label by which splits are drawn: its class, or the rarest of its classes."""
    if not task.several:
        return list(labels)
    names = [list(task.members(label)) if isinstance(label, str) else [] for label in labels]
    counts = Counter(name for each in names for name in each)
    return [
        min(each, key=lambda name: (counts[name], name)) if each else label
        for each, label in zip(names, labels)
    ]


def refuse_task(bench: Bench, what: str, instead: str) -> None:
    """Refuse what is not to be had for several labels a sample.

    what: as in "a confusion matrix"; instead: what to do.
    """
    if (task := task_of(bench)).several:
        raise OtherTask(f"expected one label a sample for {what}, found {task.noun}", instead)

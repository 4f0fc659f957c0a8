"""Judge models of label sets on validation: each class by itself.

A class is missed where the label names it and the model does not, added where the model alone does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.predictions.model_predictions import Model, PredictedClasses
from assay.curation.statistics import contrasts
from assay.curation.statistics.clustered import grouped_accuracy
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import list_members, task_of
from assay.curation.tasks.classification import class_indices
from assay.curation.tasks.multilabel import set_targets
from assay.curation.versioning.class_list import order_classes
from assay.pipelines.evaluation.model_confusions import (
    PAIR,
    JudgedModel,
    adjust_differences,
    count_places,
    describe_difference,
    find_lenders,
    judge_models,
    list_notes,
    mean_count,
    read_models,
)
from assay.pipelines.evaluation.slice_effects import FEW
from assay.pipelines.evaluation.test_set import interval_to_dict

if TYPE_CHECKING:
    import pandas as pd

NOTE = (
    "A class is missed where the label names it and the model does not, and added where the model alone names it. "
    "Off the diagonal stands how often the row's class is missed where the column's is added in the same sample."
)


@dataclass(frozen=True)
class JudgedSets:
    """What a model said of m validation samples with several labels."""

    model: Model
    said: np.ndarray  # (S, m, k) bool, the classes that each seed predicts
    has: np.ndarray  # (m, k) bool, those of the labels

    @property
    def missed(self) -> np.ndarray:
        return ~self.said & self.has

    @property
    def added(self) -> np.ndarray:
        return self.said & ~self.has

    @property
    def wrong(self) -> np.ndarray:
        """Count the labels that are wrong: (S, m)."""
        return (self.said != self.has).sum(-1)


def judge_on_validation(bench: Bench, names: list[str], val: pd.DataFrame) -> dict:
    """Judge one model, or compare two, by what the bench's labels are.

    See judge_models and judge_sets; `several` says which.
    """
    several = task_of(bench).several
    found = (judge_sets if several else judge_models)(bench, names, val)
    return found | dict(several=several)


def judge_sets(bench: Bench, names: list[str], val: pd.DataFrame) -> dict:
    """Judge one model of label sets, or compare two, on labelled validation samples.

    val and what is returned are as judge_models has them, but: a model has exact (share of exact matches) in place of
    balanced, accuracy is the share of labels right, errors are labels; a class has missed and added, its difference is
    that of its labels right; cells count samples where the row's class is missed and the column's added, on the
    diagonal where label and model name it.
    """
    models, said, seen = read_models(bench, names, val)
    part = val[seen]
    told = {name for one in said for name in name_predicted(one, seen)}
    classes = order_classes(bench, told | set(list_members(task_of(bench), part.label)))
    has = set_targets(part.label, classes) == 1
    judged = [JudgedSets(m, place_said(one, seen, classes), has) for m, one in zip(models, said)]
    doubts = None if part.flagged.isna().all() else part.flagged.eq(True).to_numpy()
    checked = part.reviewed.eq(True).to_numpy()
    right = [
        JudgedModel(m, one.codes[:, seen], one.mark_right(val.label)[:, seen])
        for m, one in zip(models, said)
    ]
    rows, tested = describe_members(judged, classes, doubts, checked)
    out = dict(
        classes=classes,
        n=len(part),
        unseen=int((~seen).sum()),
        models=[describe_model(bench, *two, part, doubts, checked) for two in zip(judged, right)],
        cells=count_pairs(judged, doubts),
        rows=rows,
        difference=describe_difference(right),
    )
    return out | dict(notes=[NOTE, *list_notes(right, out, tested, doubts)])


def name_predicted(said: PredictedClasses, seen: np.ndarray) -> list[str]:
    """Name the classes that any seed predicts of some samples."""
    assert said.members is not None
    return [said.classes[i] for i in np.flatnonzero(said.members[:, seen].any((0, 1)))]


def place_said(said: PredictedClasses, seen: np.ndarray, classes: list[str]) -> np.ndarray:
    """Bring what a model predicts of some samples to the common classes: (S, m, k) bool."""
    assert said.members is not None
    at = class_indices(said.classes, classes)
    out = np.zeros((len(said.members), int(seen.sum()), len(classes)), bool)
    out[:, :, at[at >= 0]] = said.members[:, seen][:, :, at >= 0]
    return out


def describe_model(
    bench: Bench,
    one: JudgedSets,
    right: JudgedModel,
    part: pd.DataFrame,
    doubts: np.ndarray | None,
    checked: np.ndarray,
) -> dict:
    """Describe a model: name, kind, share of labels right and exact match with intervals, errors."""
    others = find_lenders(bench, one.model, part.label)
    accuracy = contrasts.cell_accuracy(right.right, others=others)
    exact = contrasts.cell_accuracy(1.0 * (one.wrong == 0))
    return (
        dict(name=one.model.name, kind=one.model.kind, seeds=len(one.said))
        | dict(accuracy=interval_to_dict(accuracy), exact=interval_to_dict(exact))
        | count_wrong(one.wrong, doubts, checked)
    )


def count_wrong(wrong: np.ndarray, doubts: np.ndarray | None, checked: np.ndarray) -> dict:
    """Count wrong labels (S, m), as means over seeds: all, of doubted samples, of reviewed ones."""
    return dict(
        errors=mean_count(wrong),
        doubted=None if doubts is None else mean_count(wrong * doubts),
        reviewed=mean_count(wrong * checked),
    )


def describe_members(
    judged: list[JudgedSets], classes: list[str], doubts: np.ndarray | None, checked: np.ndarray
) -> tuple[list[dict], int]:
    """Describe every class, and count those whose difference was tested."""
    rows, found = [], []
    for code, name in enumerate(classes):
        models = [describe_member(one, code, doubts, checked) for one in judged]
        own = judged[0].has[:, code]
        row: dict[str, Any] = dict(name=name, n=int(own.sum()), models=models, difference=None)
        asked = own | np.any([one.said[:, :, code].any(0) for one in judged], axis=0)
        if len(judged) > 1 and asked.sum() >= FEW:
            right = [1.0 * (one.said == one.has)[:, asked, code] for one in judged]
            e = contrasts.contrast(right, PAIR)
            row["difference"] = interval_to_dict(e) | dict(n=int(asked.sum()))
            found.append(e)
        rows.append(row)
    return rows, adjust_differences(rows, found)


def describe_member(
    one: JudgedSets, code: int, doubts: np.ndarray | None, checked: np.ndarray
) -> dict:
    """Describe a class by a model: recall, precision, missed, added, and both with doubts.

    Each of recall and precision is None where there is nothing to judge; precision's interval takes a sample that
    several seeds call so as one.
    """
    own, said = one.has[:, code], one.said[:, :, code]
    recall = interval_to_dict(contrasts.cell_accuracy(1.0 * said[:, own])) if own.any() else None
    _, called = np.nonzero(said)
    precision = None
    if len(called):
        precision = dict(zip(("estimate", "low", "high"), grouped_accuracy(own[called], called)))
    missed, added = one.missed[:, :, code], one.added[:, :, code]
    both = dict(
        missed=mean_count(missed),
        added=mean_count(added),
        missed_doubted=None if doubts is None else mean_count(missed & doubts),
        added_doubted=None if doubts is None else mean_count(added & doubts),
    )
    counts = count_wrong(1 * missed + added, doubts, checked)
    return dict(recall=recall, precision=precision, called=len(called) / len(said)) | both | counts


def count_pairs(judged: list[JudgedSets], doubts: np.ndarray | None) -> list[list]:
    """Count samples where a class is missed and another added, and where one is given and predicted.

    Lists as count_cells has them.
    """
    entries, seeds = [list_pairs(one) for one in judged], [len(one.said) for one in judged]
    return count_places(entries, seeds, doubts, judged[0].has.shape[1])


def list_pairs(one: JudgedSets) -> tuple[np.ndarray, np.ndarray]:
    """List the cells that each sample of each seed is in: (places, samples)."""
    k = one.has.shape[1]
    _, at, code = np.nonzero(one.said & one.has)
    places, samples = [code * k + code], [at]
    missed, added = one.missed, one.added
    for seed, row in zip(*np.nonzero(missed.any(-1) & added.any(-1))):
        lost, came = np.flatnonzero(missed[seed, row]), np.flatnonzero(added[seed, row])
        pairs = (lost[:, None] * k + came).ravel()
        places.append(pairs)
        samples.append(np.full(len(pairs), row))
    return np.concatenate(places), np.concatenate(samples)

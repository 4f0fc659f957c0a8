"""Judge models on validation: confusions, and every class with n and interval.

One model, or two of them on the same samples. Validation chooses; only the test set proves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.predictions.model_predictions import (
    Model,
    PredictedClasses,
    check_model,
    list_models,
    read_predicted,
)
from assay.curation.statistics import contrasts, multiple_testing
from assay.curation.statistics.clustered import grouped_accuracy
from assay.curation.statistics.estimates import Estimate
from assay.curation.storage.interface import Bench
from assay.curation.tasks.classification import class_indices
from assay.curation.text import format_count
from assay.curation.versioning.class_list import order_classes
from assay.pipelines.evaluation.pairwise import judge_runs
from assay.pipelines.evaluation.slice_effects import FEW
from assay.pipelines.evaluation.test_set import estimate_to_dict, interval_to_dict

if TYPE_CHECKING:
    import pandas as pd

PAIR = (-1, 1)  # B - A
RIGHT = "Right is what agrees with the validation label as it stands now; labels err, too."
INDEPENDENT = "Intervals take samples as independent: where several are of one patient or scene, they are too narrow."


@dataclass(frozen=True)
class JudgedModel:
    """What a model said of m validation samples, and whether it was right."""

    model: Model
    said: np.ndarray  # (S, m) class indices, a row for each seed
    right: np.ndarray  # (S, m) 0/1


def judge_models(bench: Bench, names: list[str], val: pd.DataFrame) -> dict:
    """Judge one model, or compare two, on labelled validation samples.

    val: frame by sample: label, flagged (null where nothing is scanned), reviewed. Returns a dict as JSON has it:
    classes; n (samples judged), unseen (those that a model has not predicted); models (a dict each: see
    describe_model); cells (a list each: row and column of `classes`, then for each model count, doubted, samples);
    rows (a class each: see describe_class); difference (of two: estimate, low, high, word); notes.
    """
    models, said, seen = read_models(bench, names, val)
    part = val[seen]
    classes = list_seen_classes(bench, part, said, seen)
    truth = class_indices(part.label, classes)
    judged = [judge_model(m, one, seen, classes, truth) for m, one in zip(models, said)]
    doubts = None if part.flagged.isna().all() else part.flagged.eq(True).to_numpy()
    checked = part.reviewed.eq(True).to_numpy()
    rows, tested = describe_classes(judged, classes, truth, doubts, checked)
    out = dict(
        classes=classes,
        n=len(part),
        unseen=int((~seen).sum()),
        models=[describe_model(bench, one, part, truth, doubts, checked) for one in judged],
        cells=count_cells(judged, truth, doubts, len(classes)),
        rows=rows,
        difference=describe_difference(judged),
    )
    return out | dict(notes=list_notes(judged, out, tested, doubts))


def read_models(
    bench: Bench, names: list[str], val: pd.DataFrame
) -> tuple[list[Model], list[PredictedClasses], np.ndarray]:
    """Read what models predict of validation samples, and which all of them did (n,)."""
    models = [check_model(bench, name) for name in names]
    refuse_shared_runs(models)
    said = [read_predicted(bench, name, val.index) for name in names]
    seen = np.all([(one.codes >= 0).all(0) for one in said], axis=0)
    if not seen.any():
        raise UserError(
            f"expected validation samples that {' and '.join(names)} predicted, found none",
            "choose another model or filter, or train anew: assay experiment",
        )
    return models, said, seen


def refuse_shared_runs(models: list[Model]) -> None:
    """Refuse to compare a model with itself.

    A run and its own recipe share that run, and are refused, too.
    """
    names, keys = [m.name for m in models], [{run["key"] for run in m.runs} for m in models]
    if len(models) > 1 and (names[0] == names[1] or keys[0] & keys[1]):
        raise UserError(
            f"expected two different models, found {names[0]} and {names[1]}, which share some",
            "a difference from itself is nothing",
        )


def list_seen_classes(
    bench: Bench, part: pd.DataFrame, said: list[PredictedClasses], seen: np.ndarray
) -> list[str]:
    """List the classes that a label or model names, in order.

    The order is that of the class list.
    """
    names = set(part.label)
    for one in said:
        names.update(one.classes[i] for i in np.unique(one.codes[:, seen]))
    return order_classes(bench, names)


def judge_model(
    model: Model, said: PredictedClasses, seen: np.ndarray, classes: list[str], truth: np.ndarray
) -> JudgedModel:
    """Bring a model's predictions to the common classes, and judge them."""
    codes = class_indices(said.classes, classes)[said.codes[:, seen]]
    return JudgedModel(model, codes, 1.0 * (codes == truth))


# ---- numbers


def measure_accuracy(bench: Bench, model: Model, right: np.ndarray, labels: pd.Series) -> Estimate:
    """Measure a model's accuracy.

    right (S, m): whether each seed is right on m samples. labels: theirs, by sample.
    """
    return contrasts.cell_accuracy(right, others=find_lenders(bench, model, labels))


def find_lenders(bench: Bench, model: Model, labels: pd.Series) -> list[np.ndarray]:
    """Find the runs that lend a recipe their spread over seeds.

    Returns arrays (S, m): whether runs of its architecture on other versions are right. Random
    controls are left out. A run alone borrows nothing: it speaks of itself.
    """
    if model.kind != "runs" or "/" not in model.name:
        return []
    out = []
    for other in list_models(bench):
        if other.arch != model.arch or other.name == model.name or "random(" in other.version:
            continue
        if other.kind == "runs" and other.runs:
            said = read_predicted(bench, other.name, labels.index)
            if (said.codes >= 0).all():
                out.append(said.mark_right(labels))
    return out


def describe_model(
    bench: Bench,
    one: JudgedModel,
    part: pd.DataFrame,
    truth: np.ndarray,
    doubts: np.ndarray | None,
    checked: np.ndarray,
) -> dict:
    """Describe a model: name, kind, accuracy and balanced accuracy with intervals, errors."""
    others = find_lenders(bench, one.model, part.label)
    accuracy = contrasts.cell_accuracy(one.right, others=others)
    balanced = contrasts.balanced_accuracy(one.right, truth, others=others)
    return (
        dict(name=one.model.name, kind=one.model.kind, seeds=len(one.said))
        | dict(accuracy=interval_to_dict(accuracy), balanced=interval_to_dict(balanced))
        | count_errors(one.right, doubts, checked)
    )


def count_errors(right: np.ndarray, doubts: np.ndarray | None, checked: np.ndarray) -> dict:
    """Count errors, as means over seeds: all, doubted and reviewed.

    doubted: those of doubted labels; None where doubts are not known.
    """
    wrong = 1 - right
    return dict(
        errors=mean_count(wrong),
        doubted=None if doubts is None else mean_count(wrong * doubts),
        reviewed=mean_count(wrong * checked),
    )


def mean_count(marks: np.ndarray) -> float:
    """Count marks (S, m), a mean over seeds."""
    return float(marks.sum() / len(marks))


def describe_classes(
    judged: list[JudgedModel],
    classes: list[str],
    truth: np.ndarray,
    doubts: np.ndarray | None,
    checked: np.ndarray,
) -> tuple[list[dict], int]:
    """Describe every class, and count those whose difference was tested."""
    rows, found = [], []
    order = np.argsort(truth, kind="stable")
    ends = np.searchsorted(truth[order], np.arange(len(classes) + 1))
    for code, name in enumerate(classes):
        own = order[ends[code] : ends[code + 1]]
        part = None if doubts is None else doubts[own]
        models = [describe_class(one, code, own, part, checked[own]) for one in judged]
        row: dict = dict(name=name, n=len(own), models=models, difference=None)
        if len(judged) > 1 and len(own) >= FEW:
            e = contrasts.contrast([one.right[:, own] for one in judged], PAIR)
            row["difference"] = interval_to_dict(e)
            found.append(e)
        rows.append(row)
    return rows, adjust_differences(rows, found)


def adjust_differences(rows: list[dict], found: list[Estimate]) -> int:
    """Allow for how many classes had their difference tested, and count them."""
    tested = [row for row in rows if row["difference"]]
    adjusted = multiple_testing.adjust_holm([e.p for e in found])
    for row, wide, p in zip(tested, multiple_testing.holm_intervals(found), adjusted):
        row["difference"] |= dict(p_holm=float(p), word=judge_runs(wide))
    return len(tested)


def describe_class(
    one: JudgedModel, code: int, own: np.ndarray, doubts: np.ndarray | None, checked: np.ndarray
) -> dict:
    """Describe a class by a model: recall, precision, errors.

    own: the samples labelled so; doubts and checked are theirs. Each of recall and precision is None where there is
    nothing to judge; precision's interval takes a sample that several seeds call so as one.
    """
    right = one.right[:, own]
    recall = interval_to_dict(contrasts.cell_accuracy(right)) if len(own) else None
    _, called = np.nonzero(one.said == code)
    precision = None
    if len(called):
        hits = one.right[one.said == code]
        precision = dict(zip(("estimate", "low", "high"), grouped_accuracy(hits, called)))
    counts = count_errors(right, doubts, checked)
    return dict(recall=recall, precision=precision, called=len(called) / len(one.said)) | counts


def describe_difference(judged: list[JudgedModel]) -> dict | None:
    """Describe the paired difference of two models, B - A."""
    if len(judged) < 2:
        return None
    e: Estimate = contrasts.contrast([one.right for one in judged], PAIR)
    return estimate_to_dict(e) | dict(word=judge_runs(e))


def count_cells(
    judged: list[JudgedModel], truth: np.ndarray, doubts: np.ndarray | None, k: int
) -> list[list]:
    """Count the cells of the confusion matrix that are not empty.

    Lists: row, column, then for each model count (a mean over seeds), doubted (likewise; None without a scan),
    samples (those that any seed puts there).
    """
    rows = np.arange(len(truth))
    entries = [((truth * k + one.said).ravel(), np.tile(rows, len(one.said))) for one in judged]
    return count_places(entries, [len(one.said) for one in judged], doubts, k)


def count_places(
    entries: list[tuple[np.ndarray, np.ndarray]],
    seeds: list[int],
    doubts: np.ndarray | None,
    k: int,
) -> list[list]:
    """Count what lies in each cell of k columns: lists as count_cells has them.

    entries: for each model the cells, row * k + column, and the samples that its seeds put there.
    """
    counts: dict[int, list] = {}
    for number, ((places, at), several) in enumerate(zip(entries, seeds)):
        found, inverse = np.unique(places, return_inverse=True)
        count = np.bincount(inverse) / several
        weights = np.ones(len(at)) if doubts is None else doubts[at]
        doubted = np.bincount(inverse, weights) / several
        once = np.unique(np.stack([inverse, at]), axis=1)[0]
        samples = np.bincount(once, minlength=len(found))
        for i, place in enumerate(found.tolist()):
            cell = counts.setdefault(place, [[0.0, 0.0, 0] for _ in entries])
            cell[number] = [count[i], doubted[i], int(samples[i])]
    out = []
    for place, cell in sorted(counts.items()):
        flat = [x if j != 1 or doubts is not None else None for c in cell for j, x in enumerate(c)]
        out.append([place // k, place % k, *flat])
    return out


# ---- words


def list_notes(
    judged: list[JudgedModel], out: dict, tested: int, doubts: np.ndarray | None
) -> list[str]:
    """Say how to read the numbers, and what is left out."""
    notes = [RIGHT, INDEPENDENT]
    if out["unseen"]:
        who = "the model has not" if len(judged) == 1 else "not both models have"
        few = format_count(out["unseen"], "validation sample", "is", "are")
        notes.append(f"{few} left out: {who} predicted them.")
    if doubts is None:
        notes.append("Which errors are of doubted labels takes a scan.")
    elif any(one.model.name == "probe" for one in judged):
        notes.append(
            "The live probe doubts every label that it gets wrong, unless somebody has reviewed it or a "
            "class has too few samples to judge."
        )
    if any(len(one.said) > 1 for one in judged):
        notes.append("Counts are means over seeds.")
    if all(len(one.said) == 1 for one in judged):
        notes.append("This is one training: another seed of the same recipe may do otherwise.")
    if len(judged) > 1:
        notes.append(
            f"Differences are paired; better and worse allow for all {format_count(tested, 'class')} tested "
            f"(Holm), and under {FEW} samples a class is not tested. Intervals are 95 % each, for one "
            "look; Review's live effect holds at every look, and the test set proves."
        )
    return notes

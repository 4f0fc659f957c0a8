"""Compare the confusions before and after a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.predictions.run_predictions import Predictions
from assay.curation.storage.interface import Bench
from assay.curation.tasks.classification import class_indices
from assay.curation.text import format_count
from assay.curation.versioning.class_list import order_classes

if TYPE_CHECKING:
    import pandas as pd

CHANGED = 20  # cells of the confusion matrix that are listed as most changed
CLASSES = 200  # beyond these a page or a JSON file holds no whole matrix


def load_predictions(
    bench: Bench, wanted: list[dict], test: pd.DataFrame
) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
    """Load what each run predicted for test samples.

    As numbers into the classes. Returns the classes that the test labels or a run know, in the
    order of the class list, and {(version, arch): (S, m) int}.
    """
    runs, names = {}, set(test.label)
    ids, last = np.asarray(test.index, "S32"), None
    for c in wanted:
        kept = Predictions.load_named(bench, c["key"])
        if last is None or not np.array_equal(kept.ids, last):
            last, at = kept.ids, np.searchsorted(kept.ids, ids)
        called = [name or "(abstains)" for name in kept.classes]  # as rules may
        names.update(called)
        answers = called, kept.probs[at].argmax(1)
        runs.setdefault((c["version"], c["arch"]), []).append(answers)
    classes = np.array(order_classes(bench, names))
    return classes, {
        cell: np.array([class_indices(own, classes)[best] for own, best in answers])
        for cell, answers in runs.items()
    }


def confusion_matrix(truth: np.ndarray, said: np.ndarray, k: int) -> np.ndarray:
    """Count truth x prediction, a mean over runs: (k, k).

    Row t sums to the number of samples of class t. truth (m,), said (S, m): classes as numbers
    below k.
    """
    return np.bincount((truth * k + said).ravel(), minlength=k * k).reshape(k, k) / len(said)


def compare_confusions(
    truth: np.ndarray, pairs: dict[str, tuple[np.ndarray, np.ndarray]], classes: np.ndarray
) -> tuple[dict, list[str]]:
    """Compare the confusion before and after.

    Of each architecture, and in the mean. pairs: {arch: (said before, said after)}. Returns dict
    classes, by_arch and mean (before, after, difference), changed (the cells that changed most),
    and notes of what is left out.
    """
    k = len(classes)
    counts = {
        arch: [confusion_matrix(truth, said, k) for said in halves]
        for arch, halves in pairs.items()
    }
    mean = [np.mean(halves, 0) for halves in zip(*counts.values())]
    out = dict(classes=classes.tolist(), changed=find_most_changed(*mean, classes))
    if k > CLASSES:
        large = f"the confusion matrix of {format_count(k, 'class')} is too large to show"
        note = f"{large}; the {CHANGED} cells that changed most are listed"
        return out | dict(by_arch={}, mean=None), [note]
    by_arch = {arch: matrix_to_dict(*halves) for arch, halves in counts.items()}
    return out | dict(by_arch=by_arch, mean=matrix_to_dict(*mean)), []


def matrix_to_dict(before: np.ndarray, after: np.ndarray) -> dict[str, list]:
    """Write two matrices (k, k) and their difference as lists."""
    return dict(before=before.tolist(), after=after.tolist(), difference=(after - before).tolist())


def find_most_changed(
    before: np.ndarray, after: np.ndarray, classes: np.ndarray, most: int = CHANGED
) -> list[dict]:
    """Find the mistakes whose counts changed most.

    Dicts from (test label), to (prediction), before, after, difference.
    """
    difference, k = after - before, len(classes)
    off = np.where(np.eye(k, dtype=bool), 0, abs(difference))
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    counts = dict(before=before, after=after, difference=difference)
    out = []
    for t, p in (divmod(int(i), k) for i in order):
        if off[t, p]:
            cell = {"from": str(classes[t]), "to": str(classes[p])}
            out.append(cell | {name: float(count[t, p]) for name, count in counts.items()})
    return out

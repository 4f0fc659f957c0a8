"""Measure what a review session did to validation accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.review import progress
from assay.curation.statistics import sequential
from assay.curation.storage.arrays import load_arrays, save_arrays

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from assay.curation.review.live_excerpt import ValSample
    from assay.curation.review.next_gain import Outlook
    from assay.curation.review.next_hundred import NextHundred
    from assay.curation.review.progress import FlagPrecision
    from assay.curation.tasks.base import Task


class Coming(NamedTuple):
    """How right the flags are; what the next labels of the queue hold, and gain."""

    flags: FlagPrecision | None
    hold: NextHundred | None
    gain: Outlook


def predict_val(
    part: pd.DataFrame, classes: Sequence[str], probs: np.ndarray, task: Task
) -> dict[str, str]:
    """Predict each validation sample: {sample: label}.

    part: a state without test and guard, of whose rows probs (n, k) are, out of sample; classes that are too few to
    judge have probability 0, for they are no answer.
    """
    val = np.flatnonzero(part.split.to_numpy(object) == "val")
    ids = part.index[val].to_numpy(object)
    return dict(zip(ids, task.predict(probs[val], classes)))


def load_baseline(
    file: Path, state: pd.DataFrame, predicted: dict[str, str], val: ValSample | None = None
) -> dict:
    """Read the predictions on validation when a session began.

    And the labels then. Kept on disk, so that a restart forgets nothing; written when it is first asked for. Arrays
    ids, said, labels. val: which count, where that are not all: then also weights, and total.
    """
    kept = load_arrays(file)
    if kept is None:
        use = np.array([] if val is None else val.weights > 0)
        ids = sorted(predicted) if val is None else list(val.labels.index[use])
        labels = state.label.reindex(ids)
        kept = dict(
            ids=np.array(ids, "S32"),
            said=np.array([predicted.get(s, "") for s in ids], "U"),
            labels=np.array([label or "" for label in labels.where(labels.notna(), "")], "U"),
        )
        if val is not None:
            kept |= dict(weights=val.weights[use], total=np.array(val.total))
        save_arrays(file, **kept)
    return kept


def rename_baseline(baseline: dict, former: dict[str, str]) -> dict:
    """Rename the classes of a session's beginning to their present names."""
    if not former:
        return baseline
    called = {
        k: np.array([former.get(name, name) for name in baseline[k]], "U")
        for k in ("said", "labels")
    }
    return baseline | called


def measure_effect(
    state: pd.DataFrame,
    predicted: dict[str, str],
    baseline: dict,
    val: ValSample | None = None,
) -> dict:
    """Measure the paired validation difference since a session began.

    Both models are judged by the labels as they are now. Dict n, gain (estimate, low, high: they hold at all looks of
    the session together, see sequential.live_gain), better and worse (answers that became right, and wrong),
    measurable (the interval excludes zero), validation_changed (labels, since: no gain), n_of (validation labels that
    these n stand for; n where they are all: see live_excerpt.weigh_val). val: what counts, where that are not all.
    """
    ids = baseline["ids"].astype(str)
    at = state.index.get_indexer(ids)
    label = np.append(state.label.to_numpy(object), None)[at]
    keep = np.append(state.keep.to_numpy(bool), False)[at]
    now = np.array([predicted.get(s, "") for s in ids], object)
    use = keep & np.array([bool(x) for x in label]) & (now != "")
    changed = int(((label != baseline["labels"].astype(object)) & use).sum())
    then, weights = baseline["said"].astype(object), baseline.get("weights")
    weights = None if weights is None else weights[use]
    found = describe_gain((now == label)[use], (then == label)[use], weights)
    of = found["n"] if weights is None else int(baseline["total"])
    if val is not None:  # whoever has no answer of the beginning had no edit before it
        known = np.zeros(len(state) + 1, bool)
        known[at] = True
        others = val.labels[~known[state.index.get_indexer(val.labels.index)]]
        there = state.reindex(others.index)
        changed += int((there.label.ne(others) & there.keep.eq(True) & there.label.notna()).sum())
    return found | dict(validation_changed=changed, n_of=max(of, found["n"]))


def describe_gain(right: np.ndarray, was: np.ndarray, weights: np.ndarray | None = None) -> dict:
    """Describe a paired difference as measure_effect does.

    right, was (n,): which answers are right now, and were before. weights (n,): how many each stands for; None: 1.
    """
    n, better, worse = len(right), int((right & ~was).sum()), int((was & ~right).sum())
    if not n:
        return dict(n=0, gain=None, better=0, worse=0, measurable=False)
    if weights is None:
        gain = sequential.live_gain(better, worse, n)
    else:
        gain = sequential.sampled_gain(right.astype(int) - was, weights)
    interval = [gain.estimate, gain.low, gain.high]
    return dict(n=n, gain=interval, better=better, worse=worse, measurable=gain.measurable)


def describe_reviews(review: dict, coming: Coming) -> dict:
    """Put the share wrong and the errors left in words.

    Beside their figures; None before 30 random reviews. review: as progress.summarize_reviews. `outlook`: what the next
    labels gain, see Outlook.to_json.
    """
    return review | dict(
        share_words=review["share"] and progress.describe_random_rate(review),
        left_words=progress.describe_errors_left(review),
        flags=coming.flags and coming.flags._asdict(),
        flags_words=coming.flags and coming.flags.describe(),
        next_labels=coming.hold and coming.hold._asdict(),
        next_words=coming.hold and coming.hold.describe(),
        outlook=coming.gain.to_json(),
    )

"""Measure what reviews gained on validation: one after another, and by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.statistics import estimates, multiple_testing
from assay.curation.statistics.estimates import Estimate
from assay.curation.times import iso_time
from assay.pipelines.evaluation.decisions import valid_seconds
from assay.pipelines.evaluation.replay import SCOPE, Replay, paired_estimate
from assay.pipelines.evaluation.test_set import interval_to_dict

if TYPE_CHECKING:
    import pandas as pd


def gain_curve(replay: Replay, steps: int = 12) -> dict:
    """Measure gain against reviews done.

    Returns dict points (dicts reviews, minutes or None, changed: training samples that the
    reviews so far change, estimate, low, high: against no review), last_third (dict reviews
    [from, to], estimate, low, high, verdict), n validation samples, validation_changed (validation
    labels that differ between the versions: never gain), other (training labels that differ for
    other reasons than these reviews, and do so at every point), scope.
    """
    n, minutes = len(replay.reviews), sum_minutes(replay.reviews.seconds)
    third = round(2 * n / 3)
    ridge, scored, points = replay.start, {}, []
    for k in sorted({third, *(round(x) for x in np.linspace(0, n, steps + 1))}):
        ridge = ridge.relabel(replay.labels_without(replay.changes[replay.changes.number >= k]))
        scored[k] = ridge.y, replay.score(ridge)[0]
        took = None if minutes is None else float(minutes[k])
        changed = int((ridge.y != replay.start.y).sum())
        gain = interval_to_dict(paired_estimate(scored[k], scored[0]))
        points.append(dict(reviews=k, minutes=took, changed=changed) | gain)
    e = paired_estimate(scored[n], scored[third])
    return dict(
        points=points,
        last_third=dict(reviews=[third, n], verdict=judge_last_third(e)) | interval_to_dict(e),
        n=replay.n,
        validation_changed=replay.corrected,
        other=replay.other,
        scope=SCOPE,
    )


def sum_minutes(seconds: pd.Series) -> np.ndarray | None:
    """Sum the minutes up to each review.

    (n + 1,), from 0 on; None where none is timed. A review without seconds counts with the median
    of the others.
    """
    seconds = valid_seconds(seconds)
    known = np.isfinite(seconds)
    if not known.any():
        return None
    return np.r_[0, np.where(known, seconds, np.median(seconds[known])).cumsum() / 60]


def judge_last_third(e: Estimate) -> str:
    """Say whether the last third of the reviews still gained."""
    if e.low == e.high:
        return "changed nothing"
    if e.low > 0:
        return "still gained"
    return "lost" if e.high < 0 else "no evidence that it still gained"


def gain_by_batch(replay: Replay, most: int = 20) -> dict:
    """Measure what each batch of reviews bought.

    The later version with it minus without it. By the probe; without a batch, its samples have what
    they had in the first version. Of the `most` batches that change the most. Returns dict batches
    (oldest first: dicts batch, who, why, ts, edits, reviews, changed: training samples, estimate,
    low, high, p_holm, logloss, logloss_low, logloss_high, verdict: by accuracy, after Holm's
    correction for all that changed anything), left_out (how many batches are not shown), n, scope.

    `logloss` is the change of validation log-loss, low is good. It shows what is too small to
    turn an answer; but where many validation labels are wrong, it also punishes a probe for
    growing surer of what is right.
    """
    whole, found, changes = replay.start.relabel(replay.y_last), replay.decisions, replay.changes
    right, logp = replay.score(whole)
    moved = replay.part.index[replay.touched[replay.start.y != replay.y_last]]
    order = found.batch.drop_duplicates()
    size = changes[changes["sample"].isin(moved)].batch.value_counts().reindex(order, fill_value=0)
    chosen = set(size.sort_values(ascending=False, kind="stable").index[:most])
    out, tested = [], []
    for batch in (b for b in order if b in chosen):
        rows = found[found.batch == batch]
        y = replay.labels_without(changes[changes.batch == batch])
        changed = int((y != replay.y_last).sum())
        other_right, other_logp = right, logp
        if changed:
            other_right, other_logp = replay.score(whole.relabel(y))
        e = paired_estimate((whole.y, right), (y, other_right))
        about = describe_batch(batch, rows) | dict(changed=changed) | interval_to_dict(e)
        loss = change_of_loss(other_logp - logp)
        out.append(about | dict(p_holm=None) | loss | dict(verdict="changed nothing"))
        if changed:  # that the others did nothing is known, not tested
            tested.append((out[-1], e))
    family = [e for _, e in tested]
    adjusted = multiple_testing.adjust_holm([e.p for e in family]) if family else []
    intervals = multiple_testing.holm_intervals(family) if family else []
    for (row, _), p, wide in zip(tested, adjusted, intervals):
        row |= dict(p_holm=float(p), verdict=estimates.judge_effect(wide))
    return dict(batches=out, left_out=len(order) - len(chosen), n=replay.n, scope=SCOPE)


def describe_batch(batch: str, rows: pd.DataFrame) -> dict:
    """Describe a batch by its decisions."""
    first, reviews = rows.iloc[0], int(rows.number[rows.is_review].nunique())
    about = dict(batch=batch, who=first.who, why=first.why, ts=iso_time(first.ts))
    return about | dict(edits=len(rows), reviews=reviews)


def change_of_loss(change: np.ndarray) -> dict[str, float]:
    """Average the change of log-loss (m,), with its interval.

    NaN is left out.
    """
    known = change[np.isfinite(change)]
    mean, half = float(known.mean()) if len(known) else 0.0, 0.0
    if len(known) > 1:
        half = estimates.normal_quantile(0.975) * known.std(ddof=1) / np.sqrt(len(known))
    return dict(logloss=mean, logloss_low=mean - half, logloss_high=mean + half)

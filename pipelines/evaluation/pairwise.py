"""Compare two runs or recipes on the test set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.predictions import runs
from assay.curation.review import progress
from assay.curation.statistics.estimates import Estimate, judge_effect
from assay.curation.statistics.wording import format_as_given, format_interval, format_points
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.evaluation.test_set import (
    TestSetEvaluator,
    audited_labels,
    estimate_to_dict,
    label_caveat,
)
from assay.pipelines.experiments.cells import test_labels

if TYPE_CHECKING:
    import pandas as pd


CHANGE = {("second", ""): 1, ("first", ""): -1}


def compare_runs(bench: Bench, first: str, second: str) -> dict:
    """Measure the difference second - first, with its interval.

    Returns dict estimate, low, high, n, seeds, verdict (a sentence), word (its first), first,
    second (each with its accuracy), gained and lost (samples that more than half of the runs come
    to know, or forget).
    """
    chosen, keys = [], {}
    for side, name in (("first", first), ("second", second)):
        found = runs.find_runs(bench, name)
        keys[side] = {run["key"] for run in found}
        chosen += [dict(run, version=side, arch="", failed=None) for run in found]
    if keys["first"] & keys["second"]:
        raise UserError(
            f"expected two different runs, found {first} and {second}, which share some",
            "a difference from itself is nothing",
        )
    test = test_labels(bench, {})
    labels = audited_labels(bench, test)
    evaluator = TestSetEvaluator(bench, chosen, labels)
    runs.record_test_access(bench, {c["key"] for c in chosen})
    review, rule = progress.summarize_reviews(bench, bench.state()), bench.rules().get("test") or {}
    e, caveat = evaluator.contrast(CHANGE), label_caveat(rule, review, labels)
    out = estimate_to_dict(e) | evaluator.measure_as_given(CHANGE)
    sides = {
        side: estimate_to_dict(evaluator.measure_accuracy(side, "")[0])
        for side in ("first", "second")
    }
    was, now = (format_points(sides[side]["estimate"], False) for side in ("first", "second"))
    word = judge_runs(e)
    scope = "" if e.seeds_known else " (these trained models only, not the recipe)"
    verdict = (
        f"{word}: {format_interval(out)}{format_as_given(out)}, "
        f"{second} {now} % against {first} {was} %{scope}; "
        f"{format_count(e.n, 'test sample')}, {' and '.join(map(str, e.seeds))} seeds"
    )
    if caveat:
        verdict += f"; {caveat}"
    before, after = (evaluator.as_given[side, ""].mean(0) for side in ("first", "second"))
    change = after - before
    flips = dict(gained=int((change > 0.5).sum()), lost=int((change < -0.5).sum()))
    return out | sides | flips | dict(verdict=verdict, word=word)


def judge_runs(e: Estimate) -> str:
    """Say whether the second is better, in a word."""
    if e.seeds_known:
        return judge_effect(e)
    # two checkpoints: what test samples alone can say
    if e.low > 0:
        return "better"
    return "worse" if e.high < 0 else "no evidence either way"


SHOWN = 24  # pictures of flipped samples each way


def find_flips(
    truth: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    classes: np.ndarray,
    ids: list[str],
    most: int = SHOWN,
) -> dict:
    """Find test samples that a change turned right or wrong.

    Those that more than half of the runs got wrong before and right after. On balance (gained), or
    the other way round (lost). truth (m,); before (R, m) and after (Q, m): the predictions of all
    runs of all architectures, as numbers into `classes`.

    Returns dict of lists of dict(sample, label, was and now (what most runs predict),
    right_before, right_after and change (shares of runs)), most changed first, at most `most`
    each; n_gained and n_lost count all.
    """
    R, Q = len(before), len(after)
    right = [(runs == truth).sum(0) for runs in (before, after)]
    moved = right[1] * R - right[0] * Q  # whole numbers: half the runs is not more than half
    out = {}
    for way, sign in (("gained", 1), ("lost", -1)):
        rows = np.flatnonzero(2 * sign * moved > R * Q)
        rows = rows[np.argsort(-sign * moved[rows], kind="stable")]
        out[way] = [
            dict(
                sample=ids[i],
                label=str(classes[truth[i]]),
                was=str(classes[np.bincount(before[:, i]).argmax()]),
                now=str(classes[np.bincount(after[:, i]).argmax()]),
                right_before=float(right[0][i] / R),
                right_after=float(right[1][i] / Q),
                change=float(moved[i] / (R * Q)),
            )
            for i in rows[:most]
        ]
        out[f"n_{way}"] = len(rows)
    return out


def make_flip_frames(bench: Bench, found: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make frames of the gained and the lost samples, for contact sheets.

    found: as slice_effects.find_slice_effects. Columns sample, uri, key, was (prediction before),
    now (after), text.
    """
    state, flips = bench.state(), found["flips"] or {}
    return make_frame(state, flips.get("gained", [])), make_frame(state, flips.get("lost", []))


def make_frame(state: pd.DataFrame, flips: list[dict]) -> pd.DataFrame:
    """Make a frame of flipped samples: see make_flip_frames."""
    import pandas as pd

    columns = ["sample", "label", "was", "now", "right_before", "right_after"]
    frame = pd.DataFrame(flips, columns=columns)
    shares = zip(frame.label, frame.right_before, frame.right_after)
    frame["text"] = [
        f"labelled {label}; right in {a:.0%} of runs before, {b:.0%} after"
        for label, a, b in shares
    ]
    there = state.reindex(frame["sample"])
    frame = frame.assign(uri=there.uri.to_numpy(), key=there.key.to_numpy())
    return frame[["sample", "uri", "key", "was", "now", "text"]]

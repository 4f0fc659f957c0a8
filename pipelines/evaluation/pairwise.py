"""Compare two runs or recipes on the test set."""

from __future__ import annotations

from assay.curation.errors import UserError
from assay.curation.predictions import runs
from assay.curation.review import progress
from assay.curation.statistics.estimates import Estimate, judge_effect
from assay.curation.statistics.wording import format_as_given, format_interval, format_points
from assay.curation.storage.interface import Bench
from assay.pipelines.evaluation.test_set import (
    TestSetEvaluator,
    audited_labels,
    estimate_to_dict,
    label_caveat,
)
from assay.pipelines.experiments.cells import test_labels

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
        f"{e.n:,} test samples, {' and '.join(map(str, e.seeds))} seeds"
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

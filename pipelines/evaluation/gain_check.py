"""Check that a version gained what is required."""

from __future__ import annotations

from assay.curation.predictions import runs
from assay.curation.review import progress
from assay.curation.statistics.estimates import Estimate
from assay.curation.statistics.wording import format_points
from assay.curation.storage.interface import Bench
from assay.pipelines.evaluation.regression_check import describe_diverged
from assay.pipelines.evaluation.test_set import TestSetEvaluator, audited_labels, label_caveat
from assay.pipelines.evaluation.weights import data_weights
from assay.pipelines.experiments.cells import test_labels


def check_gain(
    bench: Bench, plan: dict, wanted: list[dict], required: float, confidence: float
) -> dict:
    """Check whether the last version gained at least `required` over the first.

    By its one-sided lower bound.
    """
    first, last, archs = plan["versions"][0], plan["versions"][-1], plan["architectures"]
    test, version = test_labels(bench, plan), plan.get("test") or "HEAD"
    labels = audited_labels(bench, test, version)
    ends = [c for c in wanted if c["version"] in (first, last)]
    evaluator = TestSetEvaluator(bench, ends, labels)
    # of all runs, so that the plan's own report is the same access
    runs.record_test_access(bench, {c["key"] for c in wanted})
    e = evaluator.contrast(data_weights(archs, last, first))
    keys = [{c["key"] for c in wanted if c["version"] == v} for v in (first, last)]
    same = keys[0] == keys[1]
    low, high = (0.0, 0.0) if same else (e.lower(confidence), e.upper(confidence))
    why = "the same training labels, so no gain at all"
    if not same:
        why = explain_gain(e, low, required, confidence)
    lost = sum(len(seeds) for seeds in evaluator.diverged.values())
    seeds = " and ".join(map(str, dict.fromkeys(e.seeds)))
    worked = f"{e.n:,} test samples, {seeds} seeds{describe_diverged(lost)}"
    rule = bench.rules(version).get("test") or {}
    caveat = label_caveat(rule, progress.summarize_reviews(bench, bench.state()), labels)
    # the report's intervals are two-sided, and wider
    bounds = (
        f"one-sided {100 * confidence:.3g} % bounds [{format_points(low)}, {format_points(high)}]"
    )
    gain = f"{format_points(e.estimate)} points, {bounds}, required {format_points(required)}"
    return dict(
        check="gain",
        name=f"gain of {last} over {first}",
        passed=bool(low >= required),
        version=last,
        against=first,
        estimate=e.estimate,
        low=low,
        high=high,
        required=required,
        n=e.n,
        seeds=e.seeds,
        reason=f"{gain}: {why} ({worked}){f'; {caveat}' if caveat else ''}",
    )


def explain_gain(e: Estimate, low: float, required: float, confidence: float) -> str:
    """Say what gain is sure, and what would have passed."""
    sure = f"at {confidence:.0%} confidence"
    if low >= required:
        return f"at least {format_points(low)} points {sure}"
    enough = format_points(required + e.at(2 * confidence - 1).smallest_effect())
    would = f"here a true gain of {enough} points would pass four times in five"
    return f"no more than {format_points(low)} points is sure {sure}; {would}"

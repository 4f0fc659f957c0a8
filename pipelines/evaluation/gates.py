"""Judge a model before its release: gain and regressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.predictions import runs
from assay.curation.review import progress
from assay.curation.slicing import regression_sets
from assay.curation.statistics import multiple_testing
from assay.curation.statistics.estimates import Estimate
from assay.curation.statistics.wording import format_points
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.evaluation.effects import data_weights
from assay.pipelines.evaluation.regression_check import (
    check_regression,
    describe_diverged,
    load_answers,
)
from assay.pipelines.evaluation.test_set import TestSetEvaluator, audited_labels, label_caveat
from assay.pipelines.experiments.cells import list_cells, missing_cells, test_labels, training_set

if TYPE_CHECKING:
    import pandas as pd


def judge_gates(
    bench: Bench,
    plan: dict,
    min_gain: float | None = None,
    sets: dict[str, dict] | None = None,
    confidence: float = 0.95,
    given: str = "SLICES.toml",
) -> dict:
    """Judge a plan's finished runs against what is required.

    min_gain: points that the last version must have gained over the first; sets: regression sets
    (see set_definitions.read_regression_sets) of which it may fall below none; given: the file
    that they are from.

    Returns dict passed, plan (its question), confidence, checks. Each check is a dict check (gain
    or regression), name, passed, estimate, low, high (one-sided bounds; of several regressions
    each as Holm judges it, so that all together fail by chance in at most 1 - `confidence` of
    runs), required, n, seeds, reason, ...; fractions.

    UserError for what cannot be judged: runs that are missing, sets that are not frozen, or that
    a run was trained on.
    """
    refuse_few(plan, min_gain)
    asked = regression_sets.require_frozen_sets(bench, sets, given) if sets else {}
    wanted, last = list_cells(bench, plan), plan["versions"][-1]
    for name, samples in asked.items():
        refuse_seen_samples(bench, name, samples, [c for c in wanted if c["version"] == last])
    if todo := missing_cells(wanted):
        raise UserError(
            f"expected {format_count(len(wanted), 'finished run')}, found {len(todo)} missing",
            "run: assay experiment",
        )
    checks = []
    if min_gain is not None:
        checks.append(check_gain(bench, plan, wanted, min_gain / 100, confidence))
    truth, family = bench.state().label, []
    for name, samples in asked.items():
        for arch in plan["architectures"]:
            own = [c for c in wanted if (c["version"], c["arch"]) == (last, arch)]
            family.append(load_answers(bench, own, name, truth[samples], sets[name]["score"]))
    alphas = multiple_testing.holm_alphas([answers.p for answers in family], 1 - confidence)
    for answers, alpha in zip(family, alphas):
        checks.append(check_regression(answers, alpha, confidence, len(family)))
    passed = all(c["passed"] for c in checks)
    return dict(passed=passed, plan=plan["question"], confidence=confidence, checks=checks)


def refuse_few(plan: dict, min_gain: float | None) -> None:
    """Refuse to tell a gain from one version or seed.

    The gain of a recipe, that is.
    """
    versions, seeds = len(plan["versions"]), len(plan["seeds"])
    if min_gain is not None and (versions < 2 or seeds < 2):
        raise UserError(
            f"expected two versions or more and two seeds or more, found {versions} and {seeds}: "
            "without them no gain of a recipe can be told",
            'for example versions = ["v1", "v2"] and seeds = 5 in the plan',
        )


def refuse_seen_samples(bench: Bench, name: str, samples: pd.Index, own: list[dict]) -> None:
    """Refuse runs that were trained on a regression set.

    Or on near duplicates of it. They would be asked what they were told. own: the cells of these
    runs.
    """
    # dropped since, it was seen all the same
    state = bench.state().assign(keep=True)
    known = samples.union(list(regression_sets.find_copies(bench, state, samples)))
    for version in dict.fromkeys(c["at"] for c in own):
        seen = training_set(bench, version).index.intersection(known)
        if len(seen):
            raise UserError(
                f"expected {version} to be trained without the regression set {name!r}, found "
                f"{len(seen):,} of its samples or their near duplicates in train, first {seen[0]}",
                "commit a version made since it was frozen (assay guard moves copies that came "
                "later, too), name it last in the plan, and run assay experiment",
            )


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
    worked = f"{format_count(e.n, 'test sample')}, {seeds} seeds{describe_diverged(lost)}"
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

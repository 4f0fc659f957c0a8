"""Judge a model before its release: gain and regressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.slicing import regression_sets
from assay.curation.statistics import multiple_testing
from assay.curation.storage.interface import Bench
from assay.pipelines.evaluation.gain_check import check_gain
from assay.pipelines.evaluation.regression_check import check_regression, load_answers
from assay.pipelines.experiments.cells import list_cells, missing_cells, training_set

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
            f"expected {len(wanted)} finished runs, found {len(todo)} missing",
            "run: assay experiment PLAN.toml",
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

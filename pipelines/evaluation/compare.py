"""Compare the versions of a plan: the data of its report."""

from __future__ import annotations

import json

from assay.curation.storage.interface import Bench
from assay.curation.times import localize
from assay.curation.versioning import history
from assay.pipelines.evaluation import costs, end_to_end, rules_or_network, slice_effects
from assay.pipelines.evaluation.comparison import group_by_cell, load_comparison
from assay.pipelines.evaluation.effects import measure_gains
from assay.pipelines.evaluation.test_set import (
    TestSetEvaluator,
    describe_fairness,
    estimate_to_dict,
)
from assay.pipelines.evaluation.verdict import write_verdict, write_verdict_lines


def compare_versions(bench: Bench, plan: dict) -> dict:
    """Compare the finished runs of a plan on the locked test set.

    One dict of plain numbers (fractions; the report prints points): matrix, effects, control,
    interaction, costs, where it helped, fairness, interval, verdict and what is needed to run it
    again.
    """
    c = load_comparison(bench, plan)
    plan, wanted, evaluator = c.plan, c.wanted, c.evaluator
    seconds = dict(bench.rows("select key, seconds from runs"))
    found = measure_gains(c)
    primary = found["interval"]
    others = [e for e in found["effects"] if e["kind"] == "architecture"]
    keys = [cell["key"] for cell in wanted]
    query = "select distinct code from runs where key in (select unnest(?)) order by code"
    trained = end_to_end.compare_training(c)
    verdict = write_verdict(c, primary, found["power"])
    lines = write_verdict_lines(c, primary, found["power"])
    if trained:  # what the plan asks; what the labels gained comes after it
        verdict, lines = f"{trained['answer']}; {verdict}", [f"{trained['answer']}.", *lines]
    return dict(
        question=plan["question"],
        verdict=verdict,
        verdict_lines=lines,
        **found,
        matrix=[describe_cell(own, evaluator, seconds) for own in group_by_cell(wanted).values()],
        diverged=c.diverged,
        failed=c.failed,
        margin=plan["margin"] / 100,
        n_test=len(c.test),
        test=c.about,
        fairness=describe_fairness(bench, plan, wanted, c.test),
        review=c.review,
        costs=costs.measure_costs(bench, plan, wanted, primary, others, seconds),
        where=slice_effects.find_slice_effects(c) if primary else None,
        end_to_end=trained,
        rules=rules_or_network.compare_rules(c, seconds),
        seeds=plan["seeds"],
        seeds_note=describe_seeds(plan),
        tree={cell["version"]: cell["tree"] for cell in wanted},
        code=[code for (code,) in bench.rows(query, [keys])],
        plan=plan,
    )


def describe_cell(own: list[dict], evaluator: TestSetEvaluator, seconds: dict) -> dict:
    """Describe one cell of the matrix by its runs.

    seconds: of each run, by key.
    """
    version, arch = own[0]["version"], own[0]["arch"]
    accuracy, second = evaluator.measure_accuracy(version, arch)
    as_given = evaluator.measure_as_given({(version, arch): 1})
    return dict(
        version=version,
        kind=own[0]["kind"],
        arch=arch,
        train_tree=own[0]["train_tree"],
        n_train=own[0]["n_train"],
        accuracy=estimate_to_dict(accuracy) | as_given,
        **dict(balanced=None, exact=None) | {evaluator.second: estimate_to_dict(second)},
        seed_spread=accuracy.seed_spread[0],
        diverged=sorted(evaluator.diverged.get((version, arch), [])),
        seconds=sum(seconds.get(c["key"], 0.0) for c in own),
    )


def describe_seeds(plan: dict) -> str | None:
    """Say what few seeds mean for the intervals."""
    if len(plan["seeds"]) == 1:
        return "one seed: these trained models only, not the recipe"
    if len(plan["seeds"]) < 5:
        return "fewer than 5 seeds: where seed spreads differ much, intervals are somewhat short"
    return None


def load_report_data(bench: Bench, plan: dict) -> dict:
    """Load the data of a report.

    That is compare_versions, the commits and the last batches of the log.
    """
    log = history.read_batches(bench)
    log = log[(log.kind == "commit") | (log.index >= len(log) - 50)]
    rows = json.loads(localize(log).to_json(orient="records"))
    return compare_versions(bench, plan) | dict(log=rows)

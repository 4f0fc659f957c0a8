"""Find where a network should replace the rules, and where it should not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.predictions.run_predictions import read_labels
from assay.curation.statistics import contrasts, multiple_testing
from assay.curation.statistics.estimates import judge_effect
from assay.curation.text import format_count
from assay.pipelines.evaluation.comparison import Comparison, list_learners, list_rules
from assay.pipelines.evaluation.costs import sum_seconds
from assay.pipelines.evaluation.slice_effects import (
    FEW,
    collect_slices,
    compare_slices,
    mean_accuracy,
)
from assay.pipelines.evaluation.test_set import estimate_to_dict
from assay.pipelines.evaluation.validation_marks import (
    choose_best,
    list_keys,
    list_validation,
    mark_validation,
)
from assay.pipelines.training.architectures.recipes import find_recipe
from assay.pipelines.training.architectures.rules import ABSTAINED
from assay.pipelines.training.labelling_functions import count_lines, read_code

if TYPE_CHECKING:
    import pandas as pd

SAYS, ABSTAINS = "rules say", "nothing: they abstain"
WINNER = {"helps": "network", "hurts": "rules"}  # the network against the rules


@dataclass(frozen=True)
class Judged:
    """What rules and networks of one version get right, on validation and on test."""

    version: str
    val: pd.DataFrame
    test: pd.DataFrame
    Y_val: dict[str, np.ndarray]  # by architecture (S, samples of val), 0 to 1
    Y_test: dict[str, np.ndarray]  # by architecture (S, samples of test), as contrasts takes them
    said: dict[str, np.ndarray]  # by rules: what they answer of val, then of test
    weight: float | None  # of an audit's pseudo-values


def compare_rules(c: Comparison, seconds: dict[str, float]) -> list[dict]:
    """Compare each set of rules of a plan with its best network, slice by slice.

    On the last version. The network and the mix of both are chosen on validation, and judged on test. seconds: of each
    run, by key. Returns JSON-able dicts rules, network, version, n_val, n_test, abstained (test samples), accuracy
    (rules, network), slices (see compare_slices; winner: rules, network or None), tested, mix (see judge_mix; None with
    a mix_reason), costs (lines, labels, seconds of a run of each), notes. [] where the plan has not both.
    """
    archs = c.plan["architectures"]
    rules, networks = list_rules(archs), list_learners(archs)
    if not rules or networks == rules:
        return []
    judged = judge_runs(c, rules)
    enough = len(judged.val) >= FEW
    best = choose_best(c, judged.val, judged.version, networks) if enough else networks[0]
    groups, notes = collect_slices(c.bench, c.plan, join_frames(judged.val, judged.test))
    open_groups = [g for g in groups if g["kind"] != "class"]  # a mix may not know the label
    notes += explain_choice(best, networks, len(judged.val), enough)
    return [
        compare_pair(c, judged, own, best, open_groups, enough)
        | dict(costs=count_costs(c, judged.version, own, best, seconds), notes=notes)
        for own in rules
    ]


def judge_runs(c: Comparison, rules: list[str]) -> Judged:
    """Load what the runs of the last version get right, on validation and on test."""
    version, judge = c.plan["versions"][-1], c.evaluator
    val = list_validation(c)
    both = [*val.index, *c.test.index]
    Y_val = {a: mark_validation(c, val, version, a) for a in c.plan["architectures"]}
    Y_test = {a: np.asarray(judge.Y[version, a]) for a in c.plan["architectures"]}
    said = {a: read_labels(c.bench, list_keys(c, version, a)[0], both) for a in rules}
    return Judged(version, val, c.test, Y_val, Y_test, said, judge.weight)


def join_frames(val: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Join validation and test samples, so that a slice is the same in both."""
    import pandas as pd

    return pd.concat([val, test[val.columns.intersection(test.columns)]])


def explain_choice(best: str, networks: list[str], n_val: int, enough: bool) -> list[str]:
    """Say how the network was chosen, and what the slices are."""
    labels = format_count(n_val, "validation label")
    how = f"the only network of the plan, {best}"
    if len(networks) > 1:
        how = f"{best}, of {format_count(len(networks), 'network')} the best on {labels}"
        if not enough:
            how = f"{best}, the first: {labels}, too few to choose by"
    return [
        f"the network is {how}",
        "slices are what the rules say and what is known without a label; Holm allows for all that were tested",
        "rules learn nothing: one run of them stands for every seed and version",
    ]


def compare_pair(
    c: Comparison, judged: Judged, rules: str, network: str, groups: list[dict], enough: bool
) -> dict:
    """Compare one set of rules with one network, and judge their mix."""
    n_val, said = len(judged.val), judged.said[rules]
    called = [
        dict(kind=SAYS, name=name or ABSTAINS, rows=np.flatnonzero(said == name))
        for name in sorted(set(said))
    ]
    groups = called + groups
    on_val = [g | dict(rows=g["rows"][g["rows"] < n_val]) for g in groups]
    on_test = [g | dict(rows=g["rows"][g["rows"] >= n_val] - n_val) for g in groups]
    Y = [judged.Y_test[arch] for arch in (rules, network)]
    slices = compare_slices([Y[0]], [Y[1]], on_test, judged.weight, c.margin)
    for s in slices:
        s["winner"] = WINNER.get(s["verdict"].split(" (")[0])
    mix, reason = None, f"{format_count(n_val, 'validation label')}: too few to choose by"
    if enough:
        mix, reason = judge_mix(c, judged, rules, network, on_val, on_test), None
    return dict(
        rules=rules,
        network=network,
        version=judged.version,
        n_val=n_val,
        n_test=len(judged.test),
        abstained=int((said[n_val:] == ABSTAINED).sum()),
        accuracy=dict(zip(("rules", "network"), (mean_accuracy([y], judged.weight) for y in Y))),
        slices=slices,
        tested=sum(s["p"] is not None for s in slices),
        mix=mix,
        mix_reason=reason,
    )


def judge_mix(
    c: Comparison,
    judged: Judged,
    rules: str,
    network: str,
    on_val: list[dict],
    on_test: list[dict],
) -> dict:
    """Mix rules and network by slice: chosen on validation, judged on test.

    Whichever is right more often on validation answers, but in the slices where Holm's interval there says that the
    other does better; the network answers where the rules abstain. Returns dict default (rules or network), chosen
    (slices that go to the other: kind, name, n), by_rules (test samples that the rules answer), accuracy, gains
    (against network and against rules: against, estimate, low, high, n, seeds, p_holm, verdict).
    """
    Y_val = [judged.Y_val[arch] for arch in (rules, network)]
    default = "rules" if Y_val[0].mean() > Y_val[1].mean() else "network"
    found = compare_slices([Y_val[0]], [Y_val[1]], on_val)
    better = {
        (s["kind"], s["name"])
        for s in found
        if s["p"] is not None
        and s["p_holm"] <= 0.05
        and (s["estimate"] > 0) == (default == "rules")
    }
    by_rules = np.full(len(judged.test), default == "rules")
    chosen = [g for g in on_test if (g["kind"], g["name"]) in better]
    for g in chosen:
        by_rules[g["rows"]] = default != "rules"
    by_rules &= judged.said[rules][len(judged.val) :] != ABSTAINED
    Y = [judged.Y_test[network], judged.Y_test[rules]]
    mixed = np.where(by_rules, Y[1][:1], Y[0])
    each = [contrasts.contrast([mixed, y], contrasts.PAIR, group_size=judged.weight) for y in Y]
    wide = multiple_testing.holm_intervals(each)
    adjusted = multiple_testing.adjust_holm([e.p for e in each])
    return dict(
        default=default,
        chosen=[dict(kind=g["kind"], name=g["name"], n=len(g["rows"])) for g in chosen],
        by_rules=int(by_rules.sum()),
        accuracy=mean_accuracy([mixed], judged.weight),
        gains=[
            dict(against=name)
            | estimate_to_dict(e)
            | dict(p_holm=float(p), verdict=judge_effect(w, c.margin))
            for name, e, w, p in zip(("network", "rules"), each, wide, adjusted)
        ],
    )


def count_costs(
    c: Comparison, version: str, rules: str, network: str, seconds: dict[str, float]
) -> dict:
    """Count what each costs to keep: lines of rules, labels that the network learns from."""
    cells = [cell for cell in c.wanted if cell["version"] == version]
    own, other = ([cell for cell in cells if cell["arch"] == arch] for arch in (rules, network))
    return dict(
        lines=count_lines(read_code(str(find_recipe(rules).function))),
        labels=max(cell["n_train"] for cell in other),
        seconds_rules=sum_seconds(own, seconds)["per_run"],
        seconds_network=sum_seconds(other, seconds)["per_run"],
    )

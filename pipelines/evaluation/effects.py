"""Measure the effects of a plan, with intervals and power.

An effect is what a change was worth.
"""

from __future__ import annotations

from collections.abc import Iterator

from assay.curation.review import label_noise, progress
from assay.curation.statistics import estimates, multiple_testing
from assay.curation.statistics.estimates import wilson_interval
from assay.curation.statistics.power import needed_audits, needed_sizes
from assay.curation.storage.interface import Bench
from assay.curation.versioning import expressions
from assay.pipelines.evaluation.comparison import Comparison, list_learners
from assay.pipelines.evaluation.test_set import TestSetEvaluator, Weights, estimate_to_dict
from assay.pipelines.experiments.cells import AUTOMATIC, automatic_control, find_control


def measure_gains(c: Comparison) -> dict:
    """Measure what each change was worth.

    The effects that the plan asks for, its main one (the last version against the first), what
    this test could see, and what stands beside it: the gain of each architecture, of the controls and of
    the ceiling.
    """
    archs, first, measure = c.plan["architectures"], c.plan["versions"][0], c.evaluator.measure
    kinds = {cell["version"]: cell["kind"] for cell in c.wanted}
    effects = judge_effects(c.evaluator, list(list_effects(c.plan, c.wanted)), c.margin)
    primary = next((e for e in effects[::-1] if e["kind"] == "data"), None)
    interaction = next((e for e in effects if e["kind"] == "interaction"), None)
    control, no_control = find_random_control(c, primary)
    beside = list_reference_effects(c.bench, c.plan, kinds)
    others = [v for v in kinds if v != first] if "data" in c.plan["effects"] else []
    return dict(
        effects=effects,
        interval=primary,
        interval_reason=None if primary else explain_no_effect(c.plan),
        interaction=interaction,
        interaction_reason=None if interaction else explain_no_interaction(c.plan),
        power=estimate_power(c, primary, len(effects)) if primary else None,
        control=control,
        control_reason=no_control,
        beside=[e | measure(data_weights(archs, e["version"], e["against"])) for e in beside],
        per_architecture=[
            make_effect("data", v, first) | dict(arch=a) | measure(data_weights([a], v, first))
            for v in others
            for a in list_learners(archs)
        ],
    )


def list_effects(plan: dict, wanted: list[dict]) -> Iterator[tuple[dict, Weights]]:
    """List the effects that the plan asks for.

    Each with its weights of cells. Each version against the first where their training labels
    differ, each architecture against the first, and whether the one depends on the other.
    """
    archs, (first, *later), asked = plan["architectures"], plan["versions"], plan["effects"]
    trees = {}
    for c in wanted:
        trees.setdefault(c["version"], set()).add(c["train_tree"])
    other = [v for v in later if trees[v] != trees[first]]
    if "data" in asked:
        for v in other:
            yield make_effect("data", v, first), data_weights(archs, v, first)
    if "architecture" in asked:
        each = 1 / len(plan["versions"])
        for a in archs[1:]:
            weights = {(v, a): each for v in plan["versions"]}
            weights |= {(v, archs[0]): -each for v in plan["versions"]}
            yield make_effect("architecture", a, archs[0]), weights
    if "interaction" in asked:
        archs = list_learners(archs)
        for v in other:
            for a in archs[1:]:
                name = f"{v} against {first}, {a} against {archs[0]}"
                effect = make_effect("interaction", v, first) | dict(name=name, arch=a)
                yield effect, {(v, a): 1, (first, a): -1, (v, archs[0]): -1, (first, archs[0]): 1}


def list_reference_effects(bench: Bench, plan: dict, kinds: dict[str, str]) -> list[dict]:
    """List what the data effect stands beside.

    The controls and the ceiling against the first version, each change against its own control.
    kinds: {version: its kind}.
    """
    named, first = find_control(bench, plan), plan["versions"][0]
    if "data" not in plan["effects"]:
        return []
    out = []
    for v, kind in kinds.items():
        if kind != "version":
            out.append(make_effect("control" if v == named else kind, v, first))
    own = {v: automatic_control(bench, v) for v, kind in kinds.items() if kind == "version"}
    if plan.get("control"):
        own |= {plan["versions"][-1]: plan["control"]}
    return out + [make_effect("beyond chance", v, c) for v, c in own.items() if c in kinds]


def judge_effects(
    evaluator: TestSetEvaluator, effects: list[tuple[dict, Weights]], margin: float | None
) -> list[dict]:
    """Judge each effect, with Holm's correction over all.

    Adds its 95 % interval, p, Holm's p, and a verdict in words.
    """
    if not effects:
        return []
    found = [evaluator.contrast(weights) for _, weights in effects]
    wide = multiple_testing.holm_intervals(found)
    adjusted = multiple_testing.adjust_holm([e.p for e in found])
    out = []
    for (effect, weights), e, w, p in zip(effects, found, wide, adjusted):
        numbers = evaluator.measure_as_given(weights) | estimate_to_dict(e)
        verdict = estimates.judge_effect(w, margin)
        out.append(effect | numbers | dict(p=e.p, p_holm=float(p), verdict=verdict))
    return out


def estimate_power(c: Comparison, primary: dict, k: int) -> dict:
    """Estimate what size of effect this experiment could see.

    As strictly as Holm judges the first of k effects. Returns dict smallest (the effect seen four
    times in five), asked (the size asked about), power (of seeing that), and any of which would see
    it four times in five, None where it alone cannot: audited (labels of the `of` test samples,
    where these are audited in part), samples (where they are: all audited), seeds.
    """
    plan, judge = c.plan, c.evaluator
    weights = data_weights(plan["architectures"], primary["version"], primary["against"])
    asked = plan.get("effect", plan["margin"]) / 100
    e = judge.contrast(weights).at(1 - 0.05 / k)
    out = dict(asked=asked or None, smallest=e.smallest_effect())
    out |= dict.fromkeys(("power", "audited", "of", "samples", "seeds"))
    if not asked or not e.seeds_known:
        return out
    cells = [cell for cell in judge.Y if weights.get(cell)]
    Y, w = [judge.Y[cell] for cell in cells], [weights[cell] for cell in cells]
    out["power"] = e.power(asked)
    if judge.labels.in_part:
        given = [judge.as_given[cell] for cell in cells]
        more = needed_audits(Y, given, judge.labels.n, asked, w, level=e.level)
        out["of"] = e.n
    else:
        more = needed_sizes(Y, asked, w, level=e.level)
    return out | dict(samples=more.pop("m")) | more


def explain_no_effect(plan: dict) -> str:
    """Explain why there is no data effect."""
    if len(plan["versions"]) == 1:
        return "one version: nothing to compare"
    if "data" in plan["effects"]:
        return "nothing to compare: the versions have the same training labels"
    return "the plan asks for no data effect"


def explain_no_interaction(plan: dict) -> str:
    """Explain why there is no interaction of versions and architectures."""
    if "interaction" in plan["effects"]:
        return "needs two versions and two architectures"
    return "the plan does not ask for it"


def find_random_control(c: Comparison, primary: dict | None) -> tuple[dict | None, str | None]:
    """Find the random control of the main effect.

    Or why there is none. Real where a version is one; for a review that nobody did at random, what
    the random stratum says that as many at random would have found; else absent.
    """
    if primary is None:
        return None, "nothing to compare with chance"
    if name := find_control(c.bench, c.plan):
        return measure_control(c, name, primary), None
    if any(expressions.is_expression(primary[k]) for k in ("against", "version")):
        return None, "no random control: the plan names none"
    found = estimate_from_random_stratum(c.bench, primary["against"], primary["version"])
    n = found["sure_at_random"] + found["unsure_at_random"] if found else 0
    if n >= label_noise.ENOUGH:
        return found | dict(kind="control", estimated=True), None
    few = "nobody reviewed at random"
    if found:
        few = f"{n:,} of the {label_noise.ENOUGH} reviewed at random that an estimate takes"
    return None, f"no random control: {few}"


def measure_control(c: Comparison, name: str, primary: dict) -> dict:
    """Measure the effect of a control version.

    And of the main effect beyond it.
    """
    archs, measure = c.plan["architectures"], c.evaluator.measure
    version, first = primary["version"], primary["against"]
    automatic = AUTOMATIC.match(version) and not c.plan.get("control")
    review = None
    if name in set(c.bench.commits().name):
        review = progress.summarize_reviews(c.bench, c.bench.state(name))
    return (
        make_effect("control", name, first)
        | measure(data_weights(archs, name, first))
        | dict(beyond=measure(data_weights(archs, version, name)))
        | dict(seed="of the run" if automatic else None, review=review, estimated=False)
    )


def estimate_from_random_stratum(bench: Bench, first: str, last: str) -> dict | None:
    """Estimate what as many reviews at random would have found.

    From the random stratum. Of the reviews between two versions: dict sure_at_random, hits,
    unsure_at_random, reviews, found, would_find (estimate, low, high; all unsure ones right at the
    low end and wrong at the high one). None where there is no such stratum.
    """
    was, now = (progress.summarize_reviews(bench, bench.state(v)) for v in (first, last))
    keys = ("sure_at_random", "hits", "unsure_at_random", "reviewed", "wrong")
    sure, hits, unsure, n, found = (now[k] - was[k] for k in keys)
    if sure < 1 or n < 1:
        return None
    low = wilson_interval(hits, sure + unsure)[0]
    high = wilson_interval(hits + unsure, sure + unsure)[1]
    would_find = [n * share for share in (hits / sure, low, high)]
    counts = dict(sure_at_random=sure, hits=hits, unsure_at_random=unsure)
    return counts | dict(reviews=n, found=found, would_find=would_find)


def make_effect(kind: str, version: str, against: str) -> dict:
    """Name an effect: dict kind, name, version, against."""
    name = f"{version} against {against}"
    return dict(kind=kind, name=name, version=version, against=against)


def data_weights(archs: list[str], version: str, against: str) -> Weights:
    """Weigh one version against another, the mean over architectures that learn."""
    archs = list_learners(archs)
    each = 1 / len(archs)
    return {(version, a): each for a in archs} | {(against, a): -each for a in archs}

"""Find from how many labels on training end to end beats frozen features."""

from __future__ import annotations

import re

from assay.curation.statistics import estimates, multiple_testing
from assay.curation.statistics.wording import format_interval
from assay.curation.text import format_count
from assay.pipelines.evaluation.comparison import Comparison, list_rules
from assay.pipelines.evaluation.slice_effects import FEW
from assay.pipelines.evaluation.test_set import Weights, estimate_to_dict
from assay.pipelines.evaluation.validation_marks import choose_best, list_validation
from assay.pipelines.training.architectures.recipes import find_recipe

PART = re.compile(r"^part\((?P<base>.+), *\d+(, *seed *= *\d+)?\)$")


def compare_training(c: Comparison) -> dict | None:
    """Compare frozen features with training end to end, over how many labels there are.

    Where a plan has parts of a version and both kinds of architectures; else None. Of either kind the one that is best
    on validation, with all labels of the last version, stands for it. Returns dict frozen, end_to_end (architectures),
    curves (see list_curves), gains (end to end against frozen for each version: version, n_train, estimate, low, high,
    n, seeds, p_holm, verdict), interactions (whether that gain depends on how many labels there are, and on which),
    answer, notes. Holm allows for all gains and interactions together.
    """
    archs = [a for a in c.plan["architectures"] if a not in list_rules(c.plan["architectures"])]
    frozen = [a for a in archs if find_recipe(a).input == "embedding"]
    trained = [a for a in archs if a not in frozen]
    if not frozen or not trained or not any(map(PART.match, c.plan["versions"])):
        return None
    last, val = c.plan["versions"][-1], list_validation(c)
    one, other = (choose_best(c, val, last, kind) for kind in (frozen, trained))
    curves = list_curves(c)
    sizes = {p["version"]: p["n_train"] for line in curves for p in line["points"]}
    asked = [
        (
            dict(kind="gain", name=version, version=version, n_train=sizes[version]),
            weigh(version, other, one),
        )
        for version in c.plan["versions"]
    ]
    asked += list_interactions(c.plan["versions"], sizes, other, one)
    found = [c.evaluator.contrast(weights) for _, weights in asked]
    wide = multiple_testing.holm_intervals(found)
    adjusted = multiple_testing.adjust_holm([e.p for e in found])
    judged = [
        about
        | estimate_to_dict(e)
        | dict(p_holm=float(p), verdict=estimates.judge_effect(w, c.margin))
        for (about, _), e, w, p in zip(asked, found, wide, adjusted)
    ]
    gains = [j for j in judged if j["kind"] == "gain"]
    return dict(
        frozen=one,
        end_to_end=other,
        curves=curves,
        gains=gains,
        interactions=[j for j in judged if j["kind"] == "interaction"],
        answer=write_answer(gains, one, other),
        notes=[explain_choice(one, other, len(val))],
    )


def find_base(version: str) -> str:
    """Find the version that a part is of; a version that is none is its own."""
    match = PART.match(version)
    return match["base"] if match else version


def list_curves(c: Comparison) -> list[dict]:
    """List the accuracy of each architecture against the labels of each version.

    Dicts base, arch, points (version, n_train, estimate, low, high, seeds), fewest labels first.
    """
    sizes = {cell["version"]: cell["n_train"] for cell in c.wanted}
    lines: dict[tuple[str, str], list[dict]] = {}
    for version in sorted(c.plan["versions"], key=lambda v: sizes[v]):
        for arch in c.plan["architectures"]:
            accuracy, _ = c.evaluator.measure_accuracy(version, arch)
            point = dict(version=version, n_train=sizes[version]) | estimate_to_dict(accuracy)
            lines.setdefault((find_base(version), arch), []).append(point)
    return [dict(base=base, arch=arch, points=points) for (base, arch), points in lines.items()]


def weigh(version: str, arch: str, against: str) -> Weights:
    """Weigh an architecture against another on one version."""
    return {(version, arch): 1, (version, against): -1}


def list_interactions(
    versions: list[str], sizes: dict[str, int], other: str, one: str
) -> list[tuple[dict, Weights]]:
    """List whether the gain of `other` over `one` depends on the labels.

    On how many: all of a version against its smallest part. On which: the last version against the first, both whole.
    """
    by_base: dict[str, list[str]] = {}
    for version in sorted(versions, key=lambda v: sizes[v]):
        by_base.setdefault(find_base(version), []).append(version)
    pairs = [("how many labels", own[-1], own[0]) for own in by_base.values() if len(own) > 1]
    whole = [own[-1] for own in by_base.values()]
    if len(whole) > 1:
        pairs.append(("which labels", whole[-1], whole[0]))
    out = []
    for about, version, against in pairs:
        weights = weigh(version, other, one)
        weights |= {cell: -w for cell, w in weigh(against, other, one).items()}
        name = f"{version} against {against}"
        row = dict(kind="interaction", name=name, about=about, version=version, against=against)
        out.append((row, weights))
    return out


def write_answer(gains: list[dict], one: str, other: str) -> str:
    """Answer in a sentence which does better with all labels, and where fewer say otherwise."""
    last, words = gains[-1], []
    who = {"helps": f"End to end, by {other}", "hurts": f"Frozen features, by {one}"}
    for gain in [last, *(g for g in gains[:-1] if is_other(g, last))]:
        labels = f"{format_count(gain['n_train'], 'label')} of {find_base(gain['version'])}"
        found = who.get(gain["verdict"].split(" (")[0], gain["verdict"].capitalize())
        words.append(f"{found} with {labels}, {format_interval(gain)}, {other} against {one}")
    return "; ".join(words)


def is_other(gain: dict, last: dict) -> bool:
    """Whether a gain was shown, and is another than the last."""
    return gain["verdict"].startswith(("helps", "hurts")) and gain["verdict"] != last["verdict"]


def explain_choice(one: str, other: str, n_val: int) -> str:
    """Say how the two architectures were chosen."""
    if n_val < FEW:
        return f"{one} and {other} are compared: {format_count(n_val, 'validation label')}, too few to choose by"
    return f"{one} and {other} are compared, each the best of its kind on {format_count(n_val, 'validation label')}"

"""Write the answer of an experiment in a sentence.

Then what to do next.
"""

from __future__ import annotations

from assay.curation.review import progress
from assay.curation.statistics.wording import format_interval, format_points
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.curation.versioning import expressions
from assay.curation.versioning.version_names import describe_renames
from assay.pipelines.evaluation.comparison import Comparison, list_learners
from assay.pipelines.evaluation.effects import explain_no_effect
from assay.pipelines.evaluation.test_set import UNAUDITED

UNCLEAR = "no evidence either way"
ANSWERS = {
    "helps": "Yes",
    "helps (too small to matter)": "Yes, but too small to matter",
    "hurts": "No",
    "hurts (too small to matter)": "No",
    "too small to matter": "No, too small to matter",
    UNCLEAR: "Not shown",
}


def write_verdict(c: Comparison, primary: dict | None, power: dict | None) -> str:
    """Write the verdict, its answer first.

    Then its conditions, then what to do next. primary: the main effect; power: as
    effects.estimate_power.
    """
    conditions = list_conditions(c, primary, power)
    if primary is None:
        return "; ".join([explain_no_effect(c.plan), *conditions]) + "."
    answer = f"{ANSWERS[primary['verdict']]}: {describe_change(c, primary)}"
    first = f"{answer}, {describe_gain(primary)}"
    return "; ".join([first, *conditions]) + f". Next: {suggest_next_step(primary, c.caveat)}."


def write_verdict_lines(c: Comparison, primary: dict | None, power: dict | None) -> list[str]:
    """Write the verdict as short lines for a screen, answer first."""
    conditions = list_conditions(c, primary, power)
    if primary is None:
        lines = [explain_no_effect(c.plan), *conditions]
    else:
        # what the test labels are worth comes next, before anything else
        conditions.insert(bool(c.caveat), describe_change(c, primary))
        answer = f"{ANSWERS[primary['verdict']]}: {describe_gain(primary)}"
        lines = [answer, *conditions, f"next: {suggest_next_step(primary, c.caveat)}"]
    return [f"{line[:1].upper()}{line[1:]}." for line in lines]


def list_conditions(c: Comparison, primary: dict | None, power: dict | None) -> list[str]:
    """List what the answer rests on, the test labels' worth first."""
    out = [c.caveat] if c.caveat else []
    if primary is not None and primary["verdict"] == UNCLEAR:
        out += explain_unclear(primary, power)
    return out + describe_left_out(c) + describe_names(c)


def describe_gain(primary: dict) -> str:
    """Say what the gain is: '+1.3 points [+0.6, +2.1], v2 against v1'."""
    out = f"{format_interval(primary)}, {primary['name']}"
    if max(primary["seeds"]) == 1:
        out += " (these trained models only, not the recipe)"
    return f"{out}, {UNCLEAR}" if primary["verdict"] == UNCLEAR else out


def describe_change(c: Comparison, primary: dict) -> str:
    """Say what moved accuracy, from where to where.

    '120 reviews raised accuracy from ...'.
    """
    archs, first, last = (
        list_learners(c.plan["architectures"]),
        primary["against"],
        primary["version"],
    )
    each = 1 / len(archs)
    was, now = (c.evaluator.contrast({(v, a): each for a in archs}).estimate for v in (first, last))
    n = count_reviews_between(c.bench, first, last)
    subject = f"{n:,} review{'s' * (n > 1)}" if n else last
    mean = f" (mean of {' and '.join(archs)})" if len(archs) > 1 else ""
    if now == was:
        return f"{subject} left accuracy{mean} at {format_points(was, False)} %"
    moved = "raised" if now > was else "lowered"
    if primary["verdict"] == UNCLEAR:
        moved = "moved"
    span = f"from {format_points(was, False)} to {format_points(now, False)} %"
    return f"{subject} {moved} accuracy{mean} {span}"


def explain_unclear(primary: dict, power: dict) -> list[str]:
    """Explain why nothing was shown, and what would show it."""
    out = []
    if primary["low"] > 0 or primary["high"] < 0:
        out.append(
            "its own interval excludes zero, but not after Holm's correction for all effects "
            f"that were tested (p {primary['p_holm']:.2f})"
        )
    seeds = max(primary["seeds"])
    few = f"{format_count(primary['n'], 'test sample')} and {seeds} seed{'s' * (seeds > 1)}"
    smallest = f"an effect of {format_points(power['smallest'], False)} points or more"
    return [*out, f"{few} would show {smallest}{describe_enough(power)}"]


def describe_enough(power: dict) -> str:
    """Say what would show the effect that was asked about.

    "" where it is seen four times in five.
    """
    if not power["asked"] or power["power"] is None or power["power"] >= 0.8:
        return ""
    of, ways = power["of"], []
    if power["audited"]:
        ways.append(f"{power['audited']:,} of the {format_count(of, 'test label')} audited")
    if power["samples"]:
        ways.append(
            f"{format_count(power['samples'], 'test sample')}{', all audited' if of else ''}"
        )
    if power["seeds"]:
        ways.append(format_count(power["seeds"], "seed"))
    both = f"both more {'audited test labels' if of else 'test samples'} and more seeds"
    asked = format_points(power["asked"], False)
    return f", and {asked} points would take {' or '.join(ways) or both}"


def suggest_next_step(primary: dict, caveat: str) -> str:
    """Say what to do after a verdict."""
    if caveat.startswith(UNAUDITED):
        n = min(200, primary["n"])
        return f"audit test labels blind (assay audit -n {n}): no run is trained again"
    first, last = (
        f"'{v}'" if expressions.is_expression(v) else v
        for v in (primary["against"], primary["version"])
    )
    return {
        "helps": f"train on {last}, and go on while the last third of the reviews still gains",
        "hurts": f"keep {first}, and see what changed (assay diff {first} {last})",
        UNCLEAR: "review more and measure again, or add what would show it",
    }.get(primary["verdict"].split(" (")[0], "see which slices gained, or change the model")


def count_reviews_between(bench: Bench, first: str, last: str) -> int:
    """Count the labels that people reviewed between two versions.

    0 where one is an expression.
    """
    if expressions.is_expression(first) or expressions.is_expression(last):
        return 0
    versions = (first, last)
    was, now = (progress.summarize_reviews(bench, bench.state(v))["reviewed"] for v in versions)
    return max(0, now - was)


def describe_names(c: Comparison) -> list[str]:
    """Say by which names the versions are judged, where they differ."""
    found = describe_renames(c.bench, c.plan["versions"])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return [f"all judged by the classes of now: {'; '.join(found[:3])}{more}"] if found else []


def describe_left_out(c: Comparison) -> list[str]:
    """Say how many runs are left out, and why."""
    n, k = sum(len(d["seeds"]) for d in c.diverged), len(c.failed)
    of = n + k + sum(len(runs) for runs in c.evaluator.predicted.values())
    out = [f"{n} of {of} runs diverged and {'is' if n == 1 else 'are'} left out"] if n else []
    if c.failed:
        run = c.failed[0]
        first = f"first {run['arch']} on {run['version']}, seed {run['seed']}: {run['error']}"
        out.append(f"{k} of {of} runs failed and {'is' if k == 1 else 'are'} left out, {first}")
    return out

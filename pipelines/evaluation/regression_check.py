"""Check that no model fell on a regression set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.predictions import run_predictions
from assay.curation.statistics import requirements
from assay.curation.statistics.wording import format_points
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

FEW = 30  # samples of a regression set below which a gate states what it could see

FALL = 0.2  # the fall in accuracy that it speaks of


def describe_diverged(lost: int) -> str:
    """Say how many runs diverged, as the end of a sentence."""
    return (
        f", {format_count(lost, 'run')} diverged and {'is' if lost == 1 else 'are'} left out"
        if lost
        else ""
    )


@dataclass(frozen=True)
class Answers:
    """What one architecture, trained on the last version, answers to a regression set."""

    set: str
    version: str
    arch: str
    required: float  # accuracy
    truth: np.ndarray  # (m,)
    said: np.ndarray  # (S, m)
    lost: int  # runs that diverged

    @property
    def right(self) -> np.ndarray:
        """Whether each answer is right: (S, m) bool."""
        return self.said == self.truth

    @cached_property
    def p(self) -> float:
        """The p-value of being below what is required."""
        return requirements.requirement_p_value(self.right, self.required)


def load_answers(
    bench: Bench, own: list[dict], name: str, truth: pd.Series, required: float
) -> Answers:
    """Load what a cell's runs answer to a regression set.

    own: these runs; name: of the set. truth: the labels of its samples.
    """
    version, arch = own[0]["version"], own[0]["arch"]
    worked = [c for c in own if c["failed"] is None]
    if not worked:
        raise UserError(
            f"expected a run of {arch} on {version} that worked, found all diverged",
            "change the plan",
        )
    said = np.array(
        [run_predictions.read_labels(bench, c["key"], truth.index) for c in worked], object
    )
    lost = len(own) - len(worked)
    return Answers(name, version, arch, required, truth.to_numpy(object), said, lost)


def check_regression(own: Answers, alpha: float, confidence: float, k: int) -> dict:
    """Check whether accuracy is shown to be below what is required.

    At `alpha`, which Holm leaves it among k checks.
    """
    required, level = own.required, 1 - alpha
    found = requirements.judge_requirement(own.right, required, level)
    n, passed = found["n"], found["verdict"] != "below"
    sure = f"at {confidence:.0%} confidence"
    if k > 1:
        sure += f", Holm over the {k} checks asked"
    words = {"below": f"below it {sure}", "at least": f"not below it {sure}"}
    why = words.get(found["verdict"], f"not shown to be below it {sure}")
    if not passed:
        why += f"; {describe_commonest_mistake(own.truth, own.said)}"
    fallen = max(0.0, required - FALL)
    caught = requirements.chance_to_detect(n, required, fallen, level)
    if n < FEW:
        fall = f"a fall from {format_points(required, False)} to {format_points(fallen, False)} %"
        why += f"; with {format_count(n, 'sample')} {fall} would be caught in {caught:.0%} of cases"
    seeds = "one seed: this trained model, not the recipe"
    if len(own.said) > 1:
        seeds = format_count(len(own.said), "seed")
    names = ("estimate", "lower", "upper")
    estimate, lower, upper = (format_points(found[name], False) for name in names)
    bounds = f"one-sided {100 * level:.3g} % bounds [{lower}, {upper}]"
    accuracy = f"accuracy {estimate} %, {bounds}, required {format_points(required, False)} %"
    worked = f"{format_count(n, 'sample')}, {seeds}{describe_diverged(own.lost)}"
    return dict(
        check="regression",
        name=f"{own.set}, {own.arch} on {own.version}",
        passed=passed,
        asked=k,
        p=own.p,
        set=own.set,
        version=own.version,
        arch=own.arch,
        estimate=found["estimate"],
        low=found["lower"],
        high=found["upper"],
        required=required,
        n=n,
        seeds=[len(own.said)],
        would_catch=found["would_catch"],
        power=dict(fall=FALL, chance=caught),
        reason=f"{accuracy}: {why} ({worked})",
    )


def describe_commonest_mistake(truth: np.ndarray, said: np.ndarray) -> str:
    """Say what the commonest mistake is; truth (m,), said (S, m)."""
    wrong = Counter((t, s) for row in said for t, s in zip(truth, row) if t != s)
    (t, s), n = wrong.most_common(1)[0]
    return f"{n:,} of {wrong.total():,} wrong answers confuse {t} with {s or 'nothing it knows'}"

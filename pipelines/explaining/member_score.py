"""Explain the score of a set of labels: how far each class is trusted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from assay.curation.label_quality.score_files import read_member_cuts
from assay.curation.label_quality.scoring import read_targets
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.tasks.member_noise import MemberNoise, find_logits
from assay.curation.tasks.multilabel import DEEPEST, FIRST, contradict, join_trust
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as
from assay.pipelines.explaining.label_score import (
    DIGITS,
    NO_PROBABILITY,
    explain_alone,
    explain_leverage,
    explain_probabilities,
)
from assay.pipelines.explaining.score_parts import ScoreParts


def explain_label_set(bench: Bench, parts: ScoreParts) -> Iterator[Explanation]:
    """Explain the score of a sample with several labels, the set first."""
    task, label = task_of(bench), parts.state.label[parts.sample]
    y = read_targets(task, [label], parts.classes)[0] if label is not None else None
    if y is None or y.min() < 0 or parts.row is None:
        told = "It has no label that train has, so nothing is doubted."
        yield explain_as("member-score", Filled("none", notes=[told]))
        return
    noise = MemberNoise.from_array(read_member_cuts(bench, len(parts.classes)))
    trust = noise.trust(y[None], parts.probs[None])[0]
    yield explain_set(parts, trust)
    asked = parts.classes.index(parts.row.question)
    yield explain_member(parts, noise, y, trust, asked)
    yield explain_member_flag(bench, parts, y, trust, asked)
    if parts.steps is not None:
        yield explain_probabilities(parts, asked)
        yield explain_alone(parts.steps, parts.classes[asked], asked)
        if parts.steps.leverage is not None:
            yield explain_leverage(parts.steps, asked)


def explain_set(parts: ScoreParts, trust: np.ndarray) -> Explanation:
    """Explain the score of a set by its least trusted classes."""
    order = np.argsort(trust, kind="stable")[: min(DEEPEST, len(trust))]
    weights = (1 - FIRST) ** np.arange(len(order))
    score = float(join_trust(trust[None])[0])
    terms = " + ".join(f"{w:{DIGITS}}·{trust[c]:{DIGITS}}" for w, c in zip(weights[:3], order))
    more = " + …" if len(order) > 3 else ""
    filled = f"({terms}{more}) / {weights.sum():{DIGITS}} = {score:{DIGITS}}"
    numbers = dict(
        classes=[parts.classes[c] for c in order],
        trust=trust[order].tolist(),
        weights=weights.tolist(),
    )
    notes = [
        f"The model was fitted without this sample: the set is trusted least about {parts.row.question}.",
        NO_PROBABILITY,
    ]
    return explain_as("member-score", Filled(f"{score:.0%}", score, filled, numbers, notes))


def explain_member(
    parts: ScoreParts, noise: MemberNoise, y: np.ndarray, trust: np.ndarray, at: int
) -> Explanation:
    """Explain how far a label set is trusted about one class."""
    p, given = float(parts.probs[at]), bool(y[at])
    bias, slope, added, missed = (
        float(c[at]) for c in (noise.bias, noise.slope, noise.added, noise.missed)
    )
    q = float(1 / (1 + np.exp(-(bias + slope * find_logits(np.array(p))))))
    a, b = ((1 - missed) * q, added * (1 - q)) if given else ((1 - added) * (1 - q), missed * q)
    filled = (
        f"{parts.classes[at]} is {'given' if given else 'not given'}: p = {p:{DIGITS}}, q = {q:{DIGITS}}, "
        f"{a:{DIGITS}} / ({a:{DIGITS}} + {b:{DIGITS}}) = {trust[at]:{DIGITS}}"
    )
    numbers = dict(
        of_class=parts.classes[at],
        given=given,
        p=p,
        bias=bias,
        slope=slope,
        added=added,
        missed=missed,
    )
    return explain_as("member-trust", Filled(f"{trust[at]:.0%}", float(trust[at]), filled, numbers))


def explain_member_flag(
    bench: Bench, parts: ScoreParts, y: np.ndarray, trust: np.ndarray, at: int
) -> Explanation:
    """Explain whether a label set is flagged, by the class that is doubted most."""
    cuts = read_member_cuts(bench, len(parts.classes))
    cut = float(cuts[at, 5 if y[at] == 1 else 4])
    against = bool(contradict(y[None, at : at + 1], parts.probs[None, at : at + 1])[0, 0])
    wrong, reviewed = float(1 - trust[at]), bool(parts.state.reviewed[parts.sample])
    flagged = bool(parts.row.flagged)
    filled = (
        f"1 − trust = {wrong:{DIGITS}} {'≥' if wrong >= cut else '<'} {cut:{DIGITS}}; the model says "
        f"{'otherwise' if against else 'the same'}; {'reviewed' if reviewed else 'not reviewed'}"
    )
    numbers = dict(
        wrong=wrong, cut=cut, contradicted=against, reviewed=reviewed, few=bool(parts.few[at])
    )
    return explain_as(
        "flag",
        Filled(
            "flagged" if flagged else "not flagged",
            float(flagged),
            filled,
            numbers,
            ["A set is flagged where any of its classes is; this is the one that is doubted most."],
            formula="flagged = 1 − trust ≥ cut of the class, and the model says otherwise, and nobody has reviewed it",
            function="curation.label_quality.member_flags:flag_members",
        ),
    )

"""Explain the score of one label: every step from the fit to the flag."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from assay.curation.label_quality.flagging import flag_labels
from assay.curation.label_quality.score_files import read_cuts
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as
from assay.pipelines.explaining.score_parts import ScoreParts, Steps

FEW_CLASSES = 8  # classes that are listed
DIGITS = ".4g"

NO_PROBABILITY = (
    "A score is no probability of being wrong: only people's decisions on samples drawn at "
    "random tell how many labels are."
)


def explain_label(bench: Bench, parts: ScoreParts) -> Iterator[Explanation]:
    """Explain the score of a sample of one label: what is shown first, then its steps."""
    label, classes = parts.state.label[parts.sample], parts.classes
    own = classes.index(label) if label in classes else None
    yield explain_score(bench, parts, label, own)
    shown = own if own is not None else int(parts.probs.argmax())
    if own is not None and not parts.few[own] and parts.row is not None:
        yield explain_flag(bench, parts, label, own)
    if parts.steps is None:
        return
    if parts.steps.second is not None:
        yield explain_second(parts, shown)
    yield explain_probabilities(parts, shown)
    yield explain_alone(parts.steps, classes[shown], shown)
    if parts.steps.leverage is not None:
        yield explain_leverage(parts.steps, shown)


def explain_score(
    bench: Bench, parts: ScoreParts, label: str | None, own: int | None
) -> Explanation:
    """Explain a label's score, or why it has none."""
    p, few, classes = parts.probs, parts.few, parts.classes
    best = classes[int(p.argmax())]
    others = 0 if parts.steps is None else parts.steps.group - 1
    copies = " and its copies" if others else ""
    notes = [
        f"The model was fitted without this sample{copies}, then asked what it shows: "
        f"{p.max():.0%} {best}."
    ]
    if own is None:
        notes.append("It has no label that train has, so nothing is doubted.")
        return explain_as("score", Filled("none", notes=notes))
    if few[own]:
        notes.append(
            f"Too few samples are labelled {label} to say whether this is one: "
            "it is never called wrong."
        )
        return explain_as("score", Filled("none", notes=notes))
    if best == label:
        notes.append("That is its label, so nothing is doubted.")
    else:
        notes.append(
            f"It is labelled {label}, to which the model gives {p[own]:.0%}: its score. "
            "The lowest scores come first in the queue."
        )
        notes.append(NO_PROBABILITY)
    if parts.steps is not None and not parts.agree:
        notes.append(
            "The steps below are those of the fit as it is now; the score is as it was last written, and differs."
        )
    if parts.steps is None:
        notes.append(
            "How the probabilities came about is told once a scan knows the samples as they are: "
            f"assay scan -b {bench.given}."
        )
    total = float(p[~few].sum())
    score = float(p[own] / total) if parts.row is None else float(parts.row.score)
    numbers = dict(label=label, p=float(p[own]), total=total)
    filled = f"{p[own]:{DIGITS}} / {total:{DIGITS}} = {score:{DIGITS}}"
    return explain_as("score", Filled(f"{score:.0%}", score, filled, numbers, notes))


def explain_flag(bench: Bench, parts: ScoreParts, label: str, own: int) -> Explanation:
    """Explain whether a label is flagged."""
    cut = float(read_cuts(bench, len(parts.classes))[own])
    judged = np.where(parts.few, 0, parts.probs)
    judged = judged[None] / judged.sum()
    best = parts.classes[int(judged[0].argmax())]
    score = float(parts.row.score)
    reviewed = bool(parts.state.reviewed[parts.sample])
    doubted = bool(flag_labels(np.array([own]), judged, np.full(len(parts.classes), cut))[0])
    flagged = doubted and not reviewed
    if best == label:
        notes = [f"It is not flagged: {label} is the likeliest class."]
    else:
        notes = [describe_doubt(label, best, doubted, reviewed)]
    filled = (
        f"{score:{DIGITS}} {'<' if score < cut else '≥'} {cut:{DIGITS}}; likeliest: {best}; "
        f"{'reviewed' if reviewed else 'not reviewed'}"
    )
    numbers = dict(score=score, cut=cut, likeliest=best, label=label, reviewed=reviewed)
    return explain_as(
        "flag",
        Filled("flagged" if flagged else "not flagged", float(flagged), filled, numbers, notes),
    )


def describe_doubt(label: str, best: str, flagged: bool, reviewed: bool) -> str:
    """Say why a label that the model contradicts is flagged or not."""
    if flagged:
        it = "It was flagged until somebody decided about it" if reviewed else "It is flagged"
        why = "and of the labels that the model contradicts it is among the least trusted"
    else:
        it = "It is not flagged"
        why = "but no more labels are flagged than are likely to be wrong, and others are trusted less"
    return f"{it}: {best} is likelier than {label}, {why}."


def explain_second(parts: ScoreParts, at: int) -> Explanation:
    """Explain how a second opinion is mixed in."""
    steps = parts.steps
    known = not np.isnan(steps.second[at])
    theirs = float(steps.second[at]) if known else float(steps.said[at])
    if steps.weight == 1:
        filled = f"w = 1: {theirs:{DIGITS}}, the second alone"
    else:
        w = steps.weight
        filled = f"{steps.said[at]:{DIGITS}}^{1 - w:.2f} · {theirs:{DIGITS}}^{w:.2f}, over the sum of all"
    p = float(parts.probs[at])
    numbers = dict(
        classes=parts.classes,
        probe=steps.said.tolist(),
        second=[None if np.isnan(x) else float(x) for x in steps.second],
        weight=steps.weight,
        label=parts.classes[at],
    )
    return explain_as("second-opinion", Filled(f"{p:.0%}", p, f"{filled} = {p:{DIGITS}}", numbers))


def explain_probabilities(parts: ScoreParts, at: int) -> Explanation:
    """Explain the model's probabilities, by class."""
    steps, several = parts.steps, parts.steps.heights.ndim == 2
    order = np.argsort(-steps.said, kind="stable")[:FEW_CLASSES]
    listed = order if at in order else np.append(order, at)
    total = float(np.exp(steps.logits - steps.logits.max()).sum())
    numbers = dict(
        classes=[parts.classes[c] for c in listed],
        s=steps.scores[listed].tolist(),
        z=steps.logits[listed].tolist(),
        p=steps.said[listed].tolist(),
        log_total=float(np.log(total) + steps.logits.max()),
    )
    z, p = float(steps.logits[at]), float(steps.said[at])
    if several:
        filled = f"{parts.classes[at]}: 1 / (1 + exp(−{z:{DIGITS}})) = {p:{DIGITS}}"
        formula = "p[c] = 1 / (1 + exp(−z[c])),  z[c] = bias[c] + slope[c] · s[c]"
        bias, there = steps.heights[:, listed]
        numbers |= dict(bias=bias.tolist(), slope=(there - bias).tolist())
    else:
        numbers["stretch"] = np.broadcast_to(steps.stretch, steps.scores.shape)[listed].tolist()
        numbers |= dict(knots=steps.knots.tolist(), heights=steps.heights.tolist())
        stretch = numbers["stretch"][list(listed).index(at)]
        filled = (
            f"{parts.classes[at]}: z = curve({stretch:{DIGITS}} · {steps.scores[at]:{DIGITS}}) = {z:{DIGITS}}, "
            f"exp({z:{DIGITS}}) / exp({numbers['log_total']:{DIGITS}}) = {p:{DIGITS}}"
        )
        formula = None
    return explain_as("probabilities", Filled(f"{p:.0%}", p, filled, numbers, formula=formula))


def explain_alone(steps: Steps, name: str, at: int) -> Explanation:
    """Explain the score of one class by the model without the sample and its copies."""
    f, y, s = (float(x[at]) for x in (steps.fitted, steps.target, steps.scores))
    votes, share, alone = float(steps.votes[at]), steps.share, float(steps.alone[at])
    numbers = dict(label=name, f=f, y=y, alone=alone, votes=votes, share=share, group=steps.group)
    voted = f" + {share:g} · {votes:{DIGITS}}" if share else ""
    tail = f"{voted} = {s:{DIGITS}}"
    notes, formula = [], None
    if steps.leverage is None:
        formula = (
            "s = f + share · votes: it was predicted, not fitted, so there is nothing to take out"
        )
        filled = f"{f:{DIGITS}}{tail}"
    elif steps.group == 1:
        h = steps.leverage
        numbers["h"] = h
        filled = f"({f:{DIGITS}} − {h:{DIGITS}} · {y:{DIGITS}}) / (1 − {h:{DIGITS}}){tail}"
    else:
        formula = "s_g = y_g − (I − H_gg)⁻¹ (y_g − f_g) + share · votes, g = it and its copies"
        filled = f"{alone:{DIGITS}}{tail}"
        notes.append(
            f"{steps.group - 1:,} of its copies leave the model with it, or they would tell the answer."
        )
        if steps.copies is None:
            notes.append("They are too many to list their numbers.")
        else:
            g = steps.copies
            numbers |= dict(
                H=g.hat.tolist(),
                f_g=g.fitted[:, at].tolist(),
                y_g=g.targets[:, at].tolist(),
                own=g.own,
            )
    if share:
        notes.append(
            f"{steps.voters:,} nearest train samples vote; a vote counts {share:g} of a score."
        )
    return explain_as(
        "out-of-sample-score", Filled(f"{s:{DIGITS}}", s, filled, numbers, notes, formula=formula)
    )


def explain_leverage(steps: Steps, at: int) -> Explanation:
    """Explain how strongly a label pulls the answer about its own sample."""
    h = steps.leverage
    f, y = float(steps.fitted[at]), float(steps.target[at])
    without = (f - h * y) / (1 - h) if h < 1 else f
    filled = (
        f"({f:{DIGITS}} − {without:{DIGITS}}) / ({y:{DIGITS}} − {without:{DIGITS}}) = {h:{DIGITS}}"
    )
    notes = [
        f"Its own label would have pulled the model's answer by a share of {h:.2f}: "
        "that much is taken out, for every sample, without refitting.",
        f"x has {format_count(steps.columns, 'number')}, λ is {steps.strength:{DIGITS}}.",
    ]
    numbers = dict(f=f, y=y, without=without, columns=steps.columns, strength=steps.strength)
    return explain_as("leverage", Filled(f"{h:.2f}", h, filled, numbers, notes))

"""Explain what flags and the queue's outlook say of a whole bench."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality import live
from assay.curation.label_quality.flagging import count_confident, share_to_flag
from assay.curation.label_quality.score_files import LabelScores
from assay.curation.label_quality.scoring import scored_rows, without_locked
from assay.curation.review import progress
from assay.curation.review.status import look_ahead
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of
from assay.curation.text import format_count
from assay.curation.versioning.state_building import is_large
from assay.pipelines.explaining.explanation import Explanation, Filled, explain_as
from assay.pipelines.explaining.review_numbers import UNKNOWN, unsure_sentences

if TYPE_CHECKING:
    import pandas as pd


def explain_flagged(bench: Bench) -> Explanation:
    """Explain how many labels are flagged, by the counts as they are now."""
    task = task_of(bench)
    flagged = int(live.label_scores(bench).flagged.sum())
    if task.several:
        return explain_flag_count(
            flagged,
            "With several labels a class is flagged from the chance on that finds the most.",
        )
    if is_large(bench):
        return explain_flag_count(
            flagged, "Of a bench so large the counts behind the cuts are not made anew for this."
        )
    kept, state = LabelScores.load(bench), bench.state()
    part = without_locked(state)
    rows, y = scored_rows(part, kept.classes, kept.few, task)
    own, probs = y[rows], kept.pred_probs[rows]
    if isinstance(probs, np.ndarray):
        probs = np.where(kept.few, 0, probs.astype("f8"))
        probs /= probs.sum(1, keepdims=True)
    else:
        probs = probs.without(kept.few)
    contradicted = int((probs.argmax(1) != own).sum())
    counted = count_confident(own, probs) if contradicted else 0
    c = counted / contradicted if contradicted else 0.0
    share = share_to_flag(c)
    filled = (
        f"c = {counted:,} / {contradicted:,} = {c:.3f}, "
        f"so {share:.3f} of {contradicted:,}: {share * contradicted:.0f}"
    )
    notes = [
        "These counts are of the labels as they are now; the cuts stay as the last scan chose them, "
        "so that a decision changes another label's flag by its score alone.",
        "Those that somebody reviewed are no longer flagged, and no rare class may have more than twice the share "
        "of its clean labels flagged.",
    ]
    numbers = dict(flagged=flagged, contradicted=contradicted, counted=counted, c=c, share=share)
    shown = format_count(flagged, "flagged label")
    return explain_as("flagged", Filled(shown, flagged, filled, numbers, notes))


def explain_flag_count(flagged: int, note: str) -> Explanation:
    """Explain how labels are flagged, where the counts behind the cuts are not made anew; the note says why."""
    shown = format_count(flagged, "flagged label")
    return explain_as("flagged", Filled(shown, flagged, "", dict(flagged=flagged), [note]))


def explain_flag_precision(bench: Bench) -> Explanation:
    """Explain how often a flag is right, of a bench."""
    return explain_flags(progress.measure_flags(read_looks(bench)))


def explain_flags(flags: progress.FlagPrecision | None) -> Explanation:
    """Explain how often a flag is right; None before 30 reviews at random."""
    if flags is None:
        notes = ["It takes 30 reviews at random, some of flagged labels."]
        return explain_as("flag-precision", Filled(UNKNOWN, notes=notes))
    value = flags.hits / flags.sure_at_random if flags.sure_at_random else None
    filled = (
        f"{flags.hits:,} / {flags.sure_at_random:,}, between {flags.low:.3f} and {flags.high:.3f}"
    )
    notes = [
        *unsure_sentences(flags.unsure_at_random),
        "Only looks at random count; the range holds at every look of a session together (95 %).",
    ]
    return explain_as(
        "flag-precision", Filled(flags.describe(), value, filled, flags._asdict(), notes)
    )


def explain_class_rates(bench: Bench) -> Explanation:
    """Explain what reviews at random say of each class."""
    rows = progress.summarize_classes(bench, read_looks(bench))
    if not rows:
        return explain_as(
            "class-rates",
            Filled(UNKNOWN, notes=["Nobody reviewed at random yet, or nothing is scanned."]),
        )
    filled = "; ".join(f"{r['class']}: wrong {r['hits']} of {r['sure_at_random']}" for r in rows)
    notes = ["A rate takes 30 labels reviewed at random; before that you see counts."]
    return explain_as(
        "class-rates",
        Filled(
            format_count(len(rows), "class", "classes"), None, filled, dict(classes=rows), notes
        ),
    )


def read_looks(bench: Bench) -> pd.DataFrame | None:
    """Say of each look at random whether its label is flagged: see progress.judge_stratum."""
    if is_large(bench):
        raise UserError(
            "expected a bench whose samples can all be read for this, found a larger one",
            f"its numbers are in: assay status -b {bench.given}",
        )
    live.label_scores(bench)
    return progress.judge_stratum(bench, bench.state(), LabelScores.load(bench))


def explain_next_labels(bench: Bench) -> Explanation:
    """Explain how many of the next labels are expected to be wrong."""
    return explain_coming(foresee(bench).get("next_labels"))


def explain_coming(coming: dict | None) -> Explanation:
    """Explain how many of the next labels are expected to be wrong.

    coming: see NextHundred; None where nobody can say.
    """
    if not coming:
        notes = ["It takes 30 random reviews, and a scan of the samples as they are."]
        return explain_as("next-labels", Filled(UNKNOWN, notes=notes))
    shown = (
        f"{coming['wrong']:.0f} [{coming['low']}, {coming['high']}] of the next {coming['labels']}"
    )
    filled = f"Σ of {coming['labels']} chances = {coming['wrong']:.2f}, between {coming['low']} and {coming['high']}"
    notes = [
        "It is expected from how the labels that people looked at score now: the lower, the oftener it was wrong.",
        "The range is for the number itself, and meant for 95 % of sessions; simulated, it held in 80 to 100 %.",
    ]
    return explain_as("next-labels", Filled(shown, coming["wrong"], filled, dict(coming), notes))


def explain_next_gain(bench: Bench) -> Explanation:
    """Explain what the next labels gain."""
    return explain_outlook(foresee(bench).get("outlook"))


def explain_outlook(outlook: dict | None) -> Explanation:
    """Explain what the next labels gain. outlook: see Outlook.to_json; None where there are no scores."""
    if outlook is None or outlook["gain"] is None:
        why = (
            "there are no scores of the samples as they are"
            if outlook is None
            else outlook["why_not"]
        )
        return explain_as("next-gain", Filled(UNKNOWN, notes=[f"{why[0].upper()}{why[1:]}."]))
    gain = outlook["gain"]
    notes = [
        "Each is relabelled as suggested, as likely as it is wrong. Accuracy moves less, most often.",
        "The range allows for wrong val labels among those nobody reviewed, and is meant for all looks together; "
        "simulated, it held at all looks of 87 to 100 % of sessions.",
    ]
    filled = (
        f"{gain['gain']:+.5f} [{gain['low']:+.5f}, {gain['high']:+.5f}] on {format_count(gain['n'], 'val label')}, "
        f"by the next {gain['labels']}"
    )
    return explain_as(
        "next-gain", Filled(outlook["gain_words"], gain["gain"], filled, dict(gain), notes)
    )


def foresee(bench: Bench) -> dict:
    """Look ahead as the status does."""
    if is_large(bench):
        return {}
    live.label_scores(bench)
    return look_ahead(bench, bench.state())

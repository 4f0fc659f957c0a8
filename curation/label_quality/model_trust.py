"""Say when flags say more of the model than of the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.curation.features.scan_settings import read_settings
from assay.curation.media.base import media_of
from assay.curation.media.rows import read_column_kinds
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

WEAK = 1 / 3  # share of labels that a model contradicts, from which on it is the model to doubt
ENOUGH = 30  # labels before such a share says anything


def warn_of_weak_model(bench: Bench, scores: pd.DataFrame) -> str | None:
    """Warn where a model contradicts more labels than can be wrong.

    None where it does not, of the labels that nobody has reviewed. scores: as score_labels gives them. Flagged are
    fewer than it contradicts: see flagging.
    """
    judged = scores[~scores.reviewed.to_numpy(bool)]
    # of several labels a sample, a model that is any good contradicts one here and there: flags count
    contradicted = judged.flagged if "question" in judged else judged.suggestion != judged.label
    return judge_model(bench, len(judged), int(contradicted.sum()))


def judge_model(bench: Bench, judged: int, contradicted: int) -> str | None:
    """Warn as warn_of_weak_model does, by counts of labels that nobody has reviewed."""
    if judged < ENOUGH or contradicted <= WEAK * judged:
        return None
    return (
        f"the model agrees with {1 - contradicted / judged:.0%} of "
        f"{format_count(judged, 'label')} that it "
        "did not see: unless so many labels are wrong, its flags say more of the model than of "
        f"the labels; {name_better_model(bench)}"
    )


def name_better_model(bench: Bench) -> str:
    """Name what to scan with instead of the last scan's model."""
    asked = read_settings(bench)
    scan = f"assay scan -b {bench.given}"
    own = f"or vectors of your own model: {scan} --embeddings FILE"
    if asked["probabilities"] == "own":
        return f"better probabilities would help, or ours: {scan}"
    if asked["folder"].startswith("own-"):
        return f"other vectors would help, or ours: {scan} --embedder lite0"
    if (media := media_of(bench)).column:
        return (
            f"try {scan} --effort 2, {own}"
            if asked["effort"] < 2 and (len(media.embedders) > 1 or read_column_kinds(bench))
            else f"try {own[3:]}"
        )
    if asked["embedder"] != "lite0":
        return f"try {scan} --embedder lite0, {own}"
    if asked["effort"] < 2:
        return f"try {scan} --effort 2, which looks with a larger network too, {own}"
    return f"try vectors of your own model: {scan} --embeddings FILE"

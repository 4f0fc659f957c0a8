"""Say when flags say more of the model than of the labels."""

from __future__ import annotations

from assay.curation.features.scan_settings import read_settings
from assay.curation.storage.interface import Bench
from assay.curation.text import format_count

WEAK = 1 / 3  # share of labels that a model contradicts, from which on it is the model to doubt
ENOUGH = 30  # labels before such a share says anything


def warn_of_weak_model(bench: Bench, flagged: int, judged: int) -> str | None:
    """Warn where a model contradicts more labels than can be wrong.

    None where it does not. flagged: labels that look wrong to it, of `judged` that nobody has
    reviewed.
    """
    if judged < ENOUGH or flagged <= WEAK * judged:
        return None
    return (
        f"the model agrees with {1 - flagged / judged:.0%} of {format_count(judged, 'label')} that it "
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
    if asked["embedder"] != "lite0":
        return f"try {scan} --embedder lite0, {own}"
    if asked["effort"] < 2:
        return f"try {scan} --effort 2, which looks with a larger network too, {own}"
    return f"try vectors of your own model: {scan} --embeddings FILE"

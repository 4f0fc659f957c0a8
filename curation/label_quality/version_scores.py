"""Score the labels of any version."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from assay.curation.label_quality.judges import judge_key, predict_version
from assay.curation.label_quality.score_files import StoredScores
from assay.curation.label_quality.scoring import score_labels
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.versioning import states

if TYPE_CHECKING:
    import pandas as pd


def score_version(bench: Bench, version: str | int) -> pd.DataFrame:
    """Score a version's labels by the judge it has.

    Kept in arrays/flagged, by what the version holds and what judges it, so that `v1 - flagged` refits once and not at
    every look.
    """
    state = bench.state(version)
    file = bench.arrays / "flagged" / f"{states.hash_tree(state)}-{judge_key(bench, version)}.npz"
    kept = load_arrays(file)
    if kept is not None:
        return StoredScores.from_arrays(kept).to_frame(state)
    made = predict_version(bench, version)
    found = score_labels(made.part, made.classes, made.probs, made.few)
    # who has decided is no part of the tree: to_frame adds it
    found["flagged"] = (found.suggestion != found.label).to_numpy(bool)
    scores = StoredScores.from_frame(made.part, made.classes, made.few, found)
    with suppress(OSError):  # a full disk costs the next look a fit, not this one its answer
        save_arrays(file, **scores.to_arrays())
    return scores.to_frame(state)

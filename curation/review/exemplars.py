"""Choose every class's exemplars: pictures that show what belongs in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.label_quality.live import label_scores
from assay.curation.storage.interface import Bench
from assay.curation.tasks import classification
from assay.curation.tasks.base import Task, task_of
from assay.curation.versioning.class_entries import MOST_EXEMPLARS, find_standing_exemplars
from assay.curation.versioning.class_list import list_entries
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd


def list_exemplars(bench: Bench) -> dict[str, list[str]]:
    """List up to six exemplars of every class with samples: {name: ids}.

    Those that somebody chose; else the most typical ones, see find_typical.
    """
    state = bench.state()
    try:
        scores = label_scores(bench)
    except UserError:  # nothing is scanned, or not as it is now
        scores = None
    return choose_exemplars(state, scores, list_entries(names_at(bench, "HEAD")), task_of(bench))


def choose_exemplars(
    state: pd.DataFrame,
    scores: pd.DataFrame | None,
    entries: Mapping[str, Mapping[str, Any]],
    task: Task = classification.TASK,
) -> dict[str, list[str]]:
    """Choose the exemplars of every class; scores: as score_labels gives them."""
    out = find_typical(state, scores, task=task)
    for name, entry in entries.items():
        if chosen := find_standing_exemplars(state, name, entry.get("exemplars"), task):
            out[name] = chosen
    return out


def find_typical(
    state: pd.DataFrame,
    scores: pd.DataFrame | None,
    most: int = MOST_EXEMPLARS,
    task: Task = classification.TASK,
) -> dict[str, list[str]]:
    """Find the most typical train samples of every class: {name: ids}.

    Those whose label is the likeliest by a model that did not see it. None that is doubted, and
    none of which somebody was unsure; of equal pictures one. Without scores, reviewed ones first.
    """
    fit = state.keep.to_numpy(bool) & (state["split"] == "train").to_numpy()
    fit &= state.label.notna().to_numpy() & (state.verdict != "unsure").to_numpy()
    part = state.loc[fit, ["label", "content_hash", "reviewed"]]
    part = part.assign(score=0.0)
    if scores is not None:
        found = scores[["score", "flagged"]].reindex(part.index)
        part = part.assign(score=found.score.fillna(0.0))[~found.flagged.eq(True).to_numpy()]
    # a stable order: the same pictures tomorrow
    order = np.lexsort((np.arange(len(part)), ~part.reviewed.to_numpy(bool), -part.score))
    part = part.iloc[order]
    if task.several:  # a sample stands for each class of its label
        part = part.assign(label=part.label.map(task.members)).explode("label")
        part = part[part.label.notna()]
    part = part.groupby("label", sort=False).head(2 * most)
    part = part.drop_duplicates(["label", "content_hash"]).groupby("label", sort=False).head(most)
    return {name: list(rows.index) for name, rows in part.groupby("label", sort=False)}

"""Choose every class's exemplars: pictures that show what belongs in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import is_scanned
from assay.curation.label_quality.live import label_scores
from assay.curation.label_quality.partitioned_scores import PartitionedScores
from assay.curation.storage.interface import Bench
from assay.curation.tasks import classification
from assay.curation.tasks.base import Task, task_of
from assay.curation.versioning.class_entries import MOST_EXEMPLARS, find_standing_exemplars
from assay.curation.versioning.class_list import list_entries
from assay.curation.versioning.state_building import is_large, open_state
from assay.curation.versioning.version_names import names_at

if TYPE_CHECKING:
    import pandas as pd


def list_exemplars(bench: Bench) -> dict[str, list[str]]:
    """List up to six exemplars of every class with samples: {name: ids}.

    Those that somebody chose; else the most typical ones, see find_typical.
    """
    entries = list_entries(names_at(bench, "HEAD"))
    if is_large(bench):
        return choose_exemplars(*read_candidates(bench, entries), entries, task_of(bench))
    state = bench.state()
    try:
        scores = label_scores(bench)
    except UserError:  # nothing is scanned, or not as it is now
        scores = None
    return choose_exemplars(state, scores, entries, task_of(bench))


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


def read_candidates(
    bench: Bench, entries: Mapping[str, Mapping[str, Any]]
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Read the samples of a large bench that may be exemplars, and their scores.

    Of each class and each part of the state those that the last scan trusts most, and those that people chose.
    """
    state, chosen = (
        open_state(bench),
        [sample for e in entries.values() for sample in (e["exemplars"] or "").split()],
    )
    named = state.locate(chosen)
    rows = [named[named >= 0]]
    scores = PartitionedScores.load(bench) if is_scanned(bench) else None
    asked = ("label", "split", "verdict", "keep", "reviewed")
    for number, (here, at) in enumerate([] if scores is None else scores.scan()):
        part = state.load(number, asked)
        fit = part.isin("split", ("train",)) & part.has("label") & part.flags["keep"]
        fit &= ~part.isin("verdict", ("unsure",))
        local = here - number * state.each
        use = np.flatnonzero(fit[local] & ~scores.arrays["flagged"][at])
        label = part.codes["label"][local[use]]
        order = np.lexsort(
            (~part.flags["reviewed"][local[use]], -scores.arrays["score"][at][use], label)
        )
        label = label[order]
        place = np.arange(len(label)) - np.searchsorted(label, label)
        rows.append(here[use[order[place < 2 * MOST_EXEMPLARS]]])
    found = np.unique(np.concatenate(rows))
    frame = state.frame(found)
    return frame, None if scores is None else scores.frame(found, frame)


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

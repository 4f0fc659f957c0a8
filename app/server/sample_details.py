"""Everything about one sample, for the inspector.

Of a locked sample only picture, key and metadata.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.features import neighbor_graph
from assay.curation.review.partitioned_queue import read_neighbourhood
from assay.curation.review.reviewers import list_other_votes
from assay.curation.splits import LOCKED
from assay.curation.tasks.base import Task, task_of
from assay.curation.times import show_time
from assay.curation.versioning.history import blame_sample

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

NEAR = 8  # neighbours shown
MOST_EDITS = 50


def describe_sample(bench: Bench, sample: str, who: str, row: dict[str, Any]) -> dict[str, Any]:
    """Describe a sample.

    row: what the table of samples says of it, by columns. Returns dict sample, key, width, height,
    split, locked, meta (pairs), and unless it is locked row, issues, votes, edits, near.
    """
    state = bench.state(samples=[sample])
    if sample not in state.index:
        raise UserError(
            f"expected a sample of this bench, found {sample[:40]!r}",
            "it may have gone with an import that was taken back",
        )
    now = state.loc[sample]
    locked = now["split"] in LOCKED
    about = dict(
        sample=sample,
        key=now.key,
        uri=now.uri,
        split=now["split"],
        width=int(now.width),
        height=int(now.height),
        locked=locked,
        meta=list_metadata(now.meta),
    )
    if locked:
        return about
    votes, task = list_other_votes(bench, sample, who), task_of(bench)
    edits = [] if votes["hidden"] else list_edits(bench, sample)
    return about | dict(
        label=show_label(task, now.label),
        tags=list(now.tags),
        keep=bool(now.keep),
        reviewed=bool(now.reviewed),
        row=row,
        issues=list_sample_issues(bench, sample),
        votes=votes,
        edits=edits,
        near=list_neighbours(bench, read_neighbourhood(bench, sample), sample),
    )


def list_metadata(meta: Any) -> list[tuple[str, str]]:
    """List a sample's metadata as pairs of text."""
    with suppress(TypeError, ValueError):
        found = json.loads(meta)
        if isinstance(found, dict):
            return [(str(k), show_value(v)) for k, v in found.items() if v is not None]
    return []


def show_value(value: Any) -> str:
    """Write a value of metadata as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def list_sample_issues(bench: Bench, sample: str) -> list[dict]:
    """List what the scan found about one sample, worst first, with reasons."""
    found = bench.query(
        "select kind, score, suggestion, why from issues where sample = ? order by score",
        [sample],
    )
    reviewed = bench.state(columns=["reviewed"], samples=[sample]).reviewed[sample]
    return [
        dict(kind=r.kind, score=finite(r.score), why=text_or_none(r.why))
        for r in found.itertuples()
        if not (reviewed and r.kind == "label")
    ]


def list_edits(bench: Bench, sample: str) -> list[dict]:
    """List who decided what about one sample, newest first."""
    edits, task = blame_sample(bench, sample).edits, task_of(bench)
    return [
        dict(
            who=e.who,
            when=show_time(e.ts),
            field=e.field,
            value=show_label(task, text_or_none(e.value))
            if e.field == "label"
            else text_or_none(e.value),
            verdict=e.verdict,
            why=text_or_none(e.why),
            batch=e.batch,
            stands=bool(e.stands),
        )
        for e in edits[::-1][:MOST_EDITS].itertuples()
    ]


def list_neighbours(bench: Bench, state: pd.DataFrame, sample: str) -> list[dict]:
    """List the samples nearest to one.

    A locked one among them comes without its label.
    """
    try:
        graph, node = neighbor_graph.load_nodes(bench, state)
    except NotScanned:
        return []
    i, task = state.index.get_loc(sample), task_of(bench)
    rows = neighbor_graph.rows_on_nodes(graph, node, state.keep.to_numpy(bool))
    near = neighbor_graph.neighbour_rows(graph, node[[i]], rows)[0]
    near = near[(near >= 0) & (near != i)][:NEAR]
    return [
        dict(
            sample=state.index[j],
            key=state.key.iloc[j],
            label=None
            if state["split"].iloc[j] in LOCKED
            else show_label(task, state.label.iloc[j]),
            locked=state["split"].iloc[j] in LOCKED,
        )
        for j in near
    ]


def show_label(task: Task, label: str | None) -> str | None:
    """Write a label as people read it."""
    return task.show(label) if isinstance(label, str) else label


def finite(value: Any) -> float | None:
    """A number that JSON has, or None."""
    return float(value) if value is not None and np.isfinite(value) else None


def text_or_none(value: Any) -> str | None:
    """A text, or None for what is missing."""
    return value if isinstance(value, str) and value else None

"""Describe what a browser shows of a row of the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.label_quality import scoring
from assay.curation.storage.top_probs import ask_others

if TYPE_CHECKING:
    import pandas as pd

    from assay.app.server.row_evidence import RowEvidence
    from assay.curation.features.neighbor_graph import Graph
    from assay.curation.label_quality.live import ScoredState
    from assay.curation.storage.interface import Bench

NEAR = 6  # neighbours shown as evidence
LIKELY = 5  # classes shown with their probabilities
WORDS, FEW_WORDS = 8_000, 280  # characters of a text, and of a neighbour's, that a browser gets
SHOWN = "sample given_label suggested_label score rank random reason".split()


@dataclass(frozen=True)
class QueueEvidence:
    """What a row of the queue is described from, all at one position of the log."""

    bench: Bench
    state: pd.DataFrame
    rows: list[dict]  # of the queue
    scored: ScoredState
    samples: pd.Index  # (n,) those that `scored` has probabilities of
    graph: Graph
    node: np.ndarray  # (N,) of each row of the state
    labelled: np.ndarray  # (nodes,) the labelled row on each node, -1 for none
    read_text: Callable[[str], str] | None = None  # by content hash; None for images
    rows_by_class: RowEvidence | None = None  # of a table; None for images and texts


def describe_row(shown: QueueEvidence, row: dict) -> dict:
    """Describe a row of the queue, with its nearest labelled neighbours."""
    state = shown.state
    i = state.index.get_loc(row["sample"])
    near = neighbor_graph.neighbour_rows(shown.graph, shown.node[i], shown.labelled)
    near = near[near >= 0][:NEAR].tolist()
    return {k: to_json(row.get(k)) for k in SHOWN} | dict(
        name=state.key.iloc[i],
        split=state["split"].iloc[i],
        width=int(state.width.iloc[i]),
        height=int(state.height.iloc[i]),
        near=[
            dict(sample=state.index[j], label=state.label.iloc[j], **show_near(shown, i, j))
            for j in near
        ],
        likely=list_likely_classes(shown, row["sample"]),
        **ask_class(shown, row["sample"]),
        **show_sample(shown, i, row),
    )


def show_sample(shown: QueueEvidence, i: int, row: dict) -> dict:
    """Give what is read of row i: a text, or the columns of a table; {} for images."""
    if shown.rows_by_class is None:
        return show_text(shown, i, WORDS)
    given, suggested = (to_json(row.get(k)) for k in ("given_label", "suggested_label"))
    return shown.rows_by_class.describe(i, given, suggested)


def show_near(shown: QueueEvidence, i: int, j: int) -> dict:
    """Give what is read of neighbour j of row i: see show_sample."""
    if shown.rows_by_class is None:
        return show_text(shown, j, FEW_WORDS)
    return shown.rows_by_class.describe_near(i, j)


def show_text(shown: QueueEvidence, i: int, most: int) -> dict:
    """Give the text of row i, at most so many characters, and how many were cut; {} for images."""
    if shown.read_text is None:
        return {}
    text = shown.read_text(shown.state.content_hash.iloc[i])
    return dict(text=text[:most], cut=max(0, len(text) - most))


def list_likely_classes(shown: QueueEvidence, sample: str) -> list[list]:
    """List a sample's likeliest classes with their probabilities, out of sample.

    The likeliest first; none of a class that is too small to judge.
    """
    scored, at = shown.scored, shown.samples.get_indexer([sample])[0]
    if at < 0:
        return []
    if "question" in scored.found:  # each class by itself
        p = np.where(scored.few, 0, scored.probs[at])
    else:
        p = np.asarray(ask_others(scored.probs[[at]], scored.few))[0]
    first = np.argsort(-p, kind="stable")[:LIKELY]
    return [[scored.classes[c], round(float(p[c]), 4)] for c in first if p[c] > 0]


def ask_class(shown: QueueEvidence, sample: str) -> dict[str, str]:
    """Name the class that a label set is asked about; {} where a sample has one label."""
    found = shown.scored.found
    asked = "question" in found and sample in found.index
    return dict(question=found.question[sample]) if asked else {}


def find_row(shown: QueueEvidence, sample: str) -> dict:
    """Find the row of any sample that may be reviewed.

    It may be in the queue or not. UserError for one that may not: of test and guard no label is
    shown.
    """
    state = shown.state
    free = sample in state.index and state["split"][sample] in ("train", "val")
    if not free or not state.keep[sample]:
        raise UserError(
            "expected a train or val sample that is kept, found another",
            "choose one of the pictures on this page",
        )
    for row in shown.rows:
        if row["sample"] == sample:
            return row
    found = shown.scored.found
    if sample not in found.index:
        return dict(
            sample=sample, given_label=state.label[sample], reason="too few of its class to judge"
        )
    scored = found.loc[[sample]]
    return dict(
        sample=sample,
        given_label=state.label[sample],
        suggested_label=scored.suggestion.iloc[0],
        score=scored.score.iloc[0],
        random=False,
        reason=scoring.explain_labels(shown.bench, state, scored)[0],
    )


def to_json(value: Any) -> Any:
    """Write a frame's cell as JSON knows it."""
    import pandas as pd

    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value

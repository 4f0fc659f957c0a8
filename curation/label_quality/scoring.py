"""Score a version's labels by a model's out-of-sample probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.label_quality.flagging import (
    fit_cuts,
    fit_member_cuts,
    flag_labels,
    flag_members,
)
from assay.curation.label_quality.linear_algebra import is_labelled
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import TopProbs
from assay.curation.tasks import classification
from assay.curation.tasks.base import Task, list_members
from assay.curation.tasks.classification import class_indices
from assay.curation.tasks.multilabel import (
    read_set,
    score_sets,
    trust_members,
    turn_members,
)

if TYPE_CHECKING:
    import pandas as pd

UNSEEN = "a model that has not seen it"  # what out of sample means


def without_locked(state: pd.DataFrame) -> pd.DataFrame:
    """Leave test and guard out, which no score may read.

    The other samples are fitted or predicted.
    """
    return state[~state.split.isin(LOCKED)]


def find_targets(
    state: pd.DataFrame, classes: list[str] | None = None, task: Task = classification.TASK
) -> tuple[list[str], np.ndarray]:
    """Give what a probe fits: (classes, each row's class index (n,) or members (n, k)).

    The classes are the lexicographic ones of kept, labelled train samples; a row has -1 unless it is one of those.
    """
    fitted = (state.keep & (state.split == "train") & state.label.notna()).to_numpy()
    classes = list_members(task, state.label[fitted]) if classes is None else classes
    y = task.targets(state.label, classes)
    y[~fitted] = -1
    return classes, y


def scored_rows(
    state: pd.DataFrame,
    classes: Sequence[str],
    few: np.ndarray,
    task: Task = classification.TASK,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the scored rows, and every row's class.

    Returns (rows (m,) of the state, class indices (n,) or members (n, k)). These are kept train and val samples,
    labelled with a class that is not one of the `few` (k,) bool. A label set is scored by its other classes.
    """
    y = task.targets(state.label, classes)
    use = (
        is_labelled(y)
        & (~np.asarray(few)[y] if y.ndim == 1 else True)
        & state.keep.to_numpy()
        & state.split.isin(("train", "val")).to_numpy()
    )
    return np.flatnonzero(use), y


def score_labels(
    state: pd.DataFrame,
    classes: Sequence[str],
    probs: np.ndarray | TopProbs,
    few: np.ndarray,
    cuts: np.ndarray | None = None,
    task: Task = classification.TASK,
) -> pd.DataFrame:
    """Score the labels of a state: worst labels lowest.

    Of every labelled, kept train and val sample. probs (n, k): of the rows of the state. few (k,): classes with too
    few samples to judge, or to suggest. cuts (k,): as choose_cuts, which is asked where they are None. Frame by
    sample: label, reviewed, score (probability of the label it has), suggestion, confidence (probability of that),
    flagged (see flagging; and nobody has decided about the label). For label sets see multilabel.score_sets; one is
    flagged where any of its memberships is, and the suggestion turns all of these; `question` names the class that is
    doubted most.
    """
    rows, y, p = _judged_probs(state, classes, probs, few, task)
    cuts = _fit_cuts(y, p) if cuts is None else cuts
    if y.ndim == 1:
        out, flagged = task.score(y, p, classes), flag_labels(y, p, cuts)
    else:
        out, members = score_sets(y, p, classes, cuts[:, 2]), flag_members(y, p, cuts)
        out["suggestion"] = turn_members(y, trust_members(y, p, cuts[:, 2]), members, classes)
        flagged = members.any(1)
    out = out.set_index(state.index[rows])
    out.insert(0, "label", state.label.iloc[rows])
    out.insert(1, "reviewed", state.reviewed.iloc[rows])
    out["flagged"] = flagged & ~out.reviewed.to_numpy(bool)
    return out


def choose_cuts(
    state: pd.DataFrame,
    classes: Sequence[str],
    probs: np.ndarray | TopProbs,
    few: np.ndarray,
    task: Task = classification.TASK,
) -> np.ndarray:
    """Choose what the labels of a state are flagged by: see fit_cuts, fit_member_cuts."""
    _, y, p = _judged_probs(state, classes, probs, few, task)
    return _fit_cuts(y, p)


def _fit_cuts(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return fit_cuts(y, p) if y.ndim == 1 else fit_member_cuts(y, p)


def _judged_probs(
    state: pd.DataFrame,
    classes: Sequence[str],
    probs: np.ndarray | TopProbs,
    few: np.ndarray,
    task: Task,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give (rows, their class indices (m,) or members (m, k), probabilities (m, k)) that are scored."""
    rows, y = scored_rows(state, classes, few, task)
    if isinstance(probs, TopProbs):
        return rows, y[rows], probs[rows].without(few)
    p = np.ascontiguousarray(probs[rows], "f8")
    if y.ndim == 2:
        p[:, few] = y[rows][:, few]  # what nobody can judge is taken for right
        return rows, y[rows], p
    p[:, few] = 0
    p /= p.sum(1, keepdims=True)
    return rows, y[rows], p


def explain_labels(bench: Bench, state: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Say in a sentence why each label is doubted.

    rows: of a frame as score_labels makes it. The sentence says what the model says without having seen the sample,
    and what its nearest neighbours are labelled.
    """
    if not len(rows):
        return []
    import pandas as pd

    if "question" in rows:
        return explain_sets(bench, state, rows)
    graph, node = neighbor_graph.load_nodes(bench, state)
    usable = neighbor_graph.labelled_rows(state)
    asked = node[state.index.get_indexer(rows.index)]
    near = neighbor_graph.neighbour_rows(
        graph, asked, neighbor_graph.rows_on_nodes(graph, node, usable)
    )
    codes, names = np.full(len(state), -1), []
    codes[usable], names = pd.factorize(state.label.to_numpy()[usable], sort=True)
    labels = np.where(near >= 0, codes[near], -1)  # (m, k) of the neighbours
    suggested = class_indices(rows.suggestion, names)
    same = (labels == np.where(suggested < 0, -2, suggested)[:, None]).sum(1)
    total = (near >= 0).sum(1)
    return [
        f"{UNSEEN}: {p:.0%} {s}, {q:.0%} {g}; {a} of {n} nearest neighbours labelled {s}"
        if s != g
        else f"{UNSEEN}: {p:.0%} {s}, as labelled; {a} of {n} nearest neighbours labelled {s}"
        for p, s, q, g, a, n in zip(
            rows.confidence, rows.suggestion, rows.score, rows.label, same, total
        )
    ]


def explain_sets(bench: Bench, state: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Say in a sentence which membership of each label set is doubted."""
    graph, node = neighbor_graph.load_nodes(bench, state)
    usable = neighbor_graph.labelled_rows(state)
    asked = node[state.index.get_indexer(rows.index)]
    near = neighbor_graph.neighbour_rows(
        graph, asked, neighbor_graph.rows_on_nodes(graph, node, usable)
    )
    labels = state.label.to_numpy(object)
    out = []
    for row, own in zip(rows.itertuples(), near):
        theirs = [read_set(labels[i]) for i in own[own >= 0]]
        there = row.question in read_set(row.label)
        turned = there != (row.question in read_set(row.suggestion))
        says = "yes" if there != turned else "no"
        given = f", {'as labelled' if not turned else 'labelled ' + ('yes' if there else 'no')}"
        has = sum(row.question in names for names in theirs)
        out.append(
            f"{row.question}? {UNSEEN}: {row.confidence:.0%} {says}{given}; {has} of {len(theirs)} nearest"
            f" neighbours labelled {row.question}"
        )
    return out

"""Score a version's labels by a model's out-of-sample probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.label_quality.flagging import fit_cuts, flag_labels
from assay.curation.label_quality.linear_algebra import is_labelled
from assay.curation.label_quality.member_flags import COLUMNS, fit_member_cuts, flag_members
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.storage.top_probs import TopProbs
from assay.curation.tasks import classification
from assay.curation.tasks.base import Task, list_members
from assay.curation.tasks.classification import class_indices
from assay.curation.tasks.member_noise import MemberNoise
from assay.curation.tasks.multilabel import keep_others, read_set, score_sets

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


def read_targets(task: Task, labels: Sequence, classes: Sequence[str]) -> np.ndarray:
    """Give what labels say of classes: class indices (n,), or members (n, k); -1 for none.

    A label set that names another class, too, such as one that train lacks, counts by the others.
    """
    y = task.targets(labels, classes)
    if y.ndim == 2:
        place = {name: column for column, name in enumerate(classes)}
        for row, label in enumerate(np.asarray(labels, object)):
            if y.shape[1] and y[row, 0] < 0 and isinstance(label, str):
                y[row] = 0
                y[row, [place[name] for name in task.members(label) if name in place]] = 1
    return y


def scored_rows(
    state: pd.DataFrame,
    classes: Sequence[str],
    few: np.ndarray,
    task: Task = classification.TASK,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the scored rows, and every row's class.

    Returns (rows (m,) of the state, class indices (n,) or members (n, k)). These are kept train and val samples,
    labelled with a class that is not one of the `few` (k,) bool. A label set is scored by its other classes, and by
    those alone that `classes` have.
    """
    y = read_targets(task, state.label, classes)
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
    if cuts is None or (y.ndim == 2 and cuts.shape[1:] != (COLUMNS,)):  # an older Assay's
        cuts = _fit_cuts(y, p, few)
    if y.ndim == 1:
        out, flagged = task.score(y, p, classes), flag_labels(y, p, cuts)
    else:
        members = flag_members(y, p, cuts) & ~few
        out = score_sets(y, p, classes, MemberNoise.from_array(cuts), members)
        out["suggestion"] = keep_others(out.suggestion, state.label.iloc[rows], classes)
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
    return _fit_cuts(y, p, few)


def _fit_cuts(y: np.ndarray, p: np.ndarray, few: np.ndarray) -> np.ndarray:
    return fit_cuts(y, p) if y.ndim == 1 else fit_member_cuts(y, p, few)


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
        return rows, y[rows], p  # what is too rare to be flagged is ranked
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
    in_train = neighbor_graph.labelled_rows(state) & (state.split == "train").to_numpy()
    known = {name for label in set(labels[in_train]) for name in read_set(label)}
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
        if lost := [name for name in read_set(row.label) if name not in known]:
            are = "is" if len(lost) == 1 else "are"
            out[-1] += f"; {', '.join(lost)} {are} not in train, so nothing is said of that"
    return out

"""Neighbours vote on labels: which classes the nearest train samples have.

A probe draws one border for all; who lives in a small pocket of its class is seen by its neighbours alone. A fixed
share of their votes is added to the scores. It was measured on human and on simulated errors: docs/lab-notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features import neighbor_graph
from assay.curation.label_quality.linear_algebra import is_labelled
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

# of the votes, added to scores of 0 to 1. Not chosen anew for each bench: log-loss hardly tells shares apart
SHARE = 0.2
BLOCK = 1_000_000  # samples whose voters are found at a time


def find_voters(bench: Bench, part: pd.DataFrame) -> np.ndarray:
    """Find the train samples that vote on each sample: rows (n, j), -1 for none.

    part: n rows of a state. A copy does not vote on its copy.
    """
    graph, node = neighbor_graph.load_nodes(bench, part)
    train = (part.split == "train").to_numpy()
    rows, groups = neighbor_graph.rows_on_nodes(graph, node, train), graph.groups[node]
    out = np.empty((len(node), graph.neighbours.shape[1]), "i4")
    for start in range(0, len(node), BLOCK):
        some = slice(start, start + BLOCK)
        near = neighbor_graph.neighbour_rows(graph, node[some], rows)
        out[some] = np.where(groups[near] == groups[some, None], -1, near)
    return out


def count_votes(near: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """Count each class's share of the votes: (m, k), zeros where nobody votes.

    near (m, j): as find_voters; y: class index of every row that `near` names, -1 for one without a vote; or members
    (n, k), each of which gets the share of the voters that have it.
    """
    if y.ndim == 2:
        return count_members(near, y)
    labels = np.append(np.where(y < 0, k, y), k)[near]  # k where nobody votes
    at = labels + (k + 1) * np.arange(len(near))[:, None]
    votes = np.bincount(at.ravel(), minlength=len(near) * (k + 1)).reshape(-1, k + 1)[:, :k]
    return votes / np.maximum(votes.sum(1, keepdims=True), 1)


def count_members(near: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Count the share of voters that have each class: (m, k), zeros where nobody votes."""
    votes, many = np.zeros((len(near), y.shape[1])), np.zeros(len(near))
    labelled = is_labelled(y)
    for column in near.T:
        voter = (column >= 0) & labelled[column]
        votes[voter] += y[column[voter]]
        many += voter
    return votes / np.maximum(many, 1)[:, None]


def weigh_votes(near: np.ndarray, y: np.ndarray, voters: np.ndarray) -> np.ndarray:
    """Give each voter's share of the votes on each sample: (m, h).

    near (m, j), y: as count_votes; voters (h,): rows.
    """
    many = ((near >= 0) & (y[near] >= 0)).sum(1)
    theirs = (near[:, :, None] == voters).sum(1) * (y[voters] >= 0)
    return theirs / np.maximum(many, 1)[:, None]

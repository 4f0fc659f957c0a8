"""Copies that the last scan found and that nobody told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features.neighbor_graph import Graph, load_nodes
from assay.curation.issues.not_copies import find_pairs_apart, load_not_copies
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Copies:
    """Exact and near duplicates of a state's samples."""

    graph: Graph
    node: np.ndarray  # (n,) of each sample in the graph
    groups: np.ndarray  # (n,) of each sample: copies share a number
    near: np.ndarray  # (m, 3) near-duplicate pairs of nodes with distances
    close: np.ndarray  # (c, 2) pairs of nodes whose pixels were compared
    alike: np.ndarray  # (c,) how alike these are, up to 1


def load_copies(bench: Bench, state: pd.DataFrame, upto: int = END) -> Copies:
    """Read the copies among samples, as of a position of the log.

    UserError where images are not scanned.
    """
    graph, node = load_nodes(bench, state)
    apart = find_pairs_apart(load_not_copies(bench, upto), state.index, node)
    together, close = ~mark_pairs(graph.pairs, apart), ~mark_pairs(graph.close, apart)
    near = np.column_stack([graph.pairs, graph.gaps]) if len(graph.pairs) else np.empty((0, 3))
    groups = split_groups(graph.groups, graph.pairs[together], apart)
    return Copies(graph, node, groups[node], near[together], graph.close[close], graph.alike[close])


def mark_pairs(pairs: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Mark the pairs (m,) that are among `apart` (k, 2).

    Either of a pair may come first.
    """
    if not len(apart) or not len(pairs):
        return np.zeros(len(pairs), bool)
    wide = int(max(pairs.max(), apart.max())) + 1
    key = [np.sort(p, axis=1) @ np.array([wide, 1]) for p in (pairs, apart)]
    return np.isin(key[0], key[1])


def split_groups(groups: np.ndarray, pairs: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Split groups of near duplicates that hold a pair told apart.

    No group holds such a pair then. groups (n,): of each node, as group_near_duplicates numbers
    them. pairs (m, 2): near duplicates, nearest first, without those told apart. apart (k, 2).
    Groups without such a pair stay as they are; in the others a node joins the first near duplicate
    that leads nobody told apart from it.
    """
    inside = apart[groups[apart[:, 0]] == groups[apart[:, 1]]] if len(apart) else apart
    if not len(inside):
        return groups
    foes: dict[int, set[int]] = {}
    for a, b in inside.tolist():
        foes.setdefault(a, set()).add(b)
        foes.setdefault(b, set()).add(a)
    split = np.isin(groups, groups[inside[:, 0]])
    out = np.where(split, np.arange(len(groups)), groups)
    members: dict[int, set[int]] = {}
    followers = set()
    for i, j in pairs[split[pairs].all(1)].tolist() if len(pairs) else ():
        for lead, follow in ((i, j), (j, i)):
            free = lead not in followers and follow not in followers and follow not in members
            if free and groups[lead] == groups[follow]:
                team = members.get(lead, {lead})
                if not team & foes.get(follow, set()):
                    members[lead] = team | {follow}
                    followers.add(follow)
                    out[follow] = lead
                    break
    return out

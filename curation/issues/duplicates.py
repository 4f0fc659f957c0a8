"""Find exact and near duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.issues.copies import Copies
from assay.curation.media.image_similarity import NEAR_DUPLICATE
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd


def group_copies(state: pd.DataFrame, groups: Sequence) -> dict[object, list[int]]:
    """Group the kept samples: {group: row numbers}, of two rows or more.

    groups (n,): numbers or hashes.
    """
    rows: dict[object, list[int]] = {}
    for i, (keep, group) in enumerate(zip(state.keep, groups)):
        if keep:
            rows.setdefault(group, []).append(i)
    return {group: members for group, members in rows.items() if len(members) > 1}


def find_exact_duplicates(state: pd.DataFrame) -> list[Issue]:
    """Find samples with the same bytes."""
    split, out = state.split.to_numpy(), []
    for members in group_copies(state, state.content_hash).values():
        mix = ", ".join(
            f"{(split[members] == s).sum()} in {s}" for s in dict.fromkeys(split[members])
        )
        why = f"{format_count(len(members), 'sample')} with the same bytes: {mix}"
        out += [Issue("exact_duplicates", state.index[i], 0.0, None, why) for i in members]
    return out


def find_near_duplicates(
    state: pd.DataFrame, copies: Copies, likeness: float | None = None
) -> list[Issue]:
    """Find near duplicates, nearest first: 1 - likeness is the score.

    likeness: from which on two are near duplicates, else the graph's own.
    """
    seen = copies.alike >= (copies.graph.limit if likeness is None else likeness)
    node = copies.node
    on_node: dict[int, int] = {}
    for i in np.flatnonzero(state.keep):
        on_node.setdefault(node[i], i)
    ids, split, out = state.index, state.split.to_numpy(), {}
    pairs = zip(copies.close[seen].tolist(), copies.alike[seen].tolist())
    for (a, b), alike in sorted(pairs, key=lambda pair: -pair[1]):
        if a in on_node and b in on_node:
            for i, j in ((on_node[a], on_node[b]), (on_node[b], on_node[a])):
                why = f"{alike:.0%} like {ids[j]} ({split[j]})"
                row = Issue("near_duplicate", ids[i], max(0.0, 1 - alike), None, why)
                out.setdefault(ids[i], row)
    return list(out.values())


def find_duplicates(scan: ScanView, kind: str, threshold: float | None) -> list[Issue]:
    if kind == "exact_duplicates":
        return find_exact_duplicates(scan.state)
    likeness = None if threshold is None else 1 - threshold
    return find_near_duplicates(scan.state, scan.copies, likeness)


FINDER = IssueFinder(
    {
        "exact_duplicates": Kind("it is there more than once, byte for byte"),
        "near_duplicate": Kind(
            "nearly the same sample is there, too", threshold=1 - NEAR_DUPLICATE
        ),
    },
    find_duplicates,
    order=40,
)

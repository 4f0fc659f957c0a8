"""Find exact and near duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.features.neighbor_graph import rows_on_nodes
from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.issues.copies import Copies
from assay.curation.media.image_similarity import NEAR_DUPLICATE
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd


def group_copies(state: pd.DataFrame, groups: pd.Series | np.ndarray) -> list[list[int]]:
    """Group the kept samples: the row numbers of each group of two or more.

    groups (n,): numbers or hashes.
    """
    import pandas as pd

    kept = np.flatnonzero(state.keep)
    code = pd.factorize(groups[state.keep.to_numpy()])[0]
    several = np.bincount(code, minlength=1)[code] > 1
    kept, code = kept[several], code[several]
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order])) + 1
    return [rows.tolist() for rows in np.split(kept[order], starts) if len(rows)]


def find_exact_duplicates(state: pd.DataFrame) -> list[Issue]:
    """Find samples with the same bytes."""
    split, out = state.split.to_numpy(), []
    for members in group_copies(state, state.content_hash):
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
    on_node = rows_on_nodes(copies.graph, copies.node, state.keep.to_numpy())
    ids, split, out = state.index, state.split.to_numpy(), {}
    pairs = zip(copies.close[seen].tolist(), copies.alike[seen].tolist())
    for (a, b), alike in sorted(pairs, key=lambda pair: -pair[1]):
        if on_node[a] >= 0 and on_node[b] >= 0:
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

"""Find samples that give away one to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.issues.base import Issue, IssueFinder, Kind, ScanView
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

GIVEN_AWAY = (
    ("train", ("val", "test", "guard")),
    ("val", LOCKED),
    ("pool", ("guard",)),
)  # what each split must not repeat; worst last
LAST_KEEP = "select sample from edits where field = 'keep' group by sample having"  # the last word on keeping it


def match_leaks(
    state: pd.DataFrame, near: np.ndarray, node: Sequence[int]
) -> dict[int, tuple[int, float]]:
    """Match kept samples with what they must not equal.

    {row: (row of the one that it equals or nearly equals, distance)}. Train must not give a val, test or guard sample
    away, val a test or guard sample, pool a guard sample. near: as Copies.near; node (n,): of each sample.
    """
    kept, split = state.keep.to_numpy(), state.split.to_numpy()
    out: dict[int, tuple[int, float]] = {}
    for leaky, others in GIVEN_AWAY:
        if not (rows := np.flatnonzero(kept & (split == leaky))).size:
            continue
        # of a node's copies the first of the worst split
        held = {node[i]: i for s in others for i in np.flatnonzero(kept & (split == s))[::-1]}
        close: dict[int, tuple[int, float]] = {}
        for i, j, distance in near:
            for a, b in ((int(i), int(j)), (int(j), int(i))):
                if b in held and (a not in close or distance < close[a][1]):
                    close[a] = (held[b], distance)
        close |= {n: (row, 0.0) for n, row in held.items()}
        out |= {i: close[node[i]] for i in rows if node[i] in close}
    return out


def find_leakage(scan: ScanView, kind: str, threshold: float | None = None) -> list[Issue]:
    ids, split, node = scan.state.index, scan.state.split.to_numpy(), scan.node
    out = []
    for i, (j, distance) in match_leaks(scan.state, scan.copies.near, node).items():
        how = "equals" if distance == 0 and node[i] == node[j] else "nearly equals"
        why = f"{how} the {split[j]} sample {ids[j]}"
        out.append(Issue(kind, ids[i], float(distance), None, why))
    return out


# ---- what is held out


def ignore_leakage_holdout(bench: Bench, state: pd.DataFrame) -> pd.DataFrame:
    """Copy a state without the scan's hold-out: leakage stays listed."""
    whole = state.copy()
    # by a scan, or by an undo that brought its word back
    held = bench.rows(f"{LAST_KEEP} arg_max(origin_kind, seq) = 'scan'")
    whole.loc[[s for (s,) in held if s in whole.index], "keep"] = True
    return whole


def find_restored(bench: Bench) -> set[str]:
    """Find samples that people decided to keep or drop.

    A person, or an undo, had the last word: nothing holds these out again.
    """
    last = "arg_max(kind, seq) in ('edit', 'undo') and arg_max(origin_kind, seq) <> 'scan'"
    found = bench.rows(f"{LAST_KEEP} {last}")
    return {sample for (sample,) in found}


FINDER = IssueFinder(
    {
        "leakage": Kind(
            "it (nearly) equals a sample of a split that judges it",
            closed_by="nothing",  # some are out because they leak: they stay listed
        )
    },
    find_leakage,
    order=50,
)

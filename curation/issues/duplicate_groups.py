"""List groups of copies: those whose labels contradict each other first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.issues.copies import Copies, load_copies
from assay.curation.issues.keep_best import KeepPlan, group_state, plan_keep_best, rank_copies
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = "group samples exact alike conflict across splits labels keeps members".split()


@dataclass(frozen=True)
class DuplicateGroups:
    """Groups of copies in order; g groups of n samples."""

    state: pd.DataFrame  # (n,)
    number: np.ndarray  # (g,) what the column duplicate_group says
    ends: np.ndarray  # (g + 1,) the rows of group i are rows[ends[i]:ends[i + 1]]
    rows: np.ndarray  # of the state, the best of each group first
    conflict: np.ndarray  # (g,) bool, labels contradict each other
    across: np.ndarray  # (g,) bool, a copy gives away a sample that judges
    exact: np.ndarray  # (g,) bool, all have the same bytes
    alike: np.ndarray  # (g,) the least likeness of two near duplicates in it, up to 1
    locked: np.ndarray  # (g,) samples of test and guard in it
    code: np.ndarray  # (n,) the group of each sample, as number_groups
    rank: np.ndarray  # (n,) as rank_copies
    hidden: int  # groups of test and guard samples alone, which are left out

    def __len__(self) -> int:
        return len(self.number)

    def members(self, i: int) -> np.ndarray:
        """Give the rows of group i, the best first."""
        return self.rows[self.ends[i] : self.ends[i + 1]]

    def select(self, wanted: np.ndarray) -> np.ndarray:
        """Find the groups that hold one of some rows; wanted (n,) bool."""
        held = np.add.reduceat(wanted[self.rows], self.ends[:-1]) if len(self) else np.empty(0)
        return np.flatnonzero(held)

    def plan(self, some: np.ndarray) -> KeepPlan:
        """Plan to keep the best of some groups."""
        wanted = np.zeros(len(self.state), bool)
        wanted[self.rows[self.ends[:-1][some]]] = True
        locked = self.state["split"].isin(LOCKED).to_numpy()
        return plan_keep_best(self.code, self.rank, locked, wanted)


def find_groups(copies: Copies, state: pd.DataFrame, exact: bool = False) -> DuplicateGroups:
    """Find the groups of copies: contradicting labels first, then those across splits.

    Then the largest, then the most alike. exact: those with equal bytes alone. No label of test or guard is read.
    """
    import pandas as pd

    code = group_state(copies, state, exact)
    inside = np.flatnonzero(code >= 0)
    part = state.iloc[inside]
    rank = np.zeros(len(state), int)
    rank[inside] = rank_copies(part)
    rows = inside[np.lexsort((rank[inside], code[inside]))]
    starts = np.flatnonzero(np.r_[True, np.diff(code[rows]) > 0]) if len(rows) else rows
    split = state["split"].to_numpy(object)[rows]
    locked = np.isin(split, LOCKED)
    label = np.where(locked, -1, pd.factorize(state.label.to_numpy(object)[rows])[0])

    def any_of(marks: np.ndarray) -> np.ndarray:
        return np.logical_or.reduceat(marks, starts) if len(starts) else np.empty(0, bool)

    most = np.iinfo("i8").max
    if len(starts):
        least = np.minimum.reduceat(np.where(label < 0, most, label), starts)
        conflict = (np.maximum.reduceat(label, starts) > least) & (least < most)
        nodes = copies.node[rows]
        same = np.minimum.reduceat(nodes, starts) == np.maximum.reduceat(nodes, starts)
        locked_count = np.add.reduceat(locked.astype(int), starts)
    else:
        conflict = same = np.empty(0, bool)
        locked_count = np.empty(0, int)
    train, val, pool, guard = (any_of(split == s) for s in ("train", "val", "pool", "guard"))
    judged = any_of(locked)
    across = train & (val | judged) | val & judged | pool & guard
    size = np.diff(np.r_[starts, len(rows)]).astype(int)
    alike = np.ones(len(starts)) if exact else measure_alike(copies, rows, starts)
    open_ = locked_count < size
    order = np.lexsort((-alike, -size, ~across, ~conflict))
    order = order[open_[order]]
    number = copies.groups[rows[starts]]
    parts = [rows[starts[i] : starts[i] + size[i]] for i in order]
    return DuplicateGroups(
        state=state,
        number=number[order],
        ends=np.r_[0, np.cumsum(size[order])].astype(int),
        rows=np.concatenate(parts) if parts else np.empty(0, int),
        conflict=conflict[order],
        across=across[order],
        exact=same[order],
        alike=alike[order],
        locked=locked_count[order],
        code=code,
        rank=rank,
        hidden=int((~open_).sum()),
    )


def measure_alike(copies: Copies, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Measure the least likeness of near duplicates in each group (g,).

    1 where all are equal. rows (r,): sorted by group, each of which begins at one of `starts` (g,).
    """
    of_node = np.full(len(copies.graph.hashes), -1)
    of_node[copies.node[rows]] = np.repeat(
        np.arange(len(starts)), np.diff(np.r_[starts, len(rows)]).astype(int)
    )
    out = np.ones(len(starts))
    one, other = of_node[copies.close].T if len(copies.close) else np.empty((2, 0), int)
    both = (one == other) & (one >= 0) & (copies.alike >= copies.graph.limit)
    np.minimum.at(out, one[both], copies.alike[both])
    return out


def tabulate_groups(
    bench: Bench, exact: bool = False, wanted: np.ndarray | None = None
) -> pd.DataFrame:
    """List groups of copies as a frame, in the order of find_groups.

    Columns group (what duplicate_group says), samples (how many), exact, alike, conflict, across, splits, labels (of
    those outside test and guard), keeps (the key of the best), members (ids, the best first). wanted (n,) bool: the
    groups that hold one of these rows alone.
    """
    import pandas as pd

    state = bench.state()
    found = find_groups(load_copies(bench, state), state, exact)
    some = np.arange(len(found)) if wanted is None else found.select(wanted)
    rows = []
    for i in some:
        part = state.iloc[found.members(i)]
        labels = part.label[~part["split"].isin(LOCKED)].dropna().unique()
        rows.append(
            (
                int(found.number[i]),
                len(part),
                bool(found.exact[i]),
                round(float(found.alike[i]), 4),
                bool(found.conflict[i]),
                bool(found.across[i]),
                ", ".join(f"{n} {s}" for s, n in part["split"].value_counts().items()),
                sorted(map(str, labels)),
                part.key.iloc[0],
                list(part.index),
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)

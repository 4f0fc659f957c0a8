"""Keep the best of each group of copies, and drop the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.issues.copies import load_copies
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.issues.copies import Copies

SPLIT_ORDER = ("val", "train", "pool")  # of equals, the copy in the first of these stays


@dataclass(frozen=True)
class KeepPlan:
    """What keeping the best of some groups does: rows of a state."""

    dropped: np.ndarray  # (m,)
    stands: np.ndarray  # (m,) which row stands for each
    groups: int  # that lose a copy
    locked: int  # of these, groups that keep a test or guard sample
    kept: int  # samples that stay in these groups

    def count(self) -> dict[str, int]:
        """Count it: {dropped, kept, groups, locked}."""
        counts = dict(kept=self.kept, groups=self.groups, locked=self.locked)
        return dict(dropped=len(self.dropped)) | counts

    def name_rows(self, state: pd.DataFrame) -> list[tuple[str, str]]:
        """Name them: (what is dropped, what stands for it)."""
        ids = state.index
        return list(zip(ids[self.dropped], ids[self.stands]))


def number_groups(values: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Number the groups (n,) that hold two kept samples or more.

    -1 for all else. values (n,): what copies share, such as a number or a hash. keep (n,) bool.
    """
    _, code = np.unique(values, return_inverse=True)
    size = np.bincount(code[keep], minlength=code.max(initial=-1) + 1)
    return np.where(keep & (size[code] > 1), code, -1)


def rank_copies(state: pd.DataFrame) -> np.ndarray:
    """Rank samples as copies, (n,) from 0, the best.

    Locked ones come first, as nothing of test or guard is dropped. Then reviewed ones, labelled ones, the largest
    picture; of equals val before train before pool, as a train copy gives a val sample away.
    """
    split = state["split"].to_numpy(object)
    last = len(SPLIT_ORDER)
    place = np.array([SPLIT_ORDER.index(s) if s in SPLIT_ORDER else last for s in split], int)
    locked = np.isin(split, LOCKED)
    area = state.width.to_numpy("f8") * state.height.to_numpy("f8")
    reviewed = state.reviewed.to_numpy(bool) & ~locked
    labelled = state.label.notna().to_numpy() & ~locked
    order = np.lexsort(
        (state.index.to_numpy().astype(str), place, -area, ~labelled, ~reviewed, ~locked)
    )
    rank = np.empty(len(state), int)
    rank[order] = np.arange(len(state))
    return rank


def plan_keep_best(
    groups: np.ndarray, rank: np.ndarray, locked: np.ndarray, wanted: np.ndarray | None = None
) -> KeepPlan:
    """Plan to keep each group's first by rank, and all locked rows.

    groups (n,): as number_groups; rank (n,): as rank_copies; locked (n,) bool. wanted (n,) bool: the groups of these
    rows alone.
    """
    inside = groups >= 0
    if wanted is not None:
        inside &= np.isin(groups, groups[wanted & inside])
    rows = np.flatnonzero(inside)
    rows = rows[np.lexsort((rank[rows], groups[rows]))]
    numbers, first = np.unique(groups[rows], return_index=True)
    best = rows[first]
    stands = best[np.searchsorted(numbers, groups[rows])]
    out = (rows != stands) & ~locked[rows]
    touched = np.unique(stands[out])
    members = int(np.isin(stands, touched).sum())
    return KeepPlan(
        rows[out], stands[out], len(touched), int(locked[touched].sum()), members - int(out.sum())
    )


def group_state(copies: Copies, state: pd.DataFrame, exact: bool = False) -> np.ndarray:
    """Number the groups of copies (n,) of a state.

    -1 for none. exact: those with equal bytes alone.
    """
    keep = state.keep.to_numpy(bool)
    values = state.content_hash.to_numpy().astype(str) if exact else copies.groups
    return number_groups(values, keep)


def plan_state(
    bench: Bench, state: pd.DataFrame, exact: bool = False, wanted: np.ndarray | None = None
) -> KeepPlan:
    """Plan to keep the best of each group of a state.

    exact: as group_state. wanted (n,) bool: as plan_keep_best.
    """
    groups = group_state(load_copies(bench, state), state, exact)
    locked = state["split"].isin(LOCKED).to_numpy()
    return plan_keep_best(groups, rank_copies(state), locked, wanted)


def keep_best(
    bench: Bench, who: str, exact: bool = False, wanted: np.ndarray | None = None
) -> dict:
    """Keep the best of each group of copies, as one batch.

    wanted (n,) bool: the groups of these rows of the state alone. Returns {batch, dropped, kept, groups, locked};
    batch is None where there is nothing to drop.
    """
    import pandas as pd

    state = bench.state()
    plan = plan_state(bench, state, exact, wanted)
    rows = [(one, "false", explain_drop(best)) for one, best in plan.name_rows(state)]
    if not rows:
        return dict(batch=None) | plan.count()
    edited = bench.edit(pd.DataFrame(rows, columns=["sample", "keep", "why"]), who)
    return dict(batch=edited["batch"]) | plan.count()


def explain_drop(best: str) -> str:
    """Say why a copy is dropped."""
    return f"near_duplicate: {best} stands for it"

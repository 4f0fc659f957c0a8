"""Groups of copies on the page Duplicates, and acts on them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.app.server.browse_acts import settle, store
from assay.curation.errors import UserError
from assay.curation.issues.copies import load_copies
from assay.curation.issues.duplicate_groups import DuplicateGroups, find_groups
from assay.curation.issues.keep_best import KeepPlan, explain_drop, plan_keep_best
from assay.curation.splits import LOCKED
from assay.curation.tasks.base import task_of

if TYPE_CHECKING:
    from assay.app.server.browse_view import Asked, BrowseView

PAGE = 20  # groups in one answer
SHOWN = 24  # pictures of a group; Browse shows all


@dataclass(frozen=True)
class Shown:
    """The groups that a filter leaves."""

    groups: DuplicateGroups
    some: np.ndarray  # (g,) which of them, in order
    wanted: np.ndarray  # (n,) bool, the samples of the filter
    seq: int
    of: str  # a digest of all this

    def rows(self) -> np.ndarray:
        """Give the rows of the state that are in these groups."""
        parts = [self.groups.members(i) for i in self.some]
        return np.concatenate(parts) if parts else np.empty(0, int)


class DuplicateView:
    """The groups of one bench, found once for each state of it."""

    def __init__(self, view: BrowseView) -> None:
        self.view, self.lock = view, threading.Lock()
        self.found: tuple[tuple, DuplicateGroups] | None = None

    def choose(self, asked: Asked) -> Shown:
        """Choose the groups that hold a sample of a filter.

        UserError where images are not scanned.
        """
        with self.view.lock:
            positions = self.view.choose(asked._replace(sort="", group="")).positions
            table = self.view.refresh()
            stamps, state = table.snapshot.stamps, table.snapshot.state
        with self.lock:
            if self.found is None or self.found[0] != stamps:
                copies = load_copies(self.view.bench, state)
                self.found = stamps, find_groups(copies, state)
            groups = self.found[1]
        wanted = np.zeros(len(state), bool)
        wanted[positions] = True
        some = groups.select(wanted)
        parts = [groups.number[some], groups.ends, groups.rows, wanted]
        told = blake2b(b"".join(np.ascontiguousarray(p).tobytes() for p in parts), digest_size=8)
        return Shown(groups, some, wanted, stamps[0], told.hexdigest())

    def describe(self, asked: Asked, after: int) -> dict[str, Any]:
        """Describe a page of groups, from `after` on.

        The first page also has the counts of all groups.
        """
        shown = self.choose(asked)
        groups, some = shown.groups, shown.some
        show = task_of(self.view.bench).show
        page = [describe_group(shown, int(i), show) for i in some[after : after + PAGE]]
        out = dict(of=shown.of, seq=shown.seq, groups=page, after=after, page=PAGE)
        if after:
            return out
        return out | dict(
            total=len(some),
            all=len(groups),
            samples=int(np.diff(groups.ends)[some].sum()),
            conflict=int(groups.conflict[some].sum()),
            across=int(groups.across[some].sum()),
            hidden=groups.hidden,
        )

    def plan(self, asked: Asked) -> dict[str, Any]:
        """Say what keeping the best of all groups would do.

        The groups are those of a filter. `all` counts all of them, `agreeing` those whose labels do
        not contradict each other.
        """
        shown = self.choose(asked)
        agreeing = shown.some[~shown.groups.conflict[shown.some]]
        sets = dict(all=shown.some, agreeing=agreeing)
        out = {name: shown.groups.plan(some).count() for name, some in sets.items()}
        return out | dict(of=shown.of, samples=len(shown.groups.state))

    # ---- what changes it

    def keep(self, asked: Asked, sent: dict, who: str) -> dict[str, Any]:
        """Keep the best of some groups, as one batch.

        sent: dict batch, and group (one number; with keep, a sample, that one in place of the best), or of (the digest
        of all the groups of the filter, as the page has seen them) and agreeing.
        """
        batch = sent["batch"]
        if there := self.count_stored(batch):  # sent twice, it is stored once
            return dict(batch=batch, seq=self.view.refresh().upto, samples=there)
        shown = self.choose(asked)
        plan = plan_one(shown, sent) if "group" in sent else plan_all(shown, sent)
        pairs = plan.name_rows(shown.groups.state)
        if not pairs:
            return dict(batch=None, seq=shown.seq, samples=0) | plan.count()
        rows = [dict(sample=s, keep=False, reason=explain_drop(best)) for s, best in pairs]
        out = store(self.view, self.view.session, dict(batch=batch, decision=rows), who)
        return settle(out, batch, len(rows), {}) | plan.count()

    def count_stored(self, batch: str) -> int:
        """Count the edits of a batch."""
        found = self.view.bench.rows("select count(*) from edits where batch = ?", [batch])
        return int(found[0][0])

    def list_ids(self, asked: Asked) -> list[str]:
        """List the samples of the groups that a filter leaves."""
        shown = self.choose(asked)
        return list(shown.groups.state.index[shown.rows()])


def describe_group(shown: Shown, i: int, show: Callable[[str], str]) -> dict[str, Any]:
    """Describe a group and its first members.

    The label of a locked member is not shown.
    """
    groups = shown.groups
    rows = groups.members(i)
    part = groups.state.iloc[rows[:SHOWN]]
    members = []
    for row, one in zip(rows, part.itertuples()):
        locked = one.split in LOCKED
        label = None if locked or not isinstance(one.label, str) else show(one.label)
        about = dict(width=int(one.width or 0), height=int(one.height or 0), uri=str(one.uri))
        known = dict(label=label, reviewed=bool(one.reviewed) and not locked)
        place = dict(split=one.split, locked=locked, inside=bool(shown.wanted[row]))
        members.append(dict(id=one.Index, key=str(one.key)) | place | about | known)
    return dict(
        group=int(groups.number[i]),
        n=len(rows),
        exact=bool(groups.exact[i]),
        alike=float(groups.alike[i]),
        conflict=bool(groups.conflict[i]),
        across=bool(groups.across[i]),
        locked=int(groups.locked[i]),
        members=members,
    )


def plan_one(shown: Shown, sent: dict) -> KeepPlan:
    """Plan to keep the best of a group, or a named sample."""
    groups = shown.groups
    at = np.flatnonzero(groups.number[shown.some] == sent["group"])
    if not len(at):
        raise UserError(
            "expected a group that is shown, found one that was settled meanwhile",
            "the page shows what is left",
        )
    i = shown.some[at[0]]
    if "keep" not in sent:
        return groups.plan(np.array([i]))
    rows = groups.members(i)
    chosen = rows[groups.state.index[rows] == sent["keep"]]
    if not len(chosen) or groups.locked[i]:
        raise UserError(
            "expected a sample of a group without test and guard samples, found another",
            "keep the best, which leaves test and guard as they are",
        )
    rank, wanted = groups.rank.copy(), np.zeros(len(groups.state), bool)
    rank[chosen], wanted[rows] = -1, True
    return plan_keep_best(groups.code, rank, np.zeros(len(groups.state), bool), wanted)


def plan_all(shown: Shown, sent: dict) -> KeepPlan:
    """Plan to keep the best of all groups that were seen.

    UserError where they are others now.
    """
    if sent.get("of") != shown.of:
        raise UserError(
            "expected the groups that were shown, found others: the bench was changed meanwhile",
            "see what it would do now, and ask again",
        )
    some = shown.some
    if sent.get("agreeing") is True:
        some = some[~shown.groups.conflict[some]]
    return shown.groups.plan(some)

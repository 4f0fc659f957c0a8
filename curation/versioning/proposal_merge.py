"""Merge what was approved of a proposal, as one batch of edits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import new_batch
from assay.curation.text import MAX_TEXT, format_count
from assay.curation.versioning import proposals
from assay.curation.versioning.proposal_votes import find_judged

if TYPE_CHECKING:
    import pandas as pd

LABELLER = "labeller"  # the kind of a batch whose changes a rule, a model or an agent made


@dataclass(frozen=True)
class Merged:
    """What a merge did."""

    batch: str  # `assay undo BATCH` takes it back
    edits: int
    samples: int
    left: pd.DataFrame  # the changes that were left out, with their status: see judge_changes
    rescored: bool


def merge_changes(bench: Bench, name: str, who: str, approvals: int = 1) -> Merged:
    """Merge the approved changes of an open proposal.

    approvals: people who must have approved a change. In one transaction: what somebody edited since the proposal was
    opened is left out, and nobody's decision is overwritten. The edits are the author's; those of a labeller are no
    person's, so they are no reviews and no votes. UserError, and nothing changes, where nothing can be merged.
    """
    proposals.check_person(who)
    with bench.transaction() as con:
        proposal = proposals.find_proposal(con, name, is_open=True)
        judged = find_judged(con, proposal, approvals)
        take = judged[judged.status == "approved"].reset_index(drop=True)
        if not len(take):
            raise refuse_merge(name, judged)
        batch = new_batch(LABELLER if proposal.labeller else "edit")
        origin = f"{proposal.name} ({proposal.title}), merged by {who}"
        why = [f"{own}; {origin}" if own else origin for own in take.why]
        edits = take[["sample", "field", "value", "verdict", "suggested", "seconds"]]
        edits = edits.assign(why=[text[:MAX_TEXT] for text in why])
        edits["suggested"] = edits.suggested.astype(object).where(edits.suggested.notna(), None)
        bench.append(con, edits, batch, proposal.author)
        left = judged[judged.status != "approved"].reset_index(drop=True)
        event = dict(
            proposal=proposal.uid, event="merge", batch=batch, merged=len(take), left=len(left)
        )
        proposals.append_rows(bench, con, event, who)
    return Merged(batch, len(take), take["sample"].nunique(), left, bench.rescore())


def refuse_merge(name: str, judged: pd.DataFrame) -> UserError:
    """Make the error of a merge that would take nothing."""
    count = judged.status.value_counts()
    found = ", ".join(f"{n:,} {status}" for status, n in count.items())
    void = int((judged.void > 0).sum())
    why = f"; approvals of {format_count(void, 'change')} are void, edited since" if void else ""
    return UserError(
        f"expected approved changes in {name}, found {found}{why}",
        f"look at it, and approve it: assay proposal approve {name} --who NAME",
    )


def describe_conflicts(left: pd.DataFrame, most: int = 5) -> list[str]:
    """Describe the first changes that conflict: what stands, and who said so."""
    rows = left[left.status == "conflict"].head(most)
    shown = zip(rows["sample"], rows.field, rows.stands, rows.last_who, rows.value)
    return [
        f"{sample[:12]}: {field} {show(stands)} stands by {who}, not {show(value)}"
        for sample, field, stands, who, value in shown
    ]


def show(value: str | None) -> str:
    """Show a JSON value as people read it."""
    found = None if value is None else json.loads(value)
    if isinstance(found, dict):
        return f"{'' if found.get('on', True) else '-'}{found.get('name')}"
    return "nothing" if found is None else str(found)

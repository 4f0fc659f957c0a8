"""Tools for proposals, the one way in which an agent changes anything.

To approve, reject, merge or close is for people: no tool does it.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from assay.curation.text import MAX_NAME, MAX_TEXT
from assay.curation.versioning.decision_cells import DECISIONS
from assay.curation.versioning.proposals import (
    Proposal,
    comment_proposal,
    list_proposals,
    open_proposal,
    read_changes,
    read_proposal,
)
from assay.pipelines.agents.agent_bench import AgentBench, Answer, Arguments, to_rows
from assay.pipelines.agents.data_marking import unescape_text
from assay.pipelines.agents.write_limits import check_open, check_rate

MOST_CHANGES = 2_000
SOURCE = "assay mcp"
Name = Annotated[str, Field(max_length=40, description="p1, p2, ...")]


class Change(Arguments):
    """What should be otherwise about one sample."""

    sample: str = Field(description="its id", max_length=300)
    label: str | None = Field(None, max_length=3_000)
    keep: bool | None = Field(None, description="false drops it")
    split: Literal["train", "val", "pool"] | None = None
    tag: str | None = Field(None, max_length=1_000)
    verdict: Literal["confirm", "unsure"] | None = None
    why: str | None = Field(
        None, max_length=MAX_TEXT, description="the reason, for whoever decides"
    )

    @model_validator(mode="after")
    def check_change(self) -> Change:
        """Refuse what changes nothing: it would be left out without a word."""
        if not any(getattr(self, name) not in (None, "") for name in DECISIONS):
            raise ValueError(f"expected one of {', '.join(DECISIONS)}")
        return self


class Propose(Arguments):
    """A proposal."""

    title: str = Field(min_length=1, max_length=MAX_NAME)
    changes: list[Change] = Field(min_length=1, max_length=MOST_CHANGES)
    new_classes: list[Annotated[str, Field(max_length=3_000)]] = Field(
        [], description="labels that no sample has had", max_length=50
    )


class Comment(Arguments):
    """A comment on a proposal."""

    proposal: Name
    text: str = Field(min_length=1, max_length=MAX_TEXT)


class ShowProposal(Arguments):
    """Which proposal."""

    proposal: Name
    limit: int = Field(50, ge=1, le=200, description="of its changes, the first so many")


def propose_changes(agents: AgentBench, asked: Propose, agent: str) -> Answer:
    """Open a proposal in the agent's name."""
    frame = make_decisions(asked.changes)
    new = [unescape_text(name) for name in asked.new_classes]
    with agents.lock:  # of one agent's calls at once each counts the others
        check_open(agents.bench, agent)
        check_rate(agents.bench, len(asked.changes))
        made = open_proposal(agents.bench, asked.title, frame, agent, agent, SOURCE, new)
    return Answer(dict(proposal=describe_proposal(made)))


def make_decisions(changes: list[Change]) -> Any:
    """Make a frame of decisions, "" where nothing is asked."""
    import pandas as pd

    def read(change: Change, name: str) -> str:
        value = getattr(change, name)
        if name == "keep" and value is not None:
            return str(value).lower()
        return unescape_text(value or "") if name in ("sample", "label", "tag") else value or ""

    names = [n for n in Change.model_fields if any(getattr(c, n) is not None for c in changes)]
    return pd.DataFrame({n: [read(c, n) for c in changes] for n in names}, dtype=object)


def comment_on(agents: AgentBench, asked: Comment, agent: str) -> Answer:
    """Comment on an open proposal in the agent's name."""
    check_rate(agents.bench)
    return Answer(
        dict(
            proposal=describe_proposal(
                comment_proposal(agents.bench, asked.proposal, asked.text, agent)
            )
        )
    )


def list_all(agents: AgentBench, asked: Arguments, agent: str) -> Answer:
    """List the proposals, the newest last."""
    found = list_proposals(agents.bench)
    return Answer(dict(found=len(found), rows=[describe_proposal(p) for p in found[-200:]]))


def show_proposal(agents: AgentBench, asked: ShowProposal, agent: str) -> Answer:
    """Show one proposal: what was said, and its changes."""
    proposal = read_proposal(agents.bench, asked.proposal)
    locked, rows = agents.find_locked(), read_changes(agents.bench, asked.proposal)
    rows = rows[~rows["sample"].isin(locked)]
    comments = [dict(who=e.who, when=e.ts, text=e.text) for e in proposal.comments[-50:]]
    names = ("sample", "field", "value", "was", "verdict", "why")
    changes = [read_change({n: row[n] for n in names}) for row in to_rows(rows.head(asked.limit))]
    about = dict(comments=comments, changes=changes, shown_of=len(rows))
    return Answer(dict(proposal=describe_proposal(proposal)) | about)


def read_change(row: dict[str, Any]) -> dict[str, Any]:
    """Read the values of a change, which the log has as JSON."""
    return row | {
        name: None if row[name] is None else json.loads(row[name]) for name in ("value", "was")
    }


def describe_proposal(proposal: Proposal) -> dict[str, Any]:
    """Describe a proposal in one row."""
    names = "name title who labeller source status n_changes n_samples opened".split()
    told = {name: getattr(proposal, name) for name in names}
    return told | dict(approved_by=list(proposal.approvals), comments=len(proposal.comments))

"""The objects of the verb proposal."""

from __future__ import annotations

from typing import Any

from assay.pipelines.cli.schemas.base import Output, Part, says


class Event(Part):
    """What somebody said or did about a proposal."""

    event: str = says("comment, approve, reject, check, merge or close")
    who: str = says("who")
    ts: str = says("when, ISO 8601")
    text: str = says("in words")
    samples: int | None = says("how many samples it speaks of; null: all")


class Proposal(Part):
    """A proposal without its changes."""

    name: str = says("p1, p2, ... in this bench")
    uid: str = says("the same in every copy of the bench")
    title: str = says("what it is about")
    who: str = says("who opened it")
    labeller: str = says("the rule, model or agent whose it is; empty for a person's own")
    source: str = says("where its changes come from")
    status: str = says("open, merged or closed")
    opened: str = says("when, ISO 8601")
    upto: int = says("the position in the log at which it was opened")
    changes: int = says("changes")
    samples: int = says("samples that it changes")
    approvals: list[str] = says("who approves it or some of its samples")
    rejections: list[str] = says("who rejects it as a whole")
    checks: int = says("measurements made of it")
    events: list[Event] = says("what was said since, oldest first")


class ProposalSaid(Proposal, Output):
    """The proposal, after something was said about it."""


class ProposalOpen(Proposal, Output):
    """The proposal that was opened."""

    left_out: dict[str, int] = says("samples of the source that it does not change, by why")


class Proposals(Output):
    """All proposals."""

    rows: list[Proposal] = says("oldest first")


class ClassPair(Part):
    """Changes from one label to another."""

    from_: str = says("the label that stood", alias="from")
    to: str = says("the label that is proposed")
    changes: int = says("so many")


class Looks(Part):
    """The random samples to look at first."""

    asked: int = says("how many")
    looked: int = says("looked at by somebody who is not the author")
    rejected: int = says("rejected")
    samples: list[str] = says("their ids, in the random order")


class Doubts(Part):
    """Changes that people or the probe contradict."""

    n: int | None = says("how many; null where nothing was scanned")
    judged: int | None = says("of so many that the probe judges", default=None)
    why: str | None = says("why the probe was not asked", default=None)
    rows: list[dict[str, Any]] = says("the first: sample, asked, said, and who or confidence")


class ProposalShow(Proposal, Output):
    """A proposal, and what to look at."""

    batch: str | None = says("the batch that merged it")
    fields: dict[str, int] = says("changes of each field")
    statuses: dict[str, int] = says(
        "changes by status: conflict, locked, rejected, approved, waiting"
    )
    void: int = says("changes of which a later edit made an approval void")
    classes: list[ClassPair] = says("the commonest first")
    reasons: list[dict[str, Any]] = says("the commonest reasons: why, changes")
    first: Looks = says("the random samples to look at first")
    people: Doubts = says("where another person's last word is otherwise")
    probe: Doubts = says("where the probe would say otherwise")
    conflicts: list[dict[str, Any]] = says("the first: sample, field, asked, stands, by")


class ProposalCheckRow(Part):
    """One requirement."""

    check: str = says("approvals, looks, gain, agreement, regression or leakage")
    passed: bool = says("whether it holds")
    reason: str = says("in words, with figures")


class ProposalCheck(Output):
    """Whether a proposal meets the policy; exit status 1 where it does not."""

    proposal: str = says("its name")
    title: str = says("its title")
    passed: bool = says("whether every check holds")
    policy: dict[str, Any] = says("what is asked, fractions")
    changes: dict[str, int] = says("changes by status")
    measured: dict[str, Any] | None = says(
        "gain (estimate, low, high: fractions), n, level, look, train, validation_changed, validation_left_out, "
        "control, agreement, regression, leaks, classes; or unmeasured: why not"
    )
    checks: list[ProposalCheckRow] = says("one a requirement")


class ProposalMerge(ProposalCheck):
    """What a merge did; exit status 1 where the policy is not met."""

    batch: str | None = says("the batch that undo takes; null where nothing was merged")
    edits: int = says("edits")
    left_out: list[dict[str, Any]] = says("changes that were not merged, with their status")
    rescored: bool | str | None = says("whether the queue is re-scored, or why not")


class ProposalPolicy(Output):
    """What a proposal must have before it is merged; fractions."""

    batch: str | None = says("the batch that changed it; null where nothing changed")
    approvals: int = says("people who must approve a change, not its author")
    margin: float | None = says("the gain must surely not be below minus this; null: not asked")
    regression: bool = says("whether frozen regression sets may not fall")
    measured: bool = says("whether the gain must be measured before a merge")
    look_at: int = says("random samples that people must have looked at")
    wrong: float = says("the share wrong that these must exclude")
    agreement: float | None = says("the least share the probe agrees with; null: not asked")

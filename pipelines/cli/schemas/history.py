"""The objects of log, diff, blame, undo, redo, revert, commit and merge."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from assay.pipelines.cli.schemas.base import Output, Part, says
from assay.pipelines.cli.schemas.data import Conflict


class Counts(Part):
    """How many samples were edited, by what was done to them."""

    edits: int | None = says("edits")
    relabelled: int | None = says("labels changed")
    confirmed: int | None = says("labels confirmed")
    unsure: int | None = says("labels left unsure")
    dropped: int | None = says("samples dropped")
    restored: int | None = says("samples taken back in")
    moved: int | None = says("samples moved to another split")
    tagged: int | None = says("tags set or taken away")
    imported: int | None = says("values from imports")
    put_back: int | None = says("values put back by undo, redo or revert")
    seconds: float | None = says("seconds that people took")


class LogRow(Counts):
    """One person's work in one version."""

    version: str = says("the version; (open) for what is in none yet")
    author: str = says("who")
    samples: int = says("samples; one that two batches speak of counts twice")
    first: str = says("time of the first edit, ISO 8601")
    last: str = says("time of the last edit")
    committed_by: str | None = says("who committed the version")
    committed: str | None = says("when")
    message: str | None = says("the commit's message")
    tree: str | None = says("hash of the version's contents")
    minutes: float | None = says("seconds, in minutes")


class Log(Output):
    """Commits and open work, by author."""

    rows: list[LogRow] = says("newest first")


class BatchRow(Counts):
    """A batch of edits, or a commit."""

    kind: str = says("batch or commit")
    name: str = says("the name that undo and revert take, or the version")
    who: str = says("who")
    ts: str = says("when, ISO 8601")
    samples: int | None = says("samples")
    upto: int | None = says("position in the log")
    why: str | None = says("the reason, or the commit's message")


class LogBatches(Output):
    """Every batch of edits and every commit."""

    rows: list[BatchRow] = says("oldest first")


class Difference(Part):
    """A sample that differs between two versions."""

    sample: str = says("its id")
    source_id: str | None = says("its key in its source", default=None)
    from_: Any = Field(alias="from", description="the value in A")
    to: Any = says("the value in B")


class Cell(Part):
    """How many labels went from one class to another."""

    from_: str | None = Field(alias="from", description="label in A")
    to: str | None = says("label in B")
    n: int = says("samples")


class Diff(Output):
    """What version B has that version A has not."""

    a: str = says("version A")
    b: str = says("version B")
    matrix: list[Cell] = says("labels from-to")
    renamed: list[Cell] = says("classes that are called otherwise in B: no label that differs")
    relabelled: list[Difference] = says("samples with another label")
    added: list[Difference] = says("samples that A has not")
    removed: list[Difference] = says("samples that B has not")
    moved: list[Difference] = says("samples in another split")
    tagged: list[Difference] = says("samples with other tags")


class Value(Part):
    """A value that a sample had."""

    seq: int = says("position in the log")
    ts: str = says("when, ISO 8601")
    who: str = says("who set it")
    batch: str = says("in which batch")
    field: str = says("label, keep, split, tag or place")
    value: Any = says("the value")
    verdict: str = says("set, confirm or unsure")
    why: str | None = says("the reason")
    suggested: str | None = says("what suggested it, as JSON")
    seconds: float | None = says("seconds that it took")
    undone: bool = says("whether it was undone")
    version: str | None = says("the first version that has it; null for what is open")
    stands: bool = says("whether it is the value now")


class Blame(Output):
    """The life of one sample."""

    sample: str = says("its id")
    key: str = says("its key in its source")
    life: list[Value] = says("oldest first")


class Undo(Output):
    """What an undo or redo put back."""

    batch: str | None = says("the batch of the undo; null where there was nothing to put back")
    restored: int = says("values put back")
    left_alone: int = says("values that somebody has edited since")
    undone: str = says("the batch that was undone")
    renames: list[str] = says("renames of classes that it took back, or made again")
    by: str = says("whose it was")
    rescored: bool | str = says("whether the queue is re-scored, or why not")


class Planned(Part):
    """A value that a revert puts back, or leaves alone."""

    sample: str = says("the sample")
    slot: str = says("label, keep, split or a tag")
    field: str = says("the field")
    popped: list[str] = says("the batches taken off; none where it is left alone")
    now: str | None = says("the value before, as JSON")
    said: str | None = says("the verdict of that")
    since_who: str | None = says("who set the value that stands")
    foot: int | None = says("position in the log of what comes to stand")
    value: str | None = says("the value put back, as JSON")
    verdict: str | None = says("the verdict of that")
    origin: str | None = says("the batch that first set it")


class Revert(Output):
    """What a revert put back, or would."""

    batch: str | None = says("the batch of the revert; null with --dry-run")
    undone: list[str] = says("the batches that it takes back")
    restored: int | None = says("values put back", default=None)
    left_alone: int | None = says("values that others have edited since", default=None)
    rescored: bool | str | None = says("whether the queue is re-scored, or why not", default=None)
    plan: list[Planned] = says("value by value")


class Commit(Output):
    """A version that was named."""

    name: str = says("the version")
    upto: int = says("position in the log")
    tree: str = says("hash of its contents")
    new: bool = says("false where nothing had changed since")
    backup: str | None = says("the backup's file, or why there is none", default=None)


class Merge(Output):
    """What another copy of the bench brought."""

    batch: str | None = says("the batch of conflicts; null without any")
    edits: int = says("edits that are new here")
    samples: int = says("samples that are new here")
    authors: list[str] = says("whose edits these are")
    conflicts: list[Conflict] = says("what both edited; ours stands")
    rescored: bool | str | None = says("whether the queue is re-scored, or why not", default=None)

"""The objects of groups of copies."""

from __future__ import annotations

from assay.pipelines.cli.schemas.base import Output, Part, says


class DuplicateGroup(Part):
    """A group of copies."""

    group: int = says("its number, as the column duplicate_group has it")
    samples: int = says("how many samples it holds")
    exact: bool = says("whether all have the same bytes, or pixels")
    alike: float = says("the least likeness of two near duplicates in it, up to 1")
    conflict: bool = says("whether its labels contradict each other; none of test or guard is read")
    across: bool = says("whether a copy gives away a sample of a split that judges it")
    splits: str = says("samples of each split")
    labels: list[str] = says("the labels of those outside test and guard")
    keeps: str = says("the key of the best, which --keep-best keeps")
    members: list[str] = says("ids, the best first")


class Duplicates(Output):
    """Groups of copies."""

    rows: list[DuplicateGroup] = says("contradicting labels first, then those across splits")


class DuplicatesKeepBest(Output):
    """Copies that were dropped."""

    batch: str | None = says("the batch; null where there was nothing to drop")
    dropped: int = says("samples dropped")
    kept: int = says("samples that stay in these groups")
    groups: int = says("groups that lost a copy")
    locked: int = says("of these, groups that keep their test or guard samples")


class DuplicatesNotCopies(Output):
    """Samples that were told apart."""

    batch: str = says("the batch, which undo takes")
    samples: list[str] = says("ids of samples that are no copies of each other")
    others: list[str] = says("where they were told apart from these alone")

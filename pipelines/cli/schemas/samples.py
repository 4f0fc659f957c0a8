"""The objects of samples and views."""

from __future__ import annotations

from typing import Any

from assay.pipelines.cli.schemas.base import Output, Part, says


class Samples(Output):
    """The samples that were found."""

    found: int = says("how many there are")
    locked: int = says("of the rows, those of test or guard, which show no label, score or issue")
    notes: list[str] = says("what may surprise, such as a class that no sample has")
    rows: list[dict[str, Any]] = says(
        "sample and the columns of --show, or key, split, label, suggestion, score, flagged, decision, issues"
    )


class SampleColumn(Part):
    """A column that a condition may ask for."""

    column: str = says("its name")
    kind: str = says("number, text, bool or list")
    hidden_for_test: bool = says("whether it is null for every sample of test and guard")
    says: str = says("what it holds")


class SamplesColumns(Output):
    """The columns that a condition may ask for."""

    rows: list[SampleColumn] = says("one a column")


class ValueCount(Part):
    """How the values of a column are spread among what was found."""

    name: str = says("the column")
    values: list[tuple[str | float | bool, int]] = says("value and count, most frequent first")
    more: int = says("values beyond the first 100")
    edges: list[float] = says("of a histogram; one more than counts")
    counts: list[int] = says("samples in each bar")
    missing: int = says("samples without a value")
    locked: int = says("samples of test or guard, which are not counted")


class SamplesCount(Output):
    """Counts of columns."""

    rows: list[ValueCount] = says("one a column")


class View(Part):
    """A saved view."""

    name: str = says("its name")
    where: str = says("its condition")
    sort: str = says("what it sorts by")
    search: str = says("the words that it searches for in names and metadata")
    words: str = says("what an image-text model looks for")
    who: str = says("who saved it")
    saved: str = says("when")
    to: str = says("whom it is assigned to; empty for nobody")


class Views(Output):
    """The saved views."""

    rows: list[View] = says("the oldest first")


class ViewsSave(Output):
    """A view that was saved."""

    batch: str = says("the batch, which undo takes")
    name: str = says("its name")
    replaced: bool = says("whether there was one of that name")


class ViewsRemove(Output):
    """A view that was removed."""

    batch: str = says("the batch, which undo takes")
    name: str = says("its name")


class Assignment(Part):
    """Samples that a person is to review."""

    name: str = says("its name, that of a saved view")
    to: str = says("who is to review it")
    where: str = says("the condition that found its samples")
    samples: int = says("how many it has")
    reviewed: int = says("of them, those that wait for nobody: reviewed or dropped")
    who: str = says("who assigned it")
    saved: str = says("when")


class Assign(Output):
    """The assignments."""

    rows: list[Assignment] = says("the oldest first")


class AssignTo(Output):
    """Samples that were assigned."""

    batch: str = says("the batch, which undo takes")
    name: str = says("its name, that of a saved view")
    to: str = says("who is to review it")
    samples: int = says("how many there are")
    reviewed: int = says("of them, those that somebody has reviewed already")
    left_out: int = says("what was found and is dropped, or of another split than train and val")
    replaced: bool = says("whether there was a view of that name")

"""The objects of lesson."""

from __future__ import annotations

from assay.pipelines.cli.schemas.base import Output, Part, says


class LessonRow(Part):
    """A lesson."""

    number: int = says("its number")
    name: str = says("the name of its file")
    title: str = says("its title")
    minutes: int = says("about how long it takes to read")
    claim: str = says("what it shows, with figures")


class Lessons(Output):
    """The lessons that there are."""

    rows: list[LessonRow] = says("one a lesson, by number")


class LessonCheck(Part):
    """A check of a lesson."""

    should: str = says("what should have been")
    passed: bool = says("whether it is so")
    found: str = says("what was instead; empty where it passed")


class LessonOutput(Part):
    """What a cell printed and drew."""

    line: int = says("the line of the lesson's file where the cell begins")
    text: str = says("what it printed")
    figures: int = says("how many figures it drew")


class LessonRun(Output):
    """A lesson that was run."""

    name: str = says("the name of its file")
    title: str = says("its title")
    seconds: float = says("how long it ran")
    passed: bool = says("whether every check holds")
    checks: list[LessonCheck] = says("its checks, in order")
    outputs: list[LessonOutput] = says("what its cells printed, in order")


class LessonNotebook(Output):
    """A lesson that was written as a notebook."""

    file: str = says("the notebook")
    n_cells: int = says("how many cells it has")

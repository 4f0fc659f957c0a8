"""The object of explain."""

from __future__ import annotations

from typing import Any

from assay.pipelines.cli.schemas.base import Output, Part, says


class ExplainedNumber(Part):
    """A number, explained."""

    name: str = says("its name in the catalogue: assay explain --list")
    title: str = says("what it is")
    result: str = says("as pages write it; empty where nothing was put in")
    value: float | None = says(
        "the same unrounded; null for what is no single number, or not known yet"
    )
    formula: str = says("the formula")
    filled: str = says("the formula with the numbers put in; empty where nothing was")
    numbers: dict[str, Any] = says("what was put in, unrounded")
    notes: list[str] = says("sentences")
    lesson: str | None = says("the lesson about it; null where there is none")
    lesson_page: str | None = says("its address in the documentation")
    file: str = says("the file that computes it, from the package's folder on")
    line: int = says("the line of the function there")
    function: str = says("the function")


class Explain(Output):
    """How numbers came about."""

    sample: str | None = says("the sample; null for numbers of the whole bench")
    source_id: str | None = says("its key in its source")
    label: str | None = says("its label, as people read it")
    probs: list[tuple[str, float]] = says(
        "the likeliest classes and their out-of-sample probabilities"
    )
    numbers: list[ExplainedNumber] = says("what is shown first comes first, its steps after it")

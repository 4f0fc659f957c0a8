"""What the catalogue says of one number."""

from __future__ import annotations

from typing import NamedTuple


class Number(NamedTuple):
    """A number that the product shows, how it is computed, and where it is shown."""

    name: str
    title: str  # what it is
    formula: str
    function: str  # MODULE:FUNCTION that computes it, the module as it is beneath assay
    lesson: int | None = None  # the lesson that it is the subject of
    # where: fields of --json as MODEL.FIELD, columns of samples, and cards, sections and figures of pages and report
    shown: tuple[str, ...] = ()


def fields_of(model: str, names: str) -> tuple[str, ...]:
    """Name fields of a model of --json: "Gap", "rate low" are Gap.rate and Gap.low."""
    return tuple(f"{model}.{name}" for name in names.split())

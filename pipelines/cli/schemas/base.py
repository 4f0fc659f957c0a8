"""The fields that all objects of --json have in common."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assay.pipelines.cli.output import SCHEMA_VERSION


def says(description: str, **more: Any) -> Any:
    """Describe a field, for the reference."""
    return Field(description=description, **more)


class Part(BaseModel):
    """A part of an object."""

    model_config = ConfigDict(populate_by_name=True)


class Output(Part):
    """An object that a verb prints with --json."""

    schema_name: str = says("what the object is", alias="schema")
    schema_version: Literal[SCHEMA_VERSION] = says(
        "raised where a field goes, or means another thing"
    )
    code: Literal["done", "check_failed"] = says(
        "done: exit status 0; check_failed: a check that was asked for failed, exit status 1"
    )


class Error(Part):
    """What went wrong, and what to do about it: exit status 2."""

    schema_name: Literal["error"] = says("what the object is", alias="schema")
    schema_version: Literal[SCHEMA_VERSION] = says(
        "raised where a field goes, or means another thing"
    )
    code: str = says("the kind of error: one of the codes below, which stay as they are")
    problem: str = says("what was expected, and what was found")
    hint: str = says("what to do")
    suggestions: list[str] = says("known names that a mistyped one may have been")
    readings: list[dict[str, str]] = says(
        "ambiguous_source: each way to read the source in words, and the option that chooses it"
    )


class Unread(Part):
    """Files of a source, of one ending, that were not read."""

    ending: str = says("such as .txt; empty for files without one")
    count: int = says("how many")
    first: str = says("the path of the first, in the source")
    why: str = says("where there is more to say than that it is no image")


Span = tuple[float, float]
Estimated = tuple[float, float, float]


class Estimate(Part):
    """A number with its 95 % interval; fractions, not points."""

    estimate: float | None = says("the number; null where nothing is known")
    low: float | None = says("lower end of its interval")
    high: float | None = says("upper end of its interval")
    n: int = says("test samples that it rests on")
    seeds: list[int] = says("seeds on either side, or of the one model")
    given: dict[str, Any] | None = says(
        "the same by the test labels as given, where some were audited", default=None
    )


class Noise(Part):
    """How many labels of a split an audit found wrong."""

    wrong: int = says("labels judged wrong")
    n: int = says("labels judged, and sure of")
    of: int = says("labels in the split")
    unsure: int = says("labels that nobody was sure of")
    share: Estimated | None = says("share that is wrong: estimate, low, high; null under 30")
    share_between: Span | None = says("the estimate with all unsure right, and all wrong")


class Review(Part):
    """What people reviewed, and what the random stratum says of the rest."""

    reviewed: int = says("samples that people decided about")
    wrong: int = says("of these, labels changed or samples dropped")
    unsure: int = says("of these, left unsure")
    population: int = says("labelled samples that could be reviewed")
    sure_at_random: int = says("sure ones among those drawn at random")
    hits: int = says("of these, wrong")
    unsure_at_random: int = says("unsure ones among those drawn at random")
    share: Estimated | None = says(
        "share of all labels that came wrong; null under 30 drawn at random"
    )
    share_between: Span | None = says("the share with all unsure right, and all wrong")
    errors_left: Estimated | None = says(
        "wrong labels that are left; null under 30 drawn at random"
    )
    errors_between: Span | None = says("the same with all unsure right, and all wrong")

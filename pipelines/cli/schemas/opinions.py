"""The objects of opinion."""

from __future__ import annotations

from assay.pipelines.cli.schemas.base import Output, Part, says


class Agreement(Part):
    """Whose flags on labels agree."""

    judged: int = says("labels that both judged")
    both: int = says("of these, flagged by both")
    only_theirs: int = says("flagged by the opinion alone")
    only_ours: int = says("flagged by our scan alone")


class OpinionRow(Part):
    """A second opinion."""

    name: str = says("whose it is")
    rows: int = says("samples that it is about")
    about: str = says("how its rows were matched with samples")
    issues: dict[str, int] = says("what it flags, by kind of issue")
    labels: Agreement | None = says(
        "agreement with our flags; null where one says nothing of labels"
    )


class Opinions(Output):
    """The second opinions that there are."""

    opinions: list[OpinionRow] = says("one for each name")


class OpinionAdd(Output):
    """A second opinion that was added."""

    name: str = says("whose it is")
    rows: int = says("samples that it is about")
    issues: dict[str, int] = says("what it flags, by kind of issue")
    notes: list[str] = says("how rows were matched, and what is not shown")


class OpinionRemove(Output):
    """A second opinion that was removed."""

    removed: str = says("its name")

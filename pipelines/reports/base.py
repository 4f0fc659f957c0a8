"""The sections of an experiment's report: one file each.

A section is a module of this package, or of another distribution by an entry point of the group
`assay.pipelines.reports`. A module that has no `section` is no section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from markupsafe import Markup

from assay.curation.plugins import discover

if TYPE_CHECKING:
    from assay.curation.storage.interface import Bench


class Section(Protocol):
    """What a module offers to be a section of the report."""

    TITLE: str
    ORDER: int  # where on the page: ours are 10 to 120

    def section(self, data: dict) -> Markup:
        """Draw what stands beneath the title; empty where nothing does.

        data: what compare.load_report_data gives, and `made` (bench, embedding, packages),
        `pictures` (what every collect gave), `most` (pictures of a kind that the page can hold).
        """
        ...

    # optional: def collect(bench: Bench, data: dict) -> dict
    # what the section needs of the bench beyond data, such as pictures; merged into
    # data["pictures"], so its keys are its own


def list_sections() -> list[Section]:
    """List all sections, in their order on the page."""
    modules = [m for m in discover("assay.pipelines.reports") if hasattr(m, "section")]
    return sorted(modules, key=lambda m: m.ORDER)


def collect_pictures(bench: Bench, data: dict) -> dict:
    """Collect what the sections need of the bench."""
    pictures: dict = {}
    for section in list_sections():
        if hasattr(section, "collect"):
            pictures |= section.collect(bench, data)
    return pictures

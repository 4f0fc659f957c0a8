"""List the issue finders, and ask them."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.issues.base import COLUMNS, Issue, IssueFinder, Kind, ScanView
from assay.curation.plugins import discover

if TYPE_CHECKING:
    import pandas as pd


@cache
def list_finders() -> list[IssueFinder]:
    """List our finders, then those of other distributions.

    That is every module of assay.curation.issues, or of that entry point group, with a FINDER.
    """
    modules = discover("assay.curation.issues")
    found = [module.FINDER for module in modules if hasattr(module, "FINDER")]
    kinds = [kind for finder in found for kind in finder.kinds]
    if twice := {kind for kind in kinds if kinds.count(kind) > 1}:
        raise UserError(
            f"expected every kind of issue from one finder, found {', '.join(sorted(twice))} from two",
            "uninstall one of the distributions that offer assay.curation.issues",
        )
    return sorted(found, key=lambda finder: finder.order)


def list_kinds(
    when: Collection[str] = ("scan", "edit", "look"), media: str | None = None
) -> dict[str, Kind]:
    """List the kinds of issues by name, in the order of lists.

    `when`: of finders that look then, see IssueFinder. media: those that samples of it can have.
    """
    return {
        name: kind
        for finder in list_finders()
        if finder.when in when and finder.fits(media)
        for name, kind in finder.kinds.items()
    }


def find_issues(
    scan: ScanView, when: Collection[str] = ("scan",), kinds: Collection[str] | None = None
) -> pd.DataFrame:
    """Ask the finders that look then.

    Frame kind, sample, score (0 to 1, low is bad), suggestion, why. Sorted by kind, worst first; one row for each
    sample of a kind. `when`: see IssueFinder. kinds: these alone.
    """
    frame = _frame_of(
        row
        for finder in list_finders()
        if finder.when in when and finder.fits(scan.media.name)
        for kind in finder.kinds
        if kinds is None or kind in kinds
        for row in finder.find(scan, kind, None)
    )
    one_each = frame["sample"].isna() | ~frame.duplicated(["kind", "sample"])
    return frame[one_each].sort_values(["kind", "score", "sample"], kind="stable")


def find_below(scan: ScanView, kind: str, threshold: float) -> pd.DataFrame:
    """Ask for one kind scoring below a threshold.

    A frame as find_issues makes it, worst first. Nothing is computed again but what is cheap.
    """
    movable = [name for name, of in list_kinds().items() if of.threshold is not None]
    if kind not in movable:
        raise UserError(
            f"expected a kind whose threshold can be moved, found {kind!r}",
            f"these can: {', '.join(movable)}",
        )
    finder = next(f for f in list_finders() if kind in f.kinds)
    if not finder.fits(scan.media.name):
        raise UserError(
            f"expected a kind of issue that {scan.media.name}s can have, found {kind!r},"
            f" which is for {' and '.join(f'{medium}s' for medium in sorted(finder.media or ()))}",
            "assay issues lists those that there are",
        )
    frame = _frame_of(finder.find(scan, kind, threshold))
    return frame.sort_values(["score", "sample"], kind="stable")


def _frame_of(rows: list[Issue]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(COLUMNS))

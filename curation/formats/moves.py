"""Changes of a source, and places for images that move within it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def iter_changes(changes: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of changes with None for what is missing.

    PatchableFormat.patch takes such rows. A column of texts would have NaN there, which is true.
    """
    whole = changes.astype(object)
    yield from whole.where(whole.notna(), None).itertuples()


def none_of(value: object) -> str | None:
    """A text, or None where a frame of texts has none."""
    return value if isinstance(value, str) else None


def free_place(target: PurePath, taken: set[str]) -> str:
    """Choose a place that no file has, and take it.

    taken: paths in folded case, since two names that differ in it alone are one in some systems. A
    name that is taken gets a number.
    """
    place, n = target, 1
    while str(place).casefold() in taken:
        n += 1
        place = target.with_name(f"{target.stem}-{n}{target.suffix}")
    taken.add(str(place).casefold())
    return str(place)

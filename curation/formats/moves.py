"""Places for images that move within their source."""

from __future__ import annotations

from pathlib import PurePath


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

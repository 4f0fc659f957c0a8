"""What a container is: one file that holds the bytes of many images.

An image in it has the uri PATH::MEMBER, such as cats.parquet::17 or cats.tar::a/1.jpg. A container is
one file of this package, or of another distribution (see plugins.discover), with a member CONTAINER.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from assay.curation.media.files import BadMedia
from assay.curation.plugins import discover


class Wanted(NamedTuple):
    """A member that is asked for, and the number under which it is answered."""

    member: str  # what stands behind PATH:: in its uri
    index: int


class Container(Protocol):
    name: str
    suffixes: tuple[str, ...]  # of its files, in lower case

    def list_members(self, path: str) -> list[str]:
        """List the members that could be images; [] where the file cannot be read."""

    def read_members(
        self, path: str, wanted: list[Wanted]
    ) -> Iterator[tuple[int, bytes | BadMedia]]:
        """Read each wanted member once, in the order in which the file holds them."""


class InContainer(NamedTuple):
    """A uri's two parts."""

    path: str
    member: str


def split_uri(uri: str) -> InContainer | None:
    """Split the uri of a container's member; None where it is a file's."""
    match = _pattern().fullmatch(uri)
    return InContainer(match[1], match[2]) if match and not os.path.isfile(uri) else None


def list_containers() -> list[Container]:
    modules = discover("assay.curation.media.containers")
    return [module.CONTAINER for module in modules if hasattr(module, "CONTAINER")]


def find_container(path: str) -> Container | None:
    """Find the container that reads a path, by how it ends."""
    name = path.lower()
    return next((c for c in list_containers() if name.endswith(c.suffixes)), None)


def _pattern() -> re.Pattern[str]:
    global _PATTERN
    if _PATTERN is None:
        suffixes = sorted({s for c in list_containers() for s in c.suffixes}, key=len)
        ends = "|".join(map(re.escape, reversed(suffixes)))
        _PATTERN = re.compile(f"(.+?(?:{ends}))::(.+)", re.DOTALL | re.IGNORECASE)
    return _PATTERN


_PATTERN: re.Pattern[str] | None = None  # made from all containers when first needed

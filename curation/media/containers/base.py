"""What a container is: one file with the bytes of many images.

An image in it has the uri PATH::MEMBER, such as cats.parquet::17 or cats.tar::a/1.jpg. A container is
one file of this package, or of another distribution (see plugins.discover), with a member CONTAINER.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from assay.curation.media.files import BadMedia
from assay.curation.plugins import discover

FEW = 100  # members of one container that are looked for as files one by one


class Wanted(NamedTuple):
    """A member that is asked for, and the number under which it is answered."""

    member: str  # what stands behind PATH:: in its uri
    index: int


class Container(Protocol):
    name: str
    suffixes: tuple[str, ...]  # of its files, in lower case

    def list_members(self, path: str) -> list[str]:
        """List the members that could be images.

        [] where the file cannot be read.
        """

    def read_members(
        self, path: str, wanted: list[Wanted]
    ) -> Iterator[tuple[int, bytes | BadMedia]]:
        """Read each wanted member once, in the file's own order."""


class InContainer(NamedTuple):
    """A uri's two parts."""

    path: str
    member: str


def split_uri(uri: str) -> InContainer | None:
    """Split the uri of a container's member.

    None where it is a file's.
    """
    inside = match_uri(uri)
    return inside if inside and not os.path.isfile(uri) else None


def split_uris(uris: Iterable[str]) -> Iterator[tuple[str, InContainer | None]]:
    """Split many uris; yields each with its parts.

    A folder is asked once for the files that are called as members are, where many are asked for.
    """
    asked: Counter[str] = Counter()  # by container
    lookalikes: dict[str, bool] = {}
    last = ""
    for uri in uris:
        if last and uri.startswith(f"{last}::") and len(uri) > len(last) + 2:
            inside: InContainer | None = InContainer(last, uri[len(last) + 2 :])
        else:
            inside = match_uri(uri)
        if not inside:
            yield uri, None
            continue
        last = inside.path
        asked[last] += 1
        if asked[last] > FEW and last not in lookalikes:
            lookalikes[last] = has_lookalike(last)
        is_file = lookalikes.get(last, True) and os.path.isfile(uri)
        yield uri, None if is_file else inside


def match_uri(uri: str) -> InContainer | None:
    """Split a uri by its text alone."""
    match = _pattern().fullmatch(uri) if "::" in uri else None
    return InContainer(match[1], match[2]) if match else None


def has_lookalike(path: str) -> bool:
    """Whether a file or folder is named like a container's member.

    Such a name is cats.tar::1.jpg.
    """
    folder, name = os.path.split(path)
    try:
        return any(found.startswith(f"{name}::") for found in os.listdir(folder or "."))
    except OSError:
        return True  # perhaps: each uri is looked at


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

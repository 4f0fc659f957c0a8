"""Read samples' bytes, from files and out of containers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from assay.curation.media.containers.base import Wanted, find_container, split_uri
from assay.curation.media.files import MAX_BYTES, BadMedia


def read_bytes(uri: str) -> bytes:
    """Read the bytes at one uri; raises BadMedia."""
    _, blob = next(iter_bytes([uri]))
    if isinstance(blob, BadMedia):
        raise blob
    return blob


def iter_bytes(uris: Iterable[str]) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read the bytes at every uri, each with its index.

    Files first, then containers, each from its first member to the last. What cannot be read is a BadMedia."""
    in_containers: dict[str, list[Wanted]] = {}
    for i, uri in enumerate(uris):
        if inside := split_uri(uri):
            in_containers.setdefault(inside.path, []).append(Wanted(inside.member, i))
        else:
            yield i, read_file(uri)
    for path, wanted in in_containers.items():
        container = find_container(path)
        assert container, "split_uri knows containers alone"
        yield from container.read_members(path, wanted)


def read_file(path: str) -> bytes | BadMedia:
    try:
        if not os.path.isfile(path):  # nor a pipe, which would wait for ever
            return BadMedia("there is no such file")
        if os.path.getsize(path) > MAX_BYTES:
            return BadMedia(f"is larger than {MAX_BYTES >> 20} MB")
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        return BadMedia(f"cannot be read ({e.strerror})")

"""Read samples' bytes, from files and out of containers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from assay.curation.media.addresses import is_address
from assay.curation.media.containers.base import Wanted, find_container, split_uris
from assay.curation.media.containers.places import Placed, read_place
from assay.curation.media.files import MAX_BYTES, BadMedia


def read_bytes(uri: str) -> bytes:
    """Read the bytes at one uri; raises BadMedia."""
    _, blob = next(iter_bytes([uri]))
    if isinstance(blob, BadMedia):
        raise blob
    return blob


def iter_bytes(uris: Iterable[str], fresh: bool = False) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read the bytes at every uri, each with its index.

    Files first, then addresses as they come, then containers, each from its first member to the last; shards at
    addresses are the last. What cannot be read is a BadMedia. fresh: what was fetched from an address earlier may have
    changed there since."""
    in_containers: dict[str, list[Wanted]] = {}
    at_addresses: dict[int, str] = {}
    for i, (uri, inside) in enumerate(split_uris(uris)):
        if inside:
            in_containers.setdefault(inside.path, []).append(Wanted(inside.member, i))
        elif is_address(uri):
            at_addresses[i] = uri
        else:
            yield i, read_file(uri)
    if at_addresses:
        from assay.curation.media.remote import iter_remote

        indices = list(at_addresses)
        for n, blob in iter_remote(list(at_addresses.values()), fresh):
            yield indices[n], blob
    placed: dict[str, list[Placed]] = {}  # members of shards at addresses
    for path, wanted in in_containers.items():
        if is_address(path):
            known = {one.index: place for one in wanted if (place := read_place(one))}
            placed[path] = list(known.values())
            wanted = [one for one in wanted if one.index not in known]
        if wanted:
            yield from read_container(path, wanted, fresh)
    if any(placed.values()):
        from assay.curation.media.remote_parts import read_members

        yield from read_members(placed)


def read_container(
    path: str, wanted: list[Wanted], fresh: bool
) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read members of a container; one at an address is fetched whole."""
    container = find_container(path)
    assert container, "split_uris knows containers alone"
    if is_address(path):
        from assay.curation.media.remote import fetch_file

        try:
            path = str(fetch_file(path, fresh))
        except BadMedia as e:
            for _, i in wanted:
                yield i, e
            return
    yield from container.read_members(path, wanted)


def read_file(path: str) -> bytes | BadMedia:
    """Read a whole file, in half the system calls of open()."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return BadMedia("there is no such file")
    if not stat.S_ISREG(about.st_mode):  # a pipe would wait for ever
        special = not stat.S_ISDIR(about.st_mode)
        return BadMedia("is a pipe, a socket or a device" if special else "there is no such file")
    if about.st_size > MAX_BYTES:
        return BadMedia(f"is larger than {MAX_BYTES >> 20} MB")
    try:
        fd = os.open(path, os.O_RDONLY)
        try:
            blob = os.read(fd, about.st_size + 1)  # one more shows that it has grown
            if len(blob) != about.st_size:
                with open(fd, "rb", closefd=False) as rest:
                    blob += rest.read()
        finally:
            os.close(fd)
    except OSError as e:
        return BadMedia(f"cannot be read ({e.strerror})")
    return blob

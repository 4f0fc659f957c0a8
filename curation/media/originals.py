"""Read samples' bytes, from files and out of containers."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from assay.curation.media.addresses import is_address
from assay.curation.media.containers.base import Wanted, find_container, split_uris
from assay.curation.media.containers.places import read_place
from assay.curation.media.files import MAX_BYTES, BadMedia


def read_bytes(uri: str) -> bytes:
    """Read the bytes at one uri; raises BadMedia."""
    _, blob = next(iter_bytes([uri]))
    if isinstance(blob, BadMedia):
        raise blob
    return blob


def iter_bytes(uris: Iterable[str], fresh: bool = False) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read the bytes at every uri, each with its index.

    Files first, then addresses as they come, then containers, each from its first member to the last. What cannot
    be read is a BadMedia. fresh: what was fetched from an address earlier may have changed there since."""
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
    for path, wanted in in_containers.items():
        yield from read_container(path, wanted, fresh)


def read_container(
    path: str, wanted: list[Wanted], fresh: bool
) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read members of a container.

    One at an address is fetched whole, unless its members' uris say where they lie.
    """
    container = find_container(path)
    assert container, "split_uris knows containers alone"
    if is_address(path):
        from assay.curation.media.remote import fetch_file
        from assay.curation.media.remote_parts import read_members

        places = [(one, read_place(one)) for one in wanted]
        yield from read_members(path, [place for _, place in places if place])
        wanted = [one for one, place in places if not place]
        if not wanted:
            return
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

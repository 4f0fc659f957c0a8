"""Fetch shards at addresses, or no more of one than the members that are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TypeVar

from assay.curation.media import remote_tables
from assay.curation.media.containers.parquet_ranges import Range, join_ranges
from assay.curation.media.containers.places import Placed
from assay.curation.media.files import MAX_BYTES, BadMedia
from assay.curation.media.remote_disk import copy_part, open_to_write
from assay.curation.media.remote_stream import RemotePart, Unreadable

SMALL = 8 << 20  # bytes of parts that are fetched beside others
AT_ONCE = 8

T = TypeVar("T")
U = TypeVar("U")


def read_members(address: str, wanted: list[Placed]) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read members of a shard, those that lie side by side by one request."""
    for stamp in dict.fromkeys(place.stamp for place in wanted):
        some = [place for place in wanted if place.stamp == stamp]
        if address.lower().endswith(remote_tables.SUFFIXES):
            yield from remote_tables.read_rows(address, stamp, some)
        else:
            yield from read_places(address, stamp, some)


def read_places(
    address: str, stamp: str, wanted: list[Placed]
) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read members where they lie, in their order."""
    for place in wanted:
        if place.size > MAX_BYTES:
            yield place.index, BadMedia(f"is larger than {MAX_BYTES >> 20} MB")
    left = sorted(place for place in wanted if place.size <= MAX_BYTES)
    parts = join_ranges(((p.start, p.start + p.size) for p in left), remote_tables.GAP)
    groups, at = [], 0
    for part in parts:
        end = at
        while end < len(left) and left[end].start + left[end].size <= part[1]:
            end += 1
        groups.append((part, left[at:end]))
        at = end

    def read(group: tuple[Range, list[Placed]]) -> Iterator[tuple[int, bytes | BadMedia]]:
        return read_part(address, stamp, *group)

    small = [group for group in groups if group[0][1] - group[0][0] <= SMALL]
    for found in map_ahead(lambda group: list(read(group)), small, AT_ONCE):
        yield from found
    for group in groups:
        if group[0][1] - group[0][0] > SMALL:
            yield from read(group)


def read_part(
    address: str, stamp: str, part: Range, places: list[Placed]
) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read the members of one part as it comes."""
    stream, start, window = RemotePart(address, *part, stamp), part[0], bytearray()
    for n, place in enumerate(places):
        try:
            while start + len(window) < place.start + place.size:
                if not (piece := stream.read()):
                    raise Unreadable("is shorter than it was: import its source again")
                window += piece
        except BadMedia as e:
            stream.close()
            yield from ((p.index, BadMedia(f"is in a shard that {e}")) for p in places[n:])
            return
        del window[: place.start - start]
        start = place.start
        yield place.index, bytes(window[: place.size])
    stream.close()


def fetch_whole(
    address: str, file: Path, unless: str, stopped: Event | None = None
) -> tuple[int, str]:
    """Fetch a shard; returns its size and its stamp."""
    part = RemotePart(address, unless=unless)
    with open_to_write(file) as out:
        copy_part(part, out, stopped)
        return out.tell(), part.stamp


def map_ahead(work: Callable[[T], U], tasks: Iterable[T], count: int) -> Iterator[U]:
    """Do tasks in threads, at most `count` ahead; yields what comes of them in their order."""
    left = iter(tasks)
    running: deque[Future[U]] = deque()
    pool = ThreadPoolExecutor(count, "assay-fetch")
    try:
        while True:
            for task in left:
                running.append(pool.submit(work, task))
                if len(running) == count:
                    break
            if not running:
                return
            yield running.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

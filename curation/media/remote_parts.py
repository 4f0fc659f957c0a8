"""Fetch shards at addresses, or no more of one than the members that are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import NamedTuple, TypeVar

from assay.curation.media import remote_tables
from assay.curation.media.containers.parquet_ranges import Range, join_ranges
from assay.curation.media.containers.places import Placed
from assay.curation.media.files import MAX_BYTES, BadMedia
from assay.curation.media.remote_disk import copy_part, open_to_write
from assay.curation.media.remote_stream import RemotePart, Unreadable

SMALL = 8 << 20  # bytes of parts that are fetched beside others
AT_ONCE = 8
TOO_LARGE = f"is larger than {MAX_BYTES >> 20} MB"

T = TypeVar("T")
U = TypeVar("U")


class Part(NamedTuple):
    """Members of a shard that are fetched by one request."""

    address: str
    stamp: str
    range: Range
    places: list[Placed]


def read_members(wanted: dict[str, list[Placed]]) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read members of shards, by their addresses; those that lie side by side by one request."""
    parts: list[Part] = []
    for address, places in wanted.items():
        for stamp in dict.fromkeys(place.stamp for place in places):
            some = [place for place in places if place.stamp == stamp]
            if address.lower().endswith(remote_tables.SUFFIXES):
                yield from remote_tables.read_rows(address, stamp, some)
            else:
                large = [place for place in some if place.size > MAX_BYTES]
                yield from ((place.number, BadMedia(TOO_LARGE)) for place in large)
                parts += make_parts(address, stamp, [p for p in some if p.size <= MAX_BYTES])
    small = [part for part in parts if part.range[1] - part.range[0] <= SMALL]
    for found in map_ahead(lambda part: list(read_part(part)), small, AT_ONCE):
        yield from found
    for part in parts:
        if part.range[1] - part.range[0] > SMALL:
            yield from read_part(part)


def make_parts(address: str, stamp: str, places: list[Placed]) -> Iterator[Part]:
    """Put the members of a tar that lie near one another into parts."""
    left = sorted(places)
    at = 0
    ranges = join_ranges(((p.start, p.start + p.size) for p in left), remote_tables.GAP)
    for start, end in ranges:
        upto = at
        while upto < len(left) and left[upto].start + left[upto].size <= end:
            upto += 1
        yield Part(address, stamp, (start, end), left[at:upto])
        at = upto


def read_part(part: Part) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read the members of a part as it comes."""
    stream = RemotePart(part.address, *part.range, part.stamp)
    start, window = part.range[0], bytearray()
    for n, place in enumerate(part.places):
        try:
            while start + len(window) < place.start + place.size:
                if not (piece := stream.read()):
                    raise Unreadable("is shorter than it was: import its source again")
                window += piece
        except BadMedia as e:
            stream.close()
            yield from ((p.number, BadMedia(f"is in a shard that {e}")) for p in part.places[n:])
            return
        del window[: place.start - start]
        start = place.start
        yield place.number, bytes(window[: place.size])
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

"""Write what is fetched of a shard to this machine's disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import IO

from assay.curation.errors import DiskFull
from assay.curation.media.containers.parquet_ranges import Range, join_ranges
from assay.curation.media.remote_faults import is_local
from assay.curation.media.remote_stream import RemotePart, Unreadable

MOST = 16 << 30  # bytes of a shard, which lies here while it is read


def check_size(size: int, file: Path) -> None:
    if size > MOST:
        raise too_large()
    if size > file.stat().st_size + shutil.disk_usage(file.parent).free:
        raise no_room(file)


@contextmanager
def open_to_write(file: Path) -> Iterator[IO[bytes]]:
    """Open a file to write into, and say where there is no room for it."""
    try:
        with open(file, "r+b") as out:
            yield out
    except OSError as e:
        if is_local(e):
            raise no_room(file) from None
        raise


def copy_part(part: RemotePart, out: IO[bytes], stopped: Event | None = None) -> None:
    """Write a part as it comes, until nobody needs it any more."""
    while piece := part.read():
        if out.tell() + len(piece) > MOST:
            raise too_large()
        out.write(piece)
        if stopped and stopped.is_set():
            part.close()
            raise Unreadable("was not needed any more")


def too_large() -> Unreadable:
    return Unreadable(f"is larger than {MOST >> 30} GB: write it as several shards")


def no_room(file: Path) -> DiskFull:
    return DiskFull(
        f"expected room in {file.parent} for a shard while it is read, found none",
        "free some space, or name another folder: export TMPDIR=FOLDER",
    )


def copy_hollow(source: Path, target: Path, holes: Iterable[Range]) -> None:
    """Copy a file without the bytes of `holes`, which take no room in the copy."""
    with open(source, "rb") as old, open(target, "wb") as new:
        at, size = 0, os.fstat(old.fileno()).st_size
        new.truncate(size)
        for start, end in [*join_ranges(holes, 0), (size, size)]:
            old.seek(at)
            new.seek(at)
            while at < start and (piece := old.read(min(1 << 20, start - at))):
                new.write(piece)
                at += len(piece)
            at = end

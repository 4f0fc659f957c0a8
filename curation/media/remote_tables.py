"""Read Parquet at an address: its footer, then the column chunks that are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.media.containers.base import Wanted, find_container
from assay.curation.media.containers.parquet_ranges import (
    Range,
    footer_start,
    join_ranges,
    list_chunks,
    list_images,
)
from assay.curation.media.containers.places import Placed
from assay.curation.media.containers.table_rows import MEMBER
from assay.curation.media.files import BadMedia, byte_columns, image_column
from assay.curation.media.remote_cache import RemoteCache
from assay.curation.media.remote_disk import check_size, copy_part, open_to_write
from assay.curation.media.remote_stream import RemotePart, Unreadable

if TYPE_CHECKING:
    import pyarrow.parquet as pq

SUFFIXES = (".parquet", ".pq")
TAIL = 64 << 10  # bytes of a file that hold its footer, most often
GAP = 1 << 20  # bytes between two parts, where fetching them costs less than another request


def read_rows(
    address: str, stamp: str, wanted: list[Placed]
) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read cells of a Parquet file: its footer, then the row groups that hold them."""
    container = find_container(address)
    assert container
    with RemoteCache().new_file() as file:
        try:
            table = open_table(address, file, stamp)
            cells = [match for p in wanted if (match := MEMBER.fullmatch(p.member))]
            guessed = image_column(table.schema.to_arrow_schema())
            columns = {match[2] or guessed for match in cells} - {None}
            groups = find_groups(table, {int(match[1]) for match in cells})
            fetch_ranges(address, file, stamp, list_chunks(table, columns, groups))
        except BadMedia as e:
            yield from ((p.number, BadMedia(f"is in a shard that {e}")) for p in wanted)
            return
        for i, blob in container.read_members(
            str(file), [Wanted(p.member, p.number) for p in wanted]
        ):
            yield (
                i,
                BadMedia(str(blob).replace(str(file), address))
                if isinstance(blob, BadMedia)
                else blob,
            )


def find_groups(table: pq.FileMetaData, rows: set[int]) -> list[int]:
    """Find the row groups that hold some rows."""
    groups, start = [], 0
    for group in range(table.num_row_groups):
        stop = start + table.row_group(group).num_rows
        if any(start <= row < stop for row in rows):
            groups.append(group)
        start = stop
    return groups


def fetch_table(
    address: str, file: Path, columns: set[str], unless: str, stopped: Event | None = None
) -> tuple[int, str]:
    """Fetch a Parquet file, without columns of bytes that are none of `columns`.

    Returns its size and its stamp.
    """
    tail = fetch_tail(address, "", unless)
    check_size(tail.size, file)
    table = write_tail(file, tail)
    schema = table.schema.to_arrow_schema()
    guessed = image_column(schema)
    needed = columns or ({guessed} if guessed else set())
    others = set(list_images(table, set(byte_columns(schema)) - needed))
    chunks = [chunk for chunk in list_chunks(table, schema.names) if chunk not in others]
    fetch_ranges(address, file, tail.stamp, chunks, tail.start, stopped)
    return tail.size, tail.stamp


class Tail(NamedTuple):
    """The last bytes of a Parquet file, with its footer."""

    start: int
    size: int  # of the file
    stamp: str
    blob: bytes


@lru_cache(maxsize=64)
def keep_tail(address: str, stamp: str) -> Tail:
    return fetch_tail(address, stamp)


def fetch_tail(address: str, stamp: str = "", unless: str = "") -> Tail:
    """Fetch the footer of a Parquet file."""
    part = RemotePart(address, -TAIL, None, stamp, unless)
    blob = part.read_all()
    size = part.size if part.size is not None else len(blob)
    start = size - len(blob)
    try:
        footer = footer_start(blob, size)
    except ValueError as e:
        raise Unreadable(f"is no Parquet file, or cut short ({e})") from None
    if footer < start:
        blob = RemotePart(address, footer, start, part.stamp).read_all() + blob
    return Tail(min(start, footer), size, part.stamp, blob)


def write_tail(file: Path, tail: Tail) -> pq.FileMetaData:
    """Write the end of a file, and read its footer; what lies before it is empty."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_to_write(file) as out:
        out.truncate(tail.size)
        out.seek(tail.start)
        out.write(tail.blob)
    try:
        return pq.read_metadata(file)
    except (OSError, ValueError, pa.ArrowException) as e:
        raise Unreadable(f"cannot be read as Parquet ({str(e).splitlines()[0][:200]})") from None


def open_table(address: str, file: Path, stamp: str) -> pq.FileMetaData:
    """Write the end of a Parquet file at an address into a file here."""
    return write_tail(file, keep_tail(address, stamp) if stamp else fetch_tail(address))


def fetch_ranges(
    address: str,
    file: Path,
    stamp: str,
    ranges: Iterable[Range],
    known_from: int | None = None,
    stopped: Event | None = None,
) -> None:
    """Fetch parts of a file to where they lie in it; known_from: from there on it is here."""
    with open_to_write(file) as out:
        for start, end in join_ranges(ranges, GAP):
            end = end if known_from is None else min(end, known_from)
            if start < end:
                out.seek(start)
                copy_part(RemotePart(address, start, end, stamp), out, stopped)

"""Which bytes of a Parquet file hold which cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assay.curation.media.files import byte_columns

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MAGIC = b"PAR1"
FOOTER = 8  # bytes behind the footer: its length, and the magic

Range = tuple[int, int]  # from a byte on, up to another


def footer_start(tail: bytes, size: int) -> int:
    """Find where the footer of a file of `size` bytes begins, by its last bytes.

    Raises ValueError where it is no Parquet.
    """
    length = int.from_bytes(tail[-FOOTER:-4], "little")
    if len(tail) < FOOTER or tail[-4:] != MAGIC or length + FOOTER > size:
        raise ValueError("it does not end as Parquet does")
    return size - FOOTER - length


def list_chunks(
    metadata: pq.FileMetaData, columns: Iterable[str], groups: Iterable[int] | None = None
) -> Iterator[Range]:
    """List the bytes of some columns, in some row groups or in all."""
    wanted = set(columns)
    for group in range(metadata.num_row_groups) if groups is None else groups:
        row_group = metadata.row_group(group)
        for j in range(row_group.num_columns):
            chunk = row_group.column(j)
            if chunk.path_in_schema.split(".")[0] in wanted:
                yield chunk_range(chunk)


def chunk_range(chunk: pq.ColumnChunkMetaData) -> Range:
    start = chunk.data_page_offset
    if chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    return start, start + chunk.total_compressed_size


def list_images(metadata: pq.FileMetaData, columns: Iterable[str] | None = None) -> Iterator[Range]:
    """List the bytes that no format reads: those of images, where every row has them.

    columns: of these alone; None: of all that hold bytes.
    """
    held = set(byte_columns(metadata.schema.to_arrow_schema()) if columns is None else columns)
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for j in range(row_group.num_columns):
            chunk = row_group.column(j)
            name, _, leaf = chunk.path_in_schema.partition(".")
            counted = chunk.statistics and chunk.statistics.has_null_count
            full = bool(counted and not chunk.statistics.null_count)
            if name in held and (not leaf or leaf == "bytes" and full):
                yield chunk_range(chunk)


def join_ranges(ranges: Iterable[Range], gap: int) -> list[Range]:
    """Join ranges that lie at most `gap` bytes apart."""
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined

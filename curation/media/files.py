"""Read samples' bytes from files and Parquet columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MAX_PIXELS, MAX_BYTES = 100_000_000, 1 << 30
CHUNK = 64 << 20  # bytes read ahead, and bytes in a shard: what a killed import loses
# file::row, and ::column where image_column would not guess it
IN_PARQUET = re.compile(r"(.+)::(\d+)(?:::(.+))?", re.DOTALL)


class BadMedia(Exception):
    """Why a file cannot be used, in plain words."""


def content_hash(blob: bytes) -> str:
    """Hash a file's bytes: equal ones are one image."""
    return blake2b(blob, digest_size=16).hexdigest()


def image_column(schema: pa.Schema) -> str | None:
    """Guess which Parquet column holds image bytes.

    The only one that could, or the one named so; else None."""
    held = byte_columns(schema)
    named = [c for c in held if c.lower() in ("image", "img")]
    return held[0] if len(held) == 1 else named[0] if len(named) == 1 else None


def byte_columns(schema: pa.Schema) -> list[str]:
    """List the columns of bytes.

    Plain, or as Hugging Face has them: a struct with a field `bytes`."""
    binary = re.compile(r"(large_)?binary(_view)?|struct<(.*, )?bytes: (large_)?binary.*")
    return [field.name for field in schema if binary.fullmatch(str(field.type))]


def read_bytes(uri: str) -> bytes:
    """Read the bytes at one uri; raises BadMedia."""
    _, blob = next(iter_bytes([uri]))
    if isinstance(blob, BadMedia):
        raise blob
    return blob


def iter_bytes(uris: Iterable[str]) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read the bytes at every uri, each with its index.

    Files first, then Parquet files from first row to last, a batch at a time. What cannot be read is a BadMedia."""
    in_parquet = {}
    for i, uri in enumerate(uris):
        if (match := IN_PARQUET.fullmatch(uri)) and not os.path.isfile(uri):
            in_parquet.setdefault((match[1], match[3]), []).append((int(match[2]), i))
        else:
            yield i, _read_file(uri)
    for (path, column), wanted in in_parquet.items():
        yield from _iter_parquet(path, column, sorted(wanted))


def _read_file(path: str) -> bytes | BadMedia:
    try:
        if not os.path.isfile(path):  # nor a pipe, which would wait for ever
            return BadMedia("there is no such file")
        if os.path.getsize(path) > MAX_BYTES:
            return BadMedia(f"is larger than {MAX_BYTES >> 20} MB")
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        return BadMedia(f"cannot be read ({e.strerror})")


def _iter_parquet(
    path: str, column: str | None, wanted: list[tuple[int, int]]
) -> Iterator[tuple[int, bytes | BadMedia]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    done = start = 0
    reason = f"{path} has no such row"
    try:
        # unbuffered, or a whole row group is held in memory
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            column = column or image_column(file.schema_arrow)
            if column not in byte_columns(file.schema_arrow):
                raise OSError(f"no column {column or ''} of image bytes")
            for group in range(file.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                # row groups that nobody asked for are not read
                if done < len(wanted) and wanted[done][0] < stop:
                    for batch in file.iter_batches(256, row_groups=[group], columns=[column]):
                        cells = batch.column(0)
                        cells = cells.field("bytes") if pa.types.is_struct(cells.type) else cells
                        while done < len(wanted) and wanted[done][0] < start + len(cells):
                            (row, i), done = wanted[done], done + 1
                            # a row before the start: its group was cut short
                            blob = cells[row - start].as_py() if row >= start else None
                            bad = BadMedia("its row has no image bytes")
                            yield i, bad if blob is None else blob
                        start += len(cells)
                        if done == len(wanted):
                            return
                start = stop
    except (OSError, ValueError, pa.ArrowException) as e:
        reason = f"{path} cannot be read ({str(e).splitlines()[0]})"
    for _, i in wanted[done:]:
        yield i, BadMedia(reason)

"""Arrow: an image in a row's cell of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assay.curation.media.containers.base import Wanted
from assay.curation.media.containers.table_rows import list_cells, read_cells
from assay.curation.media.files import BadMedia, byte_columns, image_column

if TYPE_CHECKING:
    import pyarrow as pa

FILE_MAGIC = b"ARROW1"  # of a file with an index of its batches; a stream has none


class Arrow:
    """Rows of an Arrow file, mapped into memory: only the bytes that are asked for are read."""

    name = "arrow"
    suffixes = (".arrow", ".feather", ".ipc", ".arrows")

    def list_members(self, path: str) -> list[str]:
        """List every cell of image bytes, column by column."""
        import pyarrow as pa

        try:
            with open_batches(path) as (schema, batches):
                n = sum(batch.num_rows for batch in batches)
        except (OSError, ValueError, pa.ArrowException):
            return []
        return list_cells(schema, n)

    def read_members(
        self, path: str, wanted: list[Wanted]
    ) -> Iterator[tuple[int, bytes | BadMedia]]:
        return read_cells(path, wanted, read_rows)


CONTAINER = Arrow()


@contextmanager
def open_batches(path: str) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Open a file: its schema, and its batches, still unread."""
    import pyarrow as pa

    with pa.memory_map(path) as mapped:
        start = mapped.read(len(FILE_MAGIC))
        mapped.seek(0)
        if start == FILE_MAGIC:
            file = pa.ipc.open_file(mapped)
            numbers = range(file.num_record_batches)
            yield file.schema, (file.get_batch(i) for i in numbers)
        else:
            stream = pa.ipc.open_stream(mapped)
            yield stream.schema, iter(stream)


def read_rows(
    path: str, column: str | None, wanted: list[tuple[int, int]]
) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read (row, index) pairs, sorted by row."""
    import pyarrow as pa

    done = start = 0
    reason = f"{path} has no such row"
    try:
        with open_batches(path) as (schema, batches):
            column = column or image_column(schema)
            if column not in byte_columns(schema):
                raise OSError(f"no column {column or ''} of image bytes")
            for batch in batches:
                cells = batch.column(column)
                # a struct's field as it is: a row that is null as a whole has none in it
                cells = cells.field("bytes") if pa.types.is_struct(cells.type) else cells
                while done < len(wanted) and wanted[done][0] < start + len(cells):
                    (row, i), done = wanted[done], done + 1
                    blob = cells[row - start].as_py()
                    yield i, BadMedia("its row has no image bytes") if blob is None else blob
                start += len(cells)
                if done == len(wanted):
                    return
    except (OSError, ValueError, pa.ArrowException) as e:
        reason = f"{path} cannot be read ({str(e).splitlines()[0]})"
    for _, i in wanted[done:]:
        yield i, BadMedia(reason)

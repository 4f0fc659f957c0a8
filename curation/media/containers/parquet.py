"""Parquet: an image in a row's cell of bytes."""

from __future__ import annotations

from collections.abc import Iterator

from assay.curation.media.containers.base import Wanted
from assay.curation.media.containers.table_rows import list_cells, read_cells
from assay.curation.media.files import BadMedia, byte_columns, image_column


class Parquet:
    """Rows of a Parquet file, read a batch at a time."""

    name = "parquet"
    suffixes = (".parquet", ".pq")

    def list_members(self, path: str) -> list[str]:
        """List every cell of image bytes, column by column."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as table:
                schema, n = table.schema_arrow, table.metadata.num_rows
        except (OSError, ValueError, pa.ArrowException):
            return []
        return list_cells(schema, n)

    def read_members(
        self, path: str, wanted: list[Wanted]
    ) -> Iterator[tuple[int, bytes | BadMedia]]:
        return read_cells(path, wanted, read_rows)


CONTAINER = Parquet()


def read_rows(
    path: str, column: str | None, wanted: list[tuple[int, int]]
) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read the images of wanted (row, index) pairs, sorted by row.

    Row groups that nobody asked for are skipped.
    """
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

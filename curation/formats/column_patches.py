"""Change cells of Parquet, Arrow and Feather files.

Schema, metadata, order, row groups and compression stay. Rows are numbered from 0 in the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats.column_files import (
    PARQUET,
    is_stream,
    open_arrow,
    readable,
)
from assay.curation.formats.text_patches import Cells

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

CHUNKED = b"content_defined_chunking"  # settings, where the library `datasets` wrote so
PADDED_MAGIC = 8  # bytes before the first message of an Arrow file


@dataclass(frozen=True)
class RowsOf:
    """Rows of a file, with new cells, that come to another."""

    file: Path
    rows: tuple[int, ...]
    cells: Cells


def patch_columns_file(
    source: Path,
    target: Path,
    cells: Cells,
    removed: set[int],
    added: Sequence[RowsOf] = (),
    declare: Callable[[pa.Schema], pa.Schema] = lambda schema: schema,
) -> None:
    """Write a columnar file again, changed.

    Added rows come last. declare: gives the schema other metadata.
    """
    with readable(source):
        more = [take_rows(each) for each in added]
        if source.suffix.lower() in PARQUET:
            patch_parquet(source, target, cells, removed, more, declare)
        else:
            patch_arrow(source, target, cells, removed, more, declare)


def take_rows(wanted: RowsOf) -> pa.Table:
    """Take some rows of a columnar file, changed, in their order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with readable(wanted.file):
        if wanted.file.suffix.lower() in PARQUET:
            with pq.ParquetFile(wanted.file, pre_buffer=False) as file:
                parts = (file.read_row_group(g) for g in range(file.num_row_groups))
                return gather_rows(parts, file.schema_arrow, wanted)
        with open_arrow(wanted.file) as file:
            batches = (
                file
                if is_stream(wanted.file)
                else map(file.get_batch, range(file.num_record_batches))
            )
            parts = (pa.Table.from_batches([batch], file.schema) for batch in batches)
            return gather_rows(parts, file.schema, wanted)


def gather_rows(parts: Iterable[pa.Table], schema: pa.Schema, wanted: RowsOf) -> pa.Table:
    """Gather the wanted rows of a file's parts."""
    import pyarrow as pa

    rows, start, found = set(wanted.rows), 0, [schema.empty_table()]
    for part in parts:
        others = set(range(start, start + len(part))) - rows
        if len(others) < len(part):
            found.append(change_rows(part, start, wanted.cells, others))
        start += len(part)
    return pa.concat_tables(found)


def patch_parquet(
    source: Path,
    target: Path,
    cells: Cells,
    removed: set[int],
    added: Sequence[pa.Table],
    declare: Callable[[pa.Schema], pa.Schema],
) -> None:
    """Write a Parquet file again, one row group after the other."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(source, pre_buffer=False) as file:
        schema = declare(file.schema_arrow)
        start = 0
        with pq.ParquetWriter(target, schema, **writing_options(file)) as writer:
            for g in range(file.num_row_groups):
                group = file.read_row_group(g)
                changed = change_rows(group, start, cells, removed)
                start += len(group)
                if len(changed):
                    changed = changed.replace_schema_metadata(schema.metadata)
                    writer.write_table(changed, row_group_size=len(changed))
            for table in added:
                writer.write_table(table.select(schema.names).cast(schema))
            known = {b"ARROW:schema", *(schema.metadata or {})}
            told = file.metadata.metadata or {}
            more = {k.decode(): v.decode() for k, v in told.items() if k not in known}
            if more:
                writer.add_key_value_metadata(more)


def writing_options(file: pq.ParquetFile) -> dict[str, Any]:
    """How a Parquet file was written, as far as it tells."""
    meta = file.metadata
    if not meta.num_row_groups:
        return {}
    group = meta.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    codecs = {c.path_in_schema: c.compression for c in columns}
    codecs = {path: "NONE" if c == "UNCOMPRESSED" else c for path, c in codecs.items()}
    coded = [c.path_in_schema for c in columns if any("DICTIONARY" in e for e in c.encodings)]
    chunked = (meta.metadata or {}).get(CHUNKED)
    return dict(
        use_content_defined_chunking=json.loads(chunked) if chunked else False,
        compression=codecs
        if len(set(codecs.values())) > 1
        else next(iter(codecs.values()), "NONE"),
        use_dictionary=coded or False,
        write_statistics=[c.path_in_schema for c in columns if c.is_stats_set] or False,
        version=meta.format_version if meta.format_version in ("1.0", "2.4", "2.6") else "2.6",
        store_schema=b"ARROW:schema" in (meta.metadata or {}),
        use_compliant_nested_type=not any(".list.item" in path for path in codecs),
        use_deprecated_int96_timestamps=any(c.physical_type == "INT96" for c in columns),
        write_page_index=any(c.has_column_index for c in columns),
    )


def patch_arrow(
    source: Path,
    target: Path,
    cells: Cells,
    removed: set[int],
    added: Sequence[pa.Table],
    declare: Callable[[pa.Schema], pa.Schema],
) -> None:
    """Write an Arrow file or stream again, one batch after the other."""
    import pyarrow as pa

    stream = is_stream(source)
    with open_arrow(source) as file:
        schema = declare(file.schema)
        if stream:
            batches = list(file)
        else:
            batches = [file.get_batch(i) for i in range(file.num_record_batches)]
        codec = find_compression(source, batches[0]) if batches else None
        options = pa.ipc.IpcWriteOptions(compression=codec, unify_dictionaries=not stream)
        start, changed = 0, []
        for batch in batches:
            table = pa.Table.from_batches([batch]).replace_schema_metadata(schema.metadata)
            changed.append(change_rows(table, start, cells, removed))
            start += len(batch)
        changed += [table.select(schema.names).cast(schema) for table in added]
        with pa.OSFile(str(target), "wb") as sink:
            make = pa.ipc.new_stream if stream else pa.ipc.new_file
            with make(sink, schema, options=options) as writer:
                if stream or not any(pa.types.is_dictionary(f.type) for f in schema):
                    for table in changed:
                        writer.write_table(table, max_chunksize=max(1, len(table)))
                else:  # a file has one dictionary for all of its batches
                    writer.write_table(pa.concat_tables(changed))


def find_compression(source: Path, batch: pa.RecordBatch) -> str | None:
    """Find the compression that gives a batch its length."""
    import pyarrow as pa

    sizes = {}
    for codec in (None, "lz4", "zstd"):
        out = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression=codec)
        with pa.ipc.new_stream(out, batch.schema, options=options) as writer:
            writer.write_batch(batch)
        sizes[codec] = measure_batch(pa.BufferReader(out.getvalue()))
    with pa.memory_map(str(source)) as file:
        file.seek(0 if is_stream(source) else PADDED_MAGIC)
        size = measure_batch(file)
    same = [codec for codec, found in sizes.items() if found == size]
    # another level of compression gives another size
    return same[0] if same else "zstd" if size < sizes[None] else None


def measure_batch(stream: pa.NativeFile) -> int:
    """Measure the first record batch of a stream of messages, in bytes."""
    import pyarrow as pa

    messages = pa.ipc.MessageReader.open_stream(stream)
    return next((m.body.size for m in messages if m.type == "record batch"), 0)


def change_rows(table: pa.Table, start: int, cells: Cells, removed: set[int]) -> pa.Table:
    """Change the rows of a part, which begins at `start`."""
    import pyarrow as pa

    mine = {n - start: row for n, row in cells.items() if start <= n < start + len(table)}
    for name in {name for row in mine.values() for name in row}:
        new = {n: row[name] for n, row in mine.items() if name in row}
        at = table.schema.get_field_index(name)
        column = set_cells(table.column(at), new, name)
        table = table.set_column(at, table.schema.field(at), column)
    gone = {n - start for n in removed if start <= n < start + len(table)}
    if gone:
        table = table.filter(pa.array([n not in gone for n in range(len(table))]))
    return table


def set_cells(column: pa.ChunkedArray, new: dict[int, Any], name: str) -> pa.ChunkedArray:
    """Set cells of a column by their number; its type stays."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        return set_categories(column, new, name)
    order = sorted(new)
    if pa.types.is_nested(column.type):  # no kernel replaces lists
        cells = column.to_pylist()
        for n in order:
            cells[n] = make_cell(new[n], column.type, name).as_py()
        return pa.chunked_array([pa.array(cells, column.type)], column.type)
    values = pa.array([make_cell(new[n], column.type, name) for n in order], column.type)
    chosen = set(new)
    mask = pa.array([n in chosen for n in range(len(column))])
    changed = pc.replace_with_mask(column.combine_chunks(), mask, values)
    return pa.chunked_array([changed], column.type)


def set_categories(column: pa.ChunkedArray, new: dict[int, Any], name: str) -> pa.ChunkedArray:
    """Set cells of a categorical column; new categories come last."""
    import pyarrow as pa

    kind = column.type
    whole = column.unify_dictionaries().combine_chunks()
    known = whole.dictionary.to_pylist()
    known += [v for v in dict.fromkeys(new.values()) if v is not None and v not in known]
    number = {value: i for i, value in enumerate(known)}
    indices = whole.indices.to_pylist()
    for n, value in new.items():
        indices[n] = None if value is None else number[value]
    try:
        changed = pa.DictionaryArray.from_arrays(
            pa.array(indices, kind.index_type),
            pa.array(known, kind.value_type),
            ordered=kind.ordered,
        )
    except (pa.ArrowException, OverflowError, TypeError):
        raise refuse_cell(known[-1], kind, name) from None
    return pa.chunked_array([changed], kind)


def make_cell(value: Any, kind: pa.DataType, name: str) -> pa.Scalar:
    """Make a value of a column's type; UserError where it has none."""
    import pyarrow as pa

    try:
        return pa.scalar(value, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise refuse_cell(value, kind, name) from None


def refuse_cell(value: Any, kind: object, name: str) -> UserError:
    return UserError(
        f"expected a value of type {kind} for the column {name}, found {value!r:.100}",
        "such a class has no place in this file: export another format, such as --format manifest",
    )

"""Put new labels into Parquet and Arrow files; all other cells stay as they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats.base import Patch
from assay.curation.formats.hf_rows import NO_LABEL, RowPlace, Shard, ShardRows
from assay.curation.formats.table_files import PARQUET
from assay.curation.media.containers.arrow import FILE_MAGIC, open_batches

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

CHUNKED = b"content_defined_chunking"  # its settings, where a file was written so


def plan_shard_patch(rows: ShardRows, changes: pd.DataFrame, source: Path) -> Patch:
    """Plan the new files of the shards that hold changed labels."""
    names = rows.classes if rows.columns.label in rows.features.classes else None
    label = rows.columns.label
    given = {sample["key"]: sample["label"] for sample in rows.samples}
    cells: dict[Shard, dict[int, Any]] = {}
    for change in changes.itertuples():
        if change.removed or change.label == change.given_label:
            continue
        place = find_place(rows, given, change, source)
        if label is None:
            raise UserError(
                f"expected a column of labels in {source.name}, found none to write {change.label} to",
                "use --format huggingface: it writes the labels beside the images",
            )
        cells.setdefault(place.shard, {})[place.row] = encode_label(change.label, names, source)
    rewritten: dict[str, Callable[[Path], None]] = {
        relative_to(shard.path, source): partial(choose_writer(shard), shard.path, label, found)
        for shard, found in cells.items()
    }
    return Patch(rewritten, notes=describe_unsaid(changes))


def find_place(rows: ShardRows, given: dict[str, Any], change: Any, source: Path) -> RowPlace:
    """Find where a changed sample stands; UserError where the source has changed."""
    place = rows.places.get(change.key)
    if place is None or given[change.key] != (change.given_label or None):
        found = "no such row" if place is None else f"{given[change.key]}"
        raise UserError(
            f"expected {change.given_label} at {change.key} of {source.name}, found {found}:"
            " the source has changed since",
            "import it again, then export",
        )
    return place


def encode_label(label: str | None, names: list[str] | None, source: Path) -> Any:
    """Encode a label as its column has it: the number of its class, or its name."""
    if names is None:
        return label
    if label is None:
        return NO_LABEL
    if label not in names:
        raise UserError(
            f"expected one of the {len(names):,} classes that {source.name} declares, found {label}:"
            " a new class needs a new list of names in every file",
            "use --format huggingface, which writes the whole set with it",
        )
    return names.index(label)


def describe_unsaid(changes: pd.DataFrame) -> list[str]:
    """Say which changes are not brought to the source."""
    removed = int(changes.removed.sum())
    moved = int((changes["split"].notna() & ~changes.removed).sum())
    notes = []
    if removed:
        notes.append(
            f"{removed:,} removed samples stay in the source: --format huggingface writes it without them"
        )
    if moved:
        notes.append(
            f"{moved:,} samples stay in the split that they had: --format huggingface writes them to the new one"
        )
    return notes


def choose_writer(shard: Shard) -> Callable[..., None]:
    is_parquet = shard.path.suffix.lower() in PARQUET
    return rewrite_parquet if is_parquet else rewrite_arrow


def replace_cells(
    table: pa.Table | pa.RecordBatch, column: str, new: dict[int, Any], start: int
) -> Any:
    """Replace cells of a column, whose rows are counted from `start`."""
    import pyarrow as pa

    here = {row - start: cell for row, cell in new.items() if 0 <= row - start < table.num_rows}
    if not here:
        return table
    at = table.schema.get_field_index(column)
    about, cells = table.schema.field(at), table.column(at)
    values = cells.to_pylist()
    for row, cell in here.items():
        values[row] = cast_cell(cell, about.type)
    kind = about.type
    if pa.types.is_dictionary(kind):
        known = pa.array(values, kind.value_type).dictionary_encode()
        fresh = known.cast(kind)
    else:
        fresh = pa.array(values, kind)
    return table.set_column(at, about, fresh)


def cast_cell(cell: Any, kind: pa.DataType) -> Any:
    """Bring a label to the type of its column: numbers stay numbers."""
    import pyarrow as pa

    if isinstance(cell, str) and pa.types.is_boolean(kind):
        return {"true": True, "false": False, "1": True, "0": False}.get(cell.lower())
    if isinstance(cell, str) and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        try:
            return int(cell) if pa.types.is_integer(kind) else float(cell)
        except ValueError:
            raise UserError(
                f"expected a number in a column of {kind}, found {cell}",
                "use --format huggingface: it writes names of classes",
            ) from None
    return cell


def rewrite_arrow(source: Path, column: str, new: dict[int, Any], target: Path) -> None:
    """Write an Arrow file again, batch by batch, with new cells in one column."""
    import pyarrow as pa

    with open(source, "rb") as file:
        make = pa.ipc.new_file if file.read(len(FILE_MAGIC)) == FILE_MAGIC else pa.ipc.new_stream
    start = 0
    with open_batches(str(source)) as (schema, batches), pa.OSFile(str(target), "wb") as out:
        with make(out, schema) as writer:
            for batch in batches:
                writer.write_batch(replace_cells(batch, column, new, start))
                start += batch.num_rows


def rewrite_parquet(source: Path, column: str, new: dict[int, Any], target: Path) -> None:
    """Write a Parquet file again, with new cells in one column.

    Schema, metadata, row groups, compression and encodings stay.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(source, pre_buffer=False) as file:
        schema, extra = file.schema_arrow, file.metadata.metadata or {}
        with pq.ParquetWriter(target, schema, **read_settings(file)) as writer:
            start = 0
            for group in range(file.num_row_groups):
                table = replace_cells(file.read_row_group(group), column, new, start)
                writer.write_table(table, row_group_size=max(1, table.num_rows))
                start += table.num_rows
            known = {b"ARROW:schema", *(schema.metadata or {})}
            more = {k: v for k, v in extra.items() if k not in known | {CHUNKED}}
            if more:
                writer.add_key_value_metadata({k.decode(): v.decode() for k, v in more.items()})


def read_settings(file: Any) -> dict[str, Any]:
    """Read how a Parquet file was written, as a writer takes it."""
    md = file.metadata
    if not md.num_row_groups:
        return {}
    chunks = [md.row_group(0).column(j) for j in range(md.num_columns)]
    codecs = {c.path_in_schema: c.compression for c in chunks}
    codecs = {path: "NONE" if c == "UNCOMPRESSED" else c for path, c in codecs.items()}
    settings: dict[str, Any] = dict(
        compression=codecs,
        use_dictionary=[c.path_in_schema for c in chunks if c.has_dictionary_page],
        write_statistics=[c.path_in_schema for c in chunks if c.is_stats_set],
        write_page_index=any(c.has_column_index for c in chunks),
        version=md.format_version if md.format_version in ("1.0", "2.4", "2.6") else "2.6",
        store_schema=b"ARROW:schema" in (md.metadata or {}),
    )
    if found := (md.metadata or {}).get(CHUNKED):
        settings["use_content_defined_chunking"] = json.loads(found)
    if sorting := md.row_group(0).sorting_columns:
        settings["sorting_columns"] = sorting
    return settings


def relative_to(path: Path, source: Path) -> str:
    """The path of a file in its source, "" where it is the source."""
    return "" if path == source else os.path.relpath(path, source)

"""The samples in the shards of a Hugging Face data set."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.column_files import PARQUET
from assay.curation.formats.hf_columns import SAMPLE_ROWS, Columns, choose_columns
from assay.curation.formats.hf_features import Features, read_features
from assay.curation.formats.label_sets import BadLabels, join_names
from assay.curation.formats.row_columns import RowColumns, note_columns, read_row_columns
from assay.curation.formats.split_words import read_split_word
from assay.curation.formats.table_cells import Places, Table, check_width
from assay.curation.formats.table_columns import as_texts
from assay.curation.media.base import media_type
from assay.curation.media.containers.arrow import open_batches
from assay.curation.media.files import image_column
from assay.curation.media.locations import locate_paths
from assay.curation.text import MAX_NAME, MAX_TEXT, find_flaw, format_count

if TYPE_CHECKING:
    import pyarrow as pa

NO_LABEL = -1  # what a ClassLabel says where there is none
ROWS = 4_096  # read at once
PLAIN = ("bool", "int", "uint", "float", "double", "halffloat", "string", "large_string")
PLAIN += ("date", "timestamp", "time", "decimal", "dictionary", "null", "duration")


class Shard(NamedTuple):
    """A file of rows."""

    path: Path
    file: str  # its path in the source
    split: str | None  # the source's name of it


class RowPlace(NamedTuple):
    """Where a sample stands in its source."""

    shard: Shard
    row: int


@dataclass(frozen=True)
class ShardRows:
    """What shards list: samples, and where each of them stands."""

    samples: list[dict]
    places: dict[str, RowPlace]  # by key
    left_out: list[tuple[str, str]]
    columns: Columns
    features: Features
    classes: list[str]
    notes: list[str] = field(default_factory=list)
    too_long: Counter[str] = field(default_factory=Counter)  # column -> texts that were not read
    described: RowColumns | None = None  # the columns of rows that are samples themselves

    def split_of(self, key: str, split_map: dict[str, str]) -> str | None:
        """Find the split of a sample, from the file it is in.

        It is Assay's word for the split.
        """
        word = self.places[key].shard.split
        return word and read_split_word(word, split_map)


def read_shards(
    shards: list[Shard], name: str, options: ImportOptions, declared: dict[str, Any] | None = None
) -> ShardRows:
    """Read the rows of all shards, without their images."""
    first = next((shard for shard in shards if count_rows(shard)), None)
    if first is None:
        raise UserError(f"expected rows in {name}, found none", "is the data set complete?")
    with open_shard(first) as (schema, batches):
        check_width(len(schema.names), name)
        features = read_features(schema, declared)
        plain = [column.name for column in schema if is_plain(column.type)]
        columns = choose_columns(features, schema, read_first(batches, plain), options, name)
    found = ShardRows(
        [], {}, [], columns, features, [], [*columns.notes, *list_unread_columns(columns)]
    )
    classes: dict[str, None] = {}
    for shard in shards:
        with open_shard(shard) as (schema, batches):
            missing = [c for c in (columns.content, columns.label) if c and c not in schema.names]
            if missing:
                raise UserError(
                    f"expected the same columns in all files of {name}, found no {missing[0]} in {shard.file}",
                    "are these the files of one configuration? import a folder of one alone",
                )
            held = read_features(schema, declared)
            names = (held.several if columns.several else held.classes).get(columns.label or "")
            classes |= dict.fromkeys(names or [])
            codes = held.classes if columns.media == "row" else {}
            add_rows(found, shard, schema, batches, names, options, codes)
    found = replace(found, classes=list(classes))
    return describe_rows(found, options, name) if columns.media == "row" else found


def describe_rows(found: ShardRows, options: ImportOptions, name: str) -> ShardRows:
    """Make of the metadata of rows what they hold as samples."""
    metas = [sample["meta"] for sample in found.samples]
    cells = {c: [meta.get(c) for meta in metas] for c in found.columns.metadata}
    table = Table(cells, Places("row", range(len(metas))))
    described = read_row_columns(table, set(), options.decimal, name)
    names = list(described.cells)
    rows = zip(*described.cells.values())
    for sample, text, row in zip(found.samples, described.texts(), rows):
        sample["text"] = text
        sample["meta"] = {c: cell for c, cell in zip(names, row) if cell is not None}
    notes = [*found.notes, *note_columns(table, described)]
    return replace(found, described=described, notes=notes)


def add_rows(
    found: ShardRows,
    shard: Shard,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    names: list[str] | None,
    options: ImportOptions,
    codes: dict[str, list[str]],
) -> None:
    """Add the samples of one shard to what was found.

    codes: the names of the numbers in columns of metadata."""
    columns = found.columns
    is_text, of_images = media_type(columns.media).in_cell, columns.media == "image"
    suffix = (
        "" if not of_images or columns.content == image_column(schema) else f"::{columns.content}"
    )
    path, root = str(shard.path), Path(options.images or shard.path.parent)
    start, top = 0, f"{shard.file}::" if shard.file else ""
    bad_labels: dict[str | None, str] = {}
    for batch in batches:
        n = batch.num_rows
        read = read_sets if columns.several else read_labels
        labels, wrong = read(batch, columns.label, names)
        splits = read_texts(batch, columns.split) or [shard.split] * n
        if options.columns.get("split") == "none":
            splits = [None] * n
        ids, groups = read_texts(batch, columns.id), read_texts(batch, columns.group)
        metas = read_metadata(batch, columns.metadata, found.too_long)
        metas = [name_codes(meta, codes) for meta in metas] if codes else metas
        beside = find_paths(batch, str(columns.content), root) if of_images else {}
        texts = batch.column(columns.content).to_pylist() if is_text else None
        for i in range(n):
            row = start + i
            place, label = f"{top}{row}", labels[i]
            key, uri, bad = place, f"{path}::{row}{suffix}", wrong.get(i, "")
            if i in beside:
                uri, missing = beside[i]
                bad = bad or missing
            if ids:
                key, bad = ids[i] or place, bad or ("" if ids[i] else f"has no {columns.id}")
            if label not in bad_labels:
                bad_labels[label] = say_flaw(
                    "label", label, MAX_TEXT if columns.several else MAX_NAME
                )
            bad = bad or say_flaw("key", key, MAX_TEXT) or bad_labels[label]
            if not bad and key in found.places:
                bad = f"has the same {columns.id} as another row ({place})"
            if bad:
                found.left_out.append((place, bad))
                continue
            sample: dict[str, Any] = dict(
                key=key, uri=uri, label=label, split=splits[i], meta=metas[i]
            )
            if texts:
                sample["text"] = texts[i]
            if groups:
                sample["group"] = groups[i]
            found.samples.append(sample)
            found.places[key] = RowPlace(shard, row)
        start += n


def name_codes(meta: dict[str, Any], codes: dict[str, list[str]]) -> dict[str, Any]:
    """Give the names of numbers in metadata; -1 is none."""
    named = {c: dict(enumerate(codes[c])) | {NO_LABEL: None} for c in meta if c in codes}
    return {c: named[c].get(v, v) if c in named else v for c, v in meta.items()}


def say_flaw(what: str, text: str | None, most: int) -> str:
    """Say what keeps a sample's key or label out; "" for nothing."""
    flaw = find_flaw(text, most) if text else ""
    return f"has a {what} that {flaw}" if flaw else ""


def read_labels(
    batch: pa.RecordBatch, column: str | None, names: list[str] | None
) -> tuple[list[str | None], dict[int, str]]:
    """Read a batch's labels by name, and which rows are wrong."""
    if column is None:
        return [None] * batch.num_rows, {}
    if not names:
        return list(as_texts(batch.column(column).to_pylist(), column)), {}
    numbers = batch.column(column).to_pylist()
    named: dict[Any, str | None] = dict(enumerate(names)) | {None: None, NO_LABEL: None}
    wrong = {
        i: f"has the class number {number}, of {format_count(len(names), 'class')}"
        for i, number in enumerate(numbers)
        if number not in named
    }
    return [named.get(number) for number in numbers], wrong


def read_sets(
    batch: pa.RecordBatch, column: str, names: list[str] | None
) -> tuple[list[str | None], dict[int, str]]:
    """Read a batch's lists of labels, and which rows are wrong."""
    labels: list[str | None] = []
    wrong: dict[int, str] = {}
    for i, cell in enumerate(batch.column(column).to_pylist()):
        label = None
        try:
            if cell is not None and names:
                cell = [name_number(number, names) for number in cell]
            label = None if cell is None else join_names(cell)
        except BadLabels as e:
            wrong[i] = str(e)
        labels.append(label)
    return labels, wrong


def name_number(number: Any, names: list[str]) -> str:
    """Name a class by its number; BadLabels where there is none of it."""
    if not isinstance(number, int) or not 0 <= number < len(names):
        raise BadLabels(f"has the class number {number}, of {format_count(len(names), 'class')}")
    return names[number]


def read_texts(batch: pa.RecordBatch, column: str | None) -> list[str | None]:
    """Read a column as text; [] where there is none."""
    return as_texts(batch.column(column).to_pylist(), column) if column else []


def read_metadata(
    batch: pa.RecordBatch, columns: tuple[str, ...], too_long: Counter[str]
) -> list[dict[str, Any]]:
    """Read other columns of each row: {column: JSON value}.

    Empty cells are left out.
    """
    there = [c for c in columns if c in batch.schema.names]
    values = {c: batch.column(c).to_pylist() for c in there}
    for c, cells in values.items():
        long = [i for i, v in enumerate(cells) if isinstance(v, str) and len(v) > MAX_TEXT]
        for i in long:
            cells[i] = None
        if long:
            too_long[c] += len(long)
    text = json.dumps(values, default=str)
    values = json.loads(text, parse_constant=lambda _: None)  # NaN
    return [
        {c: v for c, v in zip(there, row) if v is not None} for row in zip(*values.values())
    ] or [{} for _ in range(batch.num_rows)]


def is_long(value: Any) -> bool:
    """Whether a text is too long for metadata."""
    return isinstance(value, str) and len(value) > MAX_TEXT


def find_paths(batch: pa.RecordBatch, column: str, root: Path) -> dict[int, tuple[str, str]]:
    """Find the files of rows without bytes: {row: (path, what is wrong)}."""
    import pyarrow as pa

    if column not in batch.schema.names or not pa.types.is_struct(batch.column(column).type):
        return {}
    cells = batch.column(column)
    fields = [cells.type.field(i).name for i in range(cells.type.num_fields)]
    if "path" not in fields or "bytes" not in fields:  # the bytes of all rows are there
        return {}
    held = cells.field("bytes").is_valid().to_pylist()
    rows = [i for i, there in enumerate(held) if not there]
    paths = cells.field("path")
    named = [(i, paths[i].as_py()) for i in rows]
    named = [(i, path) for i, path in named if path]
    located = locate_paths(root, [path for _, path in named], False)
    return {i: (place.uri, place.wrong) for (i, _), place in zip(named, located)}


# ---- files


@contextmanager
def open_shard(shard: Shard) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Open a shard: its schema, and its rows without images' bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if shard.path.suffix.lower() not in PARQUET:
            with open_batches(str(shard.path)) as opened:
                yield opened
            return
        with pq.ParquetFile(shard.path, pre_buffer=False) as file:
            yield file.schema_arrow, iter_parquet(file)
    except (OSError, ValueError, pa.ArrowException) as e:
        raise UserError(
            f"expected to read {shard.file or shard.path.name}, found that it cannot be read"
            f" ({str(e).splitlines()[0][:200]})",
            "is the file complete? a file of Git LFS that was not fetched: git lfs pull",
        ) from e


def iter_parquet(file: Any) -> Iterator[pa.RecordBatch]:
    """Read a Parquet file's rows, without bytes that are all there."""
    schema, md = file.schema_arrow, file.metadata
    leaves = [md.schema.column(j).path for j in range(md.num_columns)]
    bytes_of = [name for name in schema.names if f"{name}.bytes" in leaves]
    binary = [column.name for column in schema if "binary" == str(column.type)[-6:]]
    skipped = {f"{name}.bytes": leaves.index(f"{name}.bytes") for name in bytes_of}
    for group in range(md.num_row_groups):
        told = [md.row_group(group).column(j).statistics for j in skipped.values()]
        nulls = [s is None or not s.has_null_count or s.null_count > 0 for s in told]
        left_out = {leaf for leaf, some in zip(skipped, nulls) if not some} | set(binary)
        wanted = [leaf for leaf in leaves if leaf not in left_out]
        yield from file.iter_batches(ROWS if not any(nulls) else 256, [group], wanted)


def count_rows(shard: Shard) -> int:
    """Count the rows of a shard."""
    import pyarrow.parquet as pq

    with open_shard(shard) as (_, batches):
        if shard.path.suffix.lower() in PARQUET:
            return pq.read_metadata(shard.path).num_rows
        return sum(batch.num_rows for batch in batches)


def read_first(batches: Iterator[pa.RecordBatch], columns: list[str]) -> dict[str, list]:
    """Read the first rows of some columns."""
    first: dict[str, list] = {column: [] for column in columns}
    for batch in batches:
        for column in columns:
            first[column] += batch.column(column).slice(0, SAMPLE_ROWS).to_pylist()
        if len(next(iter(first.values()), [0] * SAMPLE_ROWS)) >= SAMPLE_ROWS:
            break
    return first


def is_plain(kind: pa.DataType) -> bool:
    """Whether a column holds text, numbers, times or truth values."""
    return str(kind).startswith(PLAIN)


def list_unread_columns(columns: Columns) -> list[str]:
    """Say which columns were not read."""
    if not columns.unread:
        return []
    return [f"not read: the columns {', '.join(columns.unread)}: no text, number or truth value"]

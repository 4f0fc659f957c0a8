"""Read tables in Parquet, Arrow and Feather, and Parquet spread over shards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.table_cells import Places, Shard, Table, check_width, refuse_width
from assay.curation.media.files import byte_columns, image_column

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = (".parquet", ".pq")
ARROW = (".arrow", ".feather", ".ipc", ".arrows")
FILE_MAGIC = b"ARROW1"  # else it is a stream
OLD_FEATHER = b"FEA1"
SHARD = re.compile(r"(?:(?P<split>.+)-\d{5}-of-\d{5}|part-[\w.-]+|.*[-_.]\d+)\.(parquet|pq)", re.I)
HUGGING_FACE = b"huggingface"
TOO_LONG = "Exceeded size limit"  # what pyarrow says of the header of a million columns


def read_columns(path: Path) -> Table:
    """Read a columnar file, without its columns of bytes."""
    with readable(path):
        schema = read_schema(path)
        check_width(len(schema.names), path.name)
        held = byte_columns(schema)
        names = [c for c in schema.names if c not in held]
        read, n = read_arrow(path, names)
        columns, categories = list_columns(read)
        likely = image_column(schema)
        return Table(columns, Places("row", range(n)), [], held, likely, categories)


def read_arrow(path: Path, names: list[str]) -> tuple[pa.Table, int]:
    """Read columns of a file, and count its rows."""
    import pyarrow.parquet as pq

    if path.suffix.lower() in PARQUET:
        with pq.ParquetFile(path) as file:
            read = file.read(names)
            return read, read.num_rows if names else file.metadata.num_rows
    with open_arrow(path) as file:
        read = file.read_all()
        return read.select(names), read.num_rows


def read_schema(path: Path) -> pa.Schema:
    import pyarrow.parquet as pq

    if path.suffix.lower() in PARQUET:
        return pq.read_schema(path)
    with open_arrow(path) as file:
        return file.schema


def is_stream(path: Path) -> bool:
    """Whether a file is an Arrow stream, and no Arrow file."""
    with open(path, "rb") as file:
        start = file.read(len(FILE_MAGIC))
    if start.startswith(OLD_FEATHER):
        raise UserError(
            f"expected Feather of version 2 in {path.name}, found version 1",
            "write it again: pandas.read_feather(OLD).to_feather(NEW)",
        )
    return start != FILE_MAGIC


@contextmanager
def open_arrow(
    path: Path,
) -> Iterator[pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader]:
    """Open an Arrow file or stream, mapped and not read."""
    import pyarrow as pa

    stream = is_stream(path)
    with pa.memory_map(str(path)) as source:
        yield pa.ipc.open_stream(source) if stream else pa.ipc.open_file(source)


def list_columns(read: pa.Table) -> tuple[dict[str, list], dict[str, list[str]]]:
    """List the cells of each column, and declared categories."""
    import pyarrow as pa

    columns, categories = {}, {}
    for name in dict.fromkeys(read.column_names):
        column = read[name]
        if pa.types.is_dictionary(column.type):
            declared = column.unify_dictionaries()
            if declared.num_chunks:
                values = declared.chunk(0).dictionary.to_pylist()
                categories[name] = [str(v) for v in values if v is not None]
        columns[name] = column.to_pylist()
    return columns, categories


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in words what keeps a file from being read."""
    import pyarrow as pa

    try:
        yield
    except (OSError, ValueError, KeyError, pa.ArrowException) as e:
        if TOO_LONG in str(e):  # of the part that describes the columns
            raise refuse_width("many more", path.name) from e
        kind = "Parquet" if path.suffix.lower() in PARQUET else "Arrow"
        raise UserError(
            f"{path.name} cannot be read as {kind} ({(str(e) or repr(e)).splitlines()[0]})",
            "is the file complete?",
        ) from e


def list_shards(folder: Path) -> list[str]:
    """List the Parquet shards of a folder; [] where it has none.

    They lie in the folder or in data/, are called as shards are, and no other data is beside them.
    """
    for place in (folder, folder / "data"):
        if not place.is_dir():
            continue
        names = sorted(p.name for p in place.iterdir() if p.is_file() and p.name[0] not in "._")
        shards = [name for name in names if name.lower().endswith(PARQUET)]
        if shards and all(SHARD.fullmatch(name) for name in shards):
            others = [
                n for n in names if n not in shards and not n.lower().endswith((".md", ".txt"))
            ]
            return [] if others else [str((place / n).relative_to(folder)) for n in shards]
    return []


def is_hugging_face(path: Path) -> bool:
    """Whether the library `datasets` wrote a Parquet file."""
    try:
        return HUGGING_FACE in (read_schema(path).metadata or {})
    except (OSError, ValueError):
        return False


def read_shards(folder: Path, names: list[str]) -> Table:
    """Read all shards of a table as one."""
    tables = [read_columns(folder / name) for name in names]
    first = tables[0]
    for name, table in zip(names, tables):
        if list(table.columns) != list(first.columns) or table.byte_columns != first.byte_columns:
            raise UserError(
                f"expected the columns {', '.join(first.columns)} in every shard of {folder.name}, "
                f"found {', '.join(table.columns)} in {name}",
                "import the files one by one",
            )
    shards, start = [], 0
    for name, table in zip(names, tables):
        shards.append(Shard(name, start, len(table.places)))
        start += len(table.places)
    columns = {name: [v for t in tables for v in t.columns[name]] for name in first.columns}
    categories = {
        name: list(dict.fromkeys(v for t in tables for v in t.categories.get(name, [])))
        for name in first.categories
    }
    held, likely = first.byte_columns, first.image_column
    return Table(columns, Places("row", range(start)), [], held, likely, categories, shards=shards)


def name_split(shard: str) -> str | None:
    """The split that a shard's name tells, as in train-00000-of-00002.parquet."""
    match = SHARD.fullmatch(shard.rsplit("/", 1)[-1])
    return match["split"] if match else None

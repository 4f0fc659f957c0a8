"""A bench's sources: where they lie, and how they were read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from assay.curation.formats.base import ImportOptions, Source, Unread
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import duckdb

KEY = "source "  # and the source's name: the key of its record in the table meta
# the options that say how a source is read, and not how it is compared with the bench
READING = "columns split_map images format class_level pictures_only multilabel config sheet media task decimal".split()


@dataclass(frozen=True)
class SourceRecord:
    """How a source was read when it was last imported."""

    name: str
    path: str  # "" where it lies nowhere: a frame, another tool's data set
    format: str
    kind: str
    options: dict  # of ImportOptions: those of READING that were given
    roles: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)

    def import_options(self) -> ImportOptions:
        """How to read it again: what was left out then is left out once more."""
        return ImportOptions(**self.options, skip_bad=True)


def make_record(name: str, source: Source, options: ImportOptions) -> SourceRecord:
    """Make the record of a source that is imported as `name`."""
    given = {option: getattr(options, option) for option in READING}
    given = {option: str(v) if option == "images" else v for option, v in given.items() if v}
    given["columns"] = {role: column for role, column in options.columns.items() if column}
    return SourceRecord(
        name,
        source.path,
        source.format,
        source.kind,
        given,
        source.roles,
        source.notes,
        source.unread,
        source.classes,
    )


def write_record(con: duckdb.DuckDBPyConnection, record: SourceRecord) -> None:
    """Write a record in the place of an earlier one."""
    text = json.dumps(asdict(record), ensure_ascii=False)
    con.execute("insert or replace into meta values (?, ?)", [KEY + record.name, text])


def read_records(bench: Bench) -> dict[str, SourceRecord]:
    """Read the records of all sources, by name.

    A source that an earlier Assay imported has none.
    """
    rows = bench.rows("select value from meta where starts_with(key, ?) order by key", [KEY])
    records = [parse_record(json.loads(value)) for (value,) in rows]
    return {record.name: record for record in records}


def parse_record(values: dict) -> SourceRecord:
    """Parse a record; fields that a later Assay writes are left alone."""
    known = {f.name for f in fields(SourceRecord)}
    values = {name: value for name, value in values.items() if name in known}
    unread = [Unread(**row) for row in values.pop("unread", [])]
    options = {k: v for k, v in values.pop("options", {}).items() if k in READING}
    return SourceRecord(**values, unread=unread, options=options)

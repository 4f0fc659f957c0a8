"""Say what became of a table's columns, and what was guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assay.curation.formats.base import ImportOptions
from assay.curation.formats.label_sets import count_sets, explain_task
from assay.curation.formats.row_columns import describe_columns
from assay.curation.formats.split_words import read_split_word
from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_columns import Roles
from assay.curation.media.base import media_type
from assay.curation.media.locations import Place
from assay.curation.tasks.base import find_task, list_members
from assay.curation.text import format_count

SHOWN = 10  # names of columns or classes in a line


@dataclass(frozen=True)
class Rows:
    """The rows of a table by what its columns mean: a value for each row."""

    exported: bool  # whether Assay wrote the table
    roles: Roles
    labels: list[str | None]
    splits: list[str | None]
    ids: list[str | None] | None  # of a column of ids, where there is one
    places: list[Place]  # of the images
    wrong_labels: dict[int, str] = field(default_factory=dict)  # row -> why they cannot be read

    def key(self, i: int) -> str | None:
        return self.places[i].key if self.ids is None else self.ids[i]


def describe_file(path: Path, table: Table) -> str:
    kind = path.suffix[1:].lower()
    return f"{format_count(len(table.shards), 'parquet shard')}" if table.shards else kind


def describe_rows(table: Table, roles: Roles) -> str:
    if media_type(roles.media).column:
        return f"of {roles.media}s"
    return "of images" if roles.content in table.byte_columns else "manifest"


def describe_places(places: list[Place], path: Path, options: ImportOptions) -> Iterator[str]:
    """Say how many images were found by inexact names."""
    ways = Counter(place.how for place in places if place.how)
    if ways:
        root = options.images or path.parent
        how = ", ".join(f"{way} {n:,}" for way, n in ways.items())
        yield (
            f"{format_count(sum(ways.values()), 'image', 'is', 'are')} the only ones below {root} "
            f"that fit their rows: {how}"
        )


def describe_numbers(rows: Rows) -> Iterator[str]:
    """Say that the number -1 was taken for a class."""
    n = rows.labels.count("-1")
    if n:
        yield f"{format_count(n, 'row', 'has', 'have')} the label -1, which is taken as a class of that name"


def describe_roles(table: Table, rows: Rows) -> dict[str, str]:
    """Say what became of each column."""
    roles, labels = rows.roles, rows.roles.labels
    said = {roles.media: f"the column {roles.content}"}
    if roles.columns:
        said["row"] = describe_columns(roles.columns)
    n = len(
        list_members(find_task("multilabel" if labels.several else "classification"), rows.labels)
    )
    if labels.one_hot:
        said["label"] = f"{labels.how} ({format_count(n, 'class')})"
    elif labels.column:
        index = f", with its number in {labels.index}" if labels.index else ""
        how = f": {labels.how}" if labels.how else ""
        said["label"] = f"the column {labels.column} ({format_count(n, 'class')}){index}{how}"
    else:
        said["label"] = "none"
    if labels.several:
        said["label"] += f", {count_sets(rows.labels)}"
        said["task"] = explain_task(labels.several)
    if any(rows.splits):
        where = f"the column {roles.split}" if roles.split else "the name of each file"
        counts = Counter(split for split in rows.splits if split)
        meant = ", ".join(f"{describe_word(s)} {n:,}" for s, n in list(counts.items())[:SHOWN])
        said["split"] = f"{where} ({meant})"
    said |= {
        role: f"the column {column}"
        for role, column in (("id", roles.id), ("group", roles.group))
        if column
    }
    used = roles.all_columns() | ({"sample_id", "content_hash"} if rows.exported else set())
    used |= set(roles.columns.kinds) if roles.columns else set()
    rest = [name for name in table.columns if name not in used]
    rest_bytes = [name for name in table.byte_columns if name not in used]
    if rest:
        said["metadata"] = describe_names(rest)
    unread = [describe_names(rest_bytes)] if rest_bytes else []
    if table.nameless:
        unread.append(f"{table.nameless:,} column{'s' * (table.nameless > 1)} without a name")
    if unread:
        said["not read"] = "; ".join(unread)
    return said


def describe_word(word: str) -> str:
    meant = read_split_word(word)
    return f"{word} as {meant}" if meant and meant != word.lower() else word


def describe_names(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"{len(names):,} columns: {shown}{more}" if len(names) > 1 else f"the column {shown}"

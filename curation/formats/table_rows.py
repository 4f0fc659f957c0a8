"""The samples that a table lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Listing
from assay.curation.formats.column_files import name_split
from assay.curation.formats.label_sets import ONES, BadLabels, read_cell, read_set_bits
from assay.curation.formats.row_columns import note_columns, restore_columns
from assay.curation.formats.table_cells import Table
from assay.curation.formats.table_columns import (
    Finder,
    Roles,
    as_row_labels,
    as_texts,
    as_written,
    choose_roles,
)
from assay.curation.formats.table_labels import Labels
from assay.curation.formats.table_words import (
    Rows,
    describe_file,
    describe_numbers,
    describe_places,
    describe_roles,
    describe_rows,
)
from assay.curation.formats.text_columns import place_texts
from assay.curation.media.base import media_type
from assay.curation.media.locations import Place, locate_bytes, locate_paths
from assay.curation.text import MAX_NAME, MAX_TEXT, find_flaw, format_count

SAMPLE_ID = re.compile("[0-9a-f]{32}")
INDEX = re.compile(r"__index_level_\d+__")  # what pandas makes of a frame's index: it tells nothing


def read_rows(path: Path, table: Table, options: ImportOptions) -> Rows:
    """Read what the rows of the table at `path` say.

    A manifest that Assay exported is read exactly.
    """
    columns, n = table.columns, len(table.places)
    if not n and not table.left_out:
        raise UserError(
            f"expected rows in {path.name}, found {'a header only' if columns else 'nothing'}",
            "add rows",
        )
    exported = is_exported(table)
    root = path if table.shards else path.parent
    roles = choose_roles(
        table,
        options.columns,
        path.name,
        exported,
        make_finder(root, options.images),
        options.split_map,
        options.pictures_only,
        options.multilabel,
        options.media,
        options.decimal,
    )
    texts = as_written if exported else as_texts
    splits = texts(columns[roles.split], roles.split) if roles.split else [None] * n
    if roles.flag:
        splits = [word and roles.flag[word] for word in splits]
    elif not roles.split and "split" not in {k for k, v in options.columns.items() if v == "none"}:
        splits = [
            split for shard in table.shards for split in [name_split(shard.name)] * shard.rows
        ]
        splits = splits or [None] * n
    say = as_row_labels if roles.columns else texts
    labels, wrong_labels = read_labels(table, roles, say)
    return Rows(
        exported,
        roles,
        labels,
        splits,
        texts(columns[roles.id], roles.id) if roles.id else None,
        list(
            place_texts(str(path), table)
            if media_type(roles.media).column
            else locate_images(path, table, roles.content, exported, options)
        ),
        wrong_labels,
    )


def read_labels(table: Table, roles: Roles, texts: Any) -> tuple[list[str | None], dict[int, str]]:
    """Read the label of each row.

    Returns also {row: what is wrong} of rows with several labels that cannot be read.
    """
    labels = roles.labels
    if labels.several:
        return read_several(table, labels)
    if labels.one_hot:
        rows = zip(*(table.columns[name] for name in labels.one_hot))
        set_ones = (
            [name for name, cell in zip(labels.one_hot, row) if str(cell) in ONES] for row in rows
        )
        return [names[0] if names else None for names in set_ones], {}
    if labels.column is None:
        return [None] * len(table.places), {}
    return texts(table.columns[labels.column], labels.column), {}


def read_several(table: Table, labels: Labels) -> tuple[list[str | None], dict[int, str]]:
    """Read the several labels of each row: see read_labels."""
    found: list[str | None] = []
    wrong: dict[int, str] = {}
    cells = (
        list(zip(*(table.columns[name] for name in labels.one_hot)))
        if labels.one_hot
        else table.columns[labels.column]
    )
    for row, cell in enumerate(cells):
        try:
            label = (
                read_set_bits(labels.one_hot, cell)
                if labels.one_hot
                else read_cell(cell, labels.separator, labels.classes)
            )
        except BadLabels as e:
            label, wrong[row] = None, str(e)
        found.append(label)
    return found, wrong


def list_samples(path: Path, table: Table, options: ImportOptions) -> Listing:
    """List the samples of the table at `path`."""
    rows = read_rows(path, table, options)
    roles, columns = rows.roles, table.columns
    texts = as_written if rows.exported else as_texts
    groups = texts(columns[roles.group], roles.group) if roles.group else None
    hashes: list[Any] = [None] * len(table.places)
    places = rows.places
    if rows.exported:
        hashes = columns.get("content_hash", hashes)
        if options.images:
            places = list(locate_bytes(places, hashes, str(options.images)))
    content, metas = read_content(table, roles), read_metadata(table, roles, rows.exported)
    samples, left_out = [], list(table.left_out)
    first: dict[str, int] = {}  # key or id -> the row where it came first
    again = 0  # rows that name an image again, where labels do not matter
    for i, (place, meta) in enumerate(zip(places, metas)):
        key, row = rows.key(i) if rows.ids is not None else place.key, table.places
        sample: dict[str, Any] = dict(
            key=key, uri=place.uri, label=rows.labels[i], split=rows.splits[i], meta=meta
        )
        if content:
            sample["text"] = content[i]
        if groups:
            sample["group"] = groups[i]
        names = [key]
        if rows.exported:
            sample |= dict(id=columns["sample_id"][i], content_hash=hashes[i])
            if key in first:  # two sources of one bench may have the same key
                sample["key"] = sample["id"]
            names = [sample["key"], f"id {sample['id']}"]
        twice = [first[name] for name in names if name in first]
        wrong = find_bad_text(sample, MAX_TEXT if roles.labels.several else MAX_NAME)
        if key is None or wrong:
            reason = f"has {wrong}" if wrong else f"has no {roles.id or roles.content}"
            left_out.append((row[i], reason))
        elif rows.exported and not SAMPLE_ID.fullmatch(str(sample["id"])):
            reason = f"has the sample_id {sample['id']}, which is not 32 hex digits ({row[i]})"
            left_out.append((key, reason))
        elif twice and options.pictures_only:
            again += 1
        elif twice:
            reason = f"on {row[i]} has the same id as {row[twice[0]]}"
            if rows.labels[i] != rows.labels[twice[0]]:
                reason += (
                    f", and another label, {rows.labels[i]} instead of {rows.labels[twice[0]]}"
                )
            left_out.append((key, reason))
        elif place.wrong:
            left_out.append((key, f"{place.wrong} ({row[i]})"))
        elif i in rows.wrong_labels:
            left_out.append((key, f"{rows.wrong_labels[i]} ({row[i]})"))
        else:
            samples.append(sample)
            first |= dict.fromkeys(names, i)
    notes = [
        *table.notes,
        *roles.notes,
        *roles.labels.notes,
        *describe_places(places, path, options),
    ]
    if roles.columns:
        notes += note_columns(table, roles.columns)
    notes += (
        [f"{format_count(again, 'row', 'names', 'name')} an image again: it is imported once"]
        if again
        else []
    )
    return Listing(
        "manifest" if rows.exported else "table",
        f"{describe_file(path, table)} {describe_rows(table, roles)}",
        path.name,
        [samples],
        left_out,
        [*notes, *describe_numbers(rows)],
        describe_roles(table, rows),
        classes=[] if rows.exported else roles.labels.classes,
        media=roles.media,
        columns=read_kinds(roles, content),
        task="multilabel" if roles.labels.several else "classification",
    )


def read_content(table: Table, roles: Roles) -> list[Any] | None:
    """Read what rows hold themselves: texts, or the JSON of rows; None where they name images."""
    if roles.columns:
        return list(roles.columns.texts())
    return table.columns[roles.content] if media_type(roles.media).column else None


def read_kinds(roles: Roles, content: list[Any] | None) -> dict[str, str]:
    """Read the kinds of the columns of rows; {} for other media."""
    if content is None or media_type(roles.media).in_cell:
        return {}
    columns = roles.columns or restore_columns(content)
    return {name: found.kind for name, found in columns.kinds.items()}


def is_exported(table: Table) -> bool:
    """Whether Assay exported a table as a manifest."""
    first = next(iter(table.columns), "")
    return first == "sample_id" and any(
        SAMPLE_ID.fullmatch(str(v)) for v in table.columns["sample_id"]
    )


def make_finder(root: Path, images: object) -> Finder:
    """Make what looks where images are in a folder."""
    return lambda texts: list(locate_paths(root, texts, False, images))


def locate_images(
    path: Path, table: Table, column: str, exported: bool, options: ImportOptions
) -> Iterator[Place]:
    """Locate the image of each row."""
    if column not in table.byte_columns:
        texts = as_written if exported else as_names
        root = path if table.shards else path.parent
        images = None if exported else options.images
        return locate_paths(root, texts(table.columns[column], column), exported, images)
    suffix = "" if column == table.image_column else f"::{column}"
    if table.shards:
        return (
            Place(f"{shard.name}::{i}", f"{path}/{shard.name}::{i}{suffix}", "")
            for shard in table.shards
            for i in range(shard.rows)
        )
    return (Place(str(i), f"{path}::{i}{suffix}", "") for i in range(len(table.places)))


def as_names(values: list, column: str) -> list[str | None]:
    """Read names of images as text; of a struct, its path."""
    values = [v.get("path") if isinstance(v, dict) else v for v in values]
    if all(v is None or isinstance(v, str) for v in values):
        return [v if v and v.strip() else None for v in values]
    return as_texts(values, column)


def find_bad_text(sample: dict, longest_label: int = MAX_NAME) -> str | None:
    """Say what keeps a sample's key or label out."""
    for what, most in (("key", MAX_TEXT), ("label", longest_label)):
        if sample[what] and (wrong := find_flaw(sample[what], most)):
            return f"{what} that {wrong}"
    return None


def read_metadata(table: Table, roles: Roles, exported: bool) -> Iterator[dict[str, Any]]:
    """Read the other columns of each row: {column: JSON value}.

    Empty cells are left out.
    """
    other = roles.all_columns() - {roles.group}  # splits may be drawn by it again
    other |= set(filter(INDEX.fullmatch, table.columns))
    if exported:
        other |= {"sample_id", "content_hash"}
    meta = {name: values for name, values in table.columns.items() if name not in other}
    if roles.columns:
        meta |= roles.columns.cells
    names = list(meta)
    columns = [make_json(values) for values in meta.values()]
    if not names:
        return ({} for _ in range(len(table.places)))
    rows = (
        {name: value for name, value in zip(names, row) if value is not None}
        for row in zip(*columns)
    )
    return (unpack_metadata(row) if exported else row for row in rows)


def make_json(values: list) -> list:
    """Make cells into values that JSON knows."""
    if all(v is None or type(v) in (str, int, bool) for v in values):
        return values
    return json.loads(
        json.dumps(values, default=lambda v: None if isinstance(v, bytes) else str(v)),
        parse_constant=lambda _: None,  # NaN
    )


def unpack_metadata(meta: dict[str, Any]) -> dict[str, Any]:
    """Unpack metadata that Assay exported in one cell.

    The export's own columns stay beside them.
    """
    try:
        return json.loads(meta["meta"]) | {name: v for name, v in meta.items() if name != "meta"}
    except (KeyError, ValueError, TypeError, RecursionError):
        return meta

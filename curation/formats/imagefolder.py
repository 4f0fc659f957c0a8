"""Hugging Face's imagefolder: images, with a table metadata.csv beside them or above."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import AmbiguousSource, Reading, UserError
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch, Unread
from assay.curation.formats.hf_columns import refuse_labels
from assay.curation.formats.hf_features import BOXES
from assay.curation.formats.split_words import SPLITS
from assay.curation.formats.table_files import read_table
from assay.curation.formats.table_patches import plan_patch
from assay.curation.formats.table_rows import list_samples
from assay.curation.formats.unreadable import list_unread
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import list_files
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
FILE_NAME = "file_name"
LOOKED_AT = 2_000  # entries of each folder, of which one may be a table


@dataclass(frozen=True)
class MetadataTable:
    """A table of images, and what it lists."""

    file: str  # its path in the source
    listing: Listing
    options: ImportOptions

    @property
    def prefix(self) -> str:
        """What stands before its keys in the source."""
        folder = os.path.dirname(self.file)
        return f"{folder}/" if folder else ""


class ImageFolder:
    """Images with metadata.csv, .jsonl or .parquet (a column file_name), at the top or in splits."""

    name = "imagefolder"
    suffixes = ()

    def matches(self, path: Path) -> Match:
        if path.is_dir():
            for table in find_tables(path):
                if find_name_column(table):
                    where = os.path.relpath(table, path)
                    return Match("sure", f"{where} has a column {FILE_NAME}")
        return Match("no", f"expects a folder with {' or '.join(TABLES)} that has {FILE_NAME}")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        files = list(list_files(str(path)))
        tables = read_tables(path, files, options)
        samples: list[dict] = []
        left_out: list[tuple[str, str]] = []
        notes: dict[str, None] = {}
        seen: set[str] = set()
        for table in tables:
            for sample in iter_samples(table):
                if sample["key"] in seen:
                    left_out.append((sample["key"], f"is named by two rows, one in {table.file}"))
                else:
                    seen.add(sample["key"])
                    samples.append(sample)
            left_out += [(table.prefix + key, why) for key, why in table.listing.left_out]
            notes |= dict.fromkeys(table.listing.notes)
        splits = place_splits(samples, tables, options)
        named = {sample["uri"] for sample in samples}
        lost = {table.prefix + key for table in tables for key, _ in table.listing.left_out}
        unread = list_others(path, files, named, lost)
        roles = describe_roles(tables, samples, splits)
        classes = dict.fromkeys(name for table in tables for name in table.listing.classes)
        kind = f"imagefolder with {tables[0].file}"
        kind += f" and {len(tables) - 1:,} others" if len(tables) > 1 else ""
        return Listing(
            self.name,
            kind,
            path.name,
            [samples],
            left_out,
            list(notes),
            roles,
            unread,
            list(classes),
        )

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        """Change the cells of the tables that name the changed images."""
        files = list(list_files(str(source)))
        rewritten, notes, done = {}, [], set()
        for table in read_tables(source, files, options):
            keys = {sample["key"] for batch in table.listing.batches for sample in batch}
            mine = [
                key.startswith(table.prefix) and key.removeprefix(table.prefix) in keys
                for key in changes.key
            ]
            part = changes[mine]
            if len(part):
                part = part.assign(key=[key.removeprefix(table.prefix) for key in part.key])
                plan = plan_patch(source / table.file, source, part, table.options)
                rewritten |= plan.rewritten
                notes += plan.notes
                done |= set(part.index)
        lost = changes[~changes.index.isin(done) & ~changes.removed]
        if len(lost):
            raise UserError(
                f"expected the tables of {source.name} to name {lost.key.iloc[0]}, found no such row:"
                " they have changed since",
                "import it again first",
            )
        return Patch(rewritten, notes=notes)


FORMAT = ImageFolder()


def find_tables(root: Path, depth: int = 2) -> Iterator[Path]:
    """Find tables in the first folders, without walking through all."""
    try:
        entries = list(islice(os.scandir(root), LOOKED_AT))
    except OSError:
        return
    for entry in sorted(entries, key=lambda e: (e.is_dir(), e.name)):
        if entry.is_dir():
            if depth and not entry.name.startswith("."):
                yield from find_tables(Path(entry.path), depth - 1)
        elif entry.name.lower() in TABLES:
            yield Path(entry.path)


def find_name_column(path: Path) -> str | None:
    """Find the column of file names: file_name, or what ends so."""
    try:
        names = read_columns_of(path)
    except (OSError, ValueError, UserError):
        return None
    if FILE_NAME in names:
        return FILE_NAME
    return next((name for name in names if name.endswith(f"_{FILE_NAME}")), None)


def read_columns_of(path: Path) -> list[str]:
    """Read the names of a table's columns from its beginning."""
    import json

    from assay.curation.csv_files import read_rows
    from assay.curation.formats.column_files import read_schema
    from assay.curation.formats.table_files import read_header

    if path.suffix.lower() == ".parquet":
        return list(read_schema(path).names)
    text = read_header(path)
    if path.suffix.lower() == ".jsonl":
        first = next((line for line in text.splitlines() if line.strip()), "{}")
        found = json.loads(first)
        return list(found) if isinstance(found, dict) else []
    return [name.strip() for name in next(read_rows(text), (1, [""]))[1]]


def read_tables(root: Path, files: list[str], options: ImportOptions) -> list[MetadataTable]:
    """Read every table of images; two in one folder are asked about."""
    found = [file for file in files if os.path.basename(file).lower() in TABLES]
    found = [file for file in found if find_name_column(root / file)]
    if not found:
        raise UserError(
            f"expected {' or '.join(TABLES)} with a column {FILE_NAME} in {root.name}, found none",
            "leave --format out, and Assay looks which it is",
        )
    folders = Counter(os.path.dirname(file) for file in found)
    if twice := [folder for folder, n in folders.items() if n > 1]:
        both = [file for file in found if os.path.dirname(file) == twice[0]]
        raise AmbiguousSource(
            f"expected one table in {twice[0] or root.name}, found {len(both)}",
            [Reading(f"the rows of {file}", f"assay import {root / file}") for file in both],
        )
    return [read_one(root, file, files, options) for file in found]


def read_one(root: Path, file: str, files: list[str], options: ImportOptions) -> MetadataTable:
    """Read one table; UserError says also how its folders could be classes."""
    path = root / file
    columns = dict(options.columns)
    columns["image"] = columns.get("image") or find_name_column(path)
    mine = replace(options, columns=columns)
    table = read_table(path)
    rest = set(table.columns) - {columns["image"], columns.get("split"), "split"}
    below = os.path.dirname(file)
    names = [name for name in table.columns[columns["image"]] if isinstance(name, str)]
    tops = {name.split("/")[0] for name in names if "/" in name}
    nested = len(tops) > 1 and not tops <= set(SPLITS)
    if not rest and not options.pictures_only and not columns.get("label"):
        if nested:
            raise AmbiguousSource(
                f"expected a column of labels in {file}, found none",
                [
                    Reading(
                        f"the folders are classes: {', '.join(sorted(tops)[:5])}",
                        "--format folders",
                    ),
                    Reading("the images have no labels", "--label-column none"),
                ],
            )
        mine = replace(mine, columns=columns | {"label": "none"})
    if not options.pictures_only and not columns.get("label"):
        for column, values in table.columns.items():
            if any(isinstance(value, dict) and set(value) & set(BOXES) for value in values):
                raise refuse_labels(file, column, "boxes")
    try:
        listing = list_samples(path, table, mine)
    except UserError as e:
        if nested and not isinstance(e, AmbiguousSource):
            raise type(e)(
                e.problem, f"{e.hint}; --format folders takes the folders as classes"
            ) from e
        raise
    name = f"{below}/{os.path.basename(file)}" if below else os.path.basename(file)
    return MetadataTable(name, listing, mine)


def iter_samples(table: MetadataTable) -> Iterator[dict]:
    """List a table's samples, with keys from the source's top."""
    keyed = bool(table.options.columns.get("id"))
    for batch in table.listing.batches:
        for sample in batch:
            yield sample if keyed else sample | {"key": table.prefix + sample["key"]}


def place_splits(
    samples: list[dict], tables: list[MetadataTable], options: ImportOptions
) -> str | None:
    """Give samples the split of their folder, where all have one."""
    if options.columns.get("split") or any(sample["split"] for sample in samples):
        return None
    tops = Counter(sample["key"].split("/")[0] for sample in samples if "/" in sample["key"])
    known = {top for top in tops if top.lower() in SPLITS or top in options.split_map}
    if not known or set(tops) != known or sum(tops.values()) != len(samples):
        return None
    for sample in samples:
        sample["split"] = sample["key"].split("/")[0]
    return f"the top folder ({', '.join(f'{top} {n:,}' for top, n in tops.items())})"


def list_others(root: Path, files: list[str], named: set[str], lost: set[str]) -> list[Unread]:
    """Count what no table names, and what is no image."""
    others = [f for f in files if f"{root}/{f}" not in named and f not in lost]
    images = [f for f in others if f.lower().endswith(SUFFIXES)]
    rest = [f for f in others if f not in set(images) and os.path.basename(f).lower() not in TABLES]
    unnamed = [replace(u, why="no row of a table names it") for u in list_unread(images)]
    return [*unnamed, *list_unread(rest)]


def describe_roles(
    tables: list[MetadataTable], samples: list[dict], splits: str | None
) -> dict[str, str]:
    """Say what became what: as the first table has it."""
    roles = dict(tables[0].listing.roles)
    if len(tables) > 1:
        classes = len({sample["label"] for sample in samples} - {None})
        column = roles.get("label", "none").split(" (")[0]
        roles["label"] = f"{column} ({format_count(classes, 'class')})" if classes else "none"
    if splits:
        roles["split"] = splits
    return roles

"""Put new labels into the shards of Hugging Face."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats.base import Patch
from assay.curation.formats.column_patches import patch_columns_file
from assay.curation.formats.hf_rows import NO_LABEL, RowPlace, Shard, ShardRows
from assay.curation.formats.text_patches import Cells
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd


def plan_shard_patch(rows: ShardRows, changes: pd.DataFrame, source: Path) -> Patch:
    """Plan the new files of the shards that hold changed labels."""
    names = rows.classes if rows.columns.label in rows.features.classes else None
    label = rows.columns.label
    given = {sample["key"]: sample["label"] for sample in rows.samples}
    cells: dict[Shard, Cells] = {}
    for change in changes.itertuples():
        if change.removed or change.label == change.given_label:
            continue
        place = find_place(rows, given, change, source)
        if label is None:
            raise UserError(
                f"expected a column of labels in {source.name}, found none to write {change.label} to",
                "use --format huggingface: it writes the labels beside the images",
            )
        cell = encode_label(change.label, names, source)
        cells.setdefault(place.shard, {})[place.row] = {label: cell}
    rewritten: dict[str, Callable[[Path], None]] = {
        relative_to(shard.path, source): partial(write_cells, shard.path, found)
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
    """Encode a label as its column has it."""
    if names is None:
        return label
    if label is None:
        return NO_LABEL
    if label not in names:
        raise UserError(
            f"expected one of the {format_count(len(names), 'class')} that {source.name} declares, found {label}:"
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
            f"{format_count(removed, 'removed sample', 'stays', 'stay')} in the source: --format "
            f"huggingface writes it without them"
        )
    if moved:
        notes.append(
            f"{format_count(moved, 'sample', 'stays', 'stay')} in the split that they had: --format "
            f"huggingface writes them to the new one"
        )
    return notes


def write_cells(source: Path, cells: Cells, target: Path) -> None:
    """Write a shard again with new cells."""
    patch_columns_file(source, target, cells, set())


def relative_to(path: Path, source: Path) -> str:
    """A file's path in its source; "" where it is that."""
    return "" if path == source else os.path.relpath(path, source)

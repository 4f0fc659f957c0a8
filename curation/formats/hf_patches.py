"""Bring changes into the shards of Hugging Face."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.formats.column_patches import RowsOf, patch_columns_file
from assay.curation.formats.hf_names import declare_in_schema
from assay.curation.formats.hf_rows import NO_LABEL, RowPlace, Shard, ShardRows
from assay.curation.formats.moves import iter_changes
from assay.curation.formats.split_words import read_split_word
from assay.curation.formats.text_patches import Cells
from assay.curation.tasks.multilabel import read_set
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class ShardChanges:
    """What becomes of the rows of a shard."""

    cells: Cells = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    added: dict[Shard, list[int]] = field(default_factory=dict)  # rows that come from others


@dataclass
class ShardPatch:
    """What becomes of a data set."""

    column: str | None  # of the classes, where their names are declared
    names: list[str]  # those of now
    fresh: list[str]  # what comes behind them
    plans: dict[Shard, ShardChanges]
    notes: list[str]

    def list_files(self, source: Path) -> dict[str, Callable[[Path], None]]:
        """List the shards that are written again.

        All of them, where there are new names: each declares them.
        """
        names = [*self.names, *self.fresh] if self.fresh else []
        return {
            relative_to(shard.path, source): partial(
                write_changes, shard.path, plan, self.plans, self.column or "", names
            )
            for shard, plan in self.plans.items()
            if plan.cells or plan.removed or plan.added or names
        }

    def count_changed(self) -> Counter[str]:
        """Count how many rows each split gains.

        By the data set's word for the split; less than 0 where it loses rows.
        """
        more: Counter[str] = Counter()
        for shard, plan in self.plans.items():
            if shard.split and (plan.removed or plan.added):
                more[shard.split] += sum(map(len, plan.added.values())) - len(plan.removed)
        return more


def plan_shards(
    rows: ShardRows, changes: pd.DataFrame, source: Path, split_map: dict[str, str]
) -> ShardPatch:
    """Plan what becomes of the shards whose rows change, go or come."""
    label = rows.columns.label
    names = rows.classes if label in rows.features.classes else None
    fresh: list[str] = []
    given = {sample["key"]: sample["label"] for sample in rows.samples}
    plans = {place.shard: ShardChanges() for place in rows.places.values()}
    last = {}  # of each split, ours
    for place in rows.places.values():
        if place.shard.split and not rows.columns.split:
            last[read_split_word(place.shard.split, split_map)] = place.shard
    unmoved: dict[str, int] = {}
    for change in iter_changes(changes):
        place = find_place(rows, given, change, source)
        plan = plans[place.shard]
        if change.removed:
            plan.removed.add(place.row)
            continue
        if change.label != change.given_label:
            if label is None:
                raise UserError(
                    f"expected a column of labels in {source.name}, found none to write {change.label} to",
                    "use --format huggingface: it writes the labels beside the images",
                )
            if rows.columns.several:
                cell = encode_set(change.label, rows.classes, source)
            else:
                cell = encode_label(change.label, names, fresh)
            plan.cells[place.row] = {label: cell}
        if change.split is None or rows.split_of(change.key, split_map) == change.split:
            continue
        if change.split not in last:
            unmoved[change.split] = unmoved.get(change.split, 0) + 1
            continue
        plan.removed.add(place.row)
        plans[last[change.split]].added.setdefault(place.shard, []).append(place.row)
    notes = describe_unmoved(unmoved)
    if fresh:
        notes.append(
            f"{', '.join(fresh)} {'was' if len(fresh) == 1 else 'were'} added at the end of the"
            f" declared classes, from number {len(names or [])} on; the others keep their numbers"
        )
    return ShardPatch(label if names is not None else None, names or [], fresh, plans, notes)


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


def encode_set(label: str | None, names: list[str], source: Path) -> list | None:
    """Write a set of classes as their numbers, where they are declared, or names."""
    if label is None:
        return None
    found = list(read_set(label))
    if names and (unknown := set(found) - set(names)):
        raise UserError(
            f"expected classes that {source.name} declares, found {min(unknown)}",
            "add it to the data set's features first, or use --format manifest",
        )
    return [names.index(name) for name in found] if names else found


def encode_label(label: str | None, names: list[str] | None, fresh: list[str]) -> Any:
    """Encode a label as its column has it.

    A name that is not declared is added to `fresh`.
    """
    if names is None:
        return label
    if label is None:
        return NO_LABEL
    if label not in names and label not in fresh:
        fresh.append(label)
    return [*names, *fresh].index(label)


def describe_unmoved(unmoved: dict[str, int]) -> list[str]:
    """Say which samples stay in the split that they had."""
    return [
        f"{format_count(n, 'sample', 'stays', 'stay')} in the split that they had: no file is of {split};"
        " --format huggingface writes one"
        for split, n in unmoved.items()
    ]


def write_changes(
    source: Path,
    plan: ShardChanges,
    plans: dict[Shard, ShardChanges],
    column: str,
    names: list[str],
    target: Path,
) -> None:
    """Write a shard again, changed."""
    added = [
        RowsOf(shard.path, tuple(rows), plans[shard].cells) for shard, rows in plan.added.items()
    ]
    declare = partial(declare_in_schema, column=column, names=names)
    patch_columns_file(source, target, plan.cells, plan.removed, added, declare)


def relative_to(path: Path, source: Path) -> str:
    """Find a file's path in its source; "" for the source itself."""
    return "" if path == source else os.path.relpath(path, source)

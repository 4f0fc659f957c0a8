"""Take rows out of arrays, or move them to another split's arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.formats.array_names import LABELS, SHORT, ArrayInfo, split_of
from assay.curation.formats.array_sets import Pair
from assay.curation.formats.base import ImportOptions
from assay.curation.formats.split_words import SPLITS, read_split_word
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 4 << 30  # of an array whose rows change: it is loaded whole


@dataclass
class RowGroup:
    """The arrays of a split that have a row for each image."""

    split: str | None  # ours
    arrays: dict[str, ArrayInfo]  # by what they hold: images, labels, ids, ...
    gone: set[int] = field(default_factory=set)
    added: list[tuple[RowGroup, int]] = field(default_factory=list)

    def refusal(self) -> str | None:
        """Why its rows cannot be written anew; None where they can."""
        for array in self.arrays.values():
            if array.dtype.hasobject:
                return f"{array.name} holds Python objects, which are never loaded"
            if int(np.prod(array.shape)) * array.dtype.itemsize > MOST_BYTES:
                return f"{array.name} is larger than {MOST_BYTES >> 30} GB"
        return None

    def takes(self, other: RowGroup) -> bool:
        """Whether rows of another group fit into its arrays."""
        return self.arrays.keys() == other.arrays.keys() and all(
            array.shape[1:] == other.arrays[what].shape[1:]
            and array.dtype.kind == other.arrays[what].dtype.kind
            for what, array in self.arrays.items()
        )


def change_rows(
    pairs: list[Pair],
    others: list[ArrayInfo],
    changes: pd.DataFrame,
    options: ImportOptions,
    changed: dict[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Take removed rows out, and move those whose split changed.

    changed: arrays with new labels. Returns all arrays that differ, by name, and what there is to say.
    """
    groups = {pair.images.name: group_arrays(pair, others, options) for pair in pairs}
    by_split = {group.split: group for group in groups.values() if group.split}
    stay: dict[str, int] = {}
    for row in changes.itertuples():
        name, _, at = row.key.rpartition("/")
        group = groups.get(name)
        target = by_split.get(row.split) if isinstance(row.split, str) else None
        if group is None or not (row.removed or isinstance(row.split, str)):
            continue
        if not row.removed and group.split == row.split:
            continue  # it lies there already
        why = group.refusal()
        if not row.removed and target is None:
            why = f"there are no arrays of {row.split}"
        elif not row.removed:
            why = why or target.refusal()
            why = why or (None if target.takes(group) else f"those of {row.split} are of others")
        if why:
            what = "removed" if row.removed else "with another split"
            stay[f"{what}: {why}"] = stay.get(f"{what}: {why}", 0) + 1
            continue
        group.gone.add(int(at))
        if not row.removed:
            target.added.append((group, int(at)))
    notes = [f"{format_count(n, 'sample', 'stays', 'stay')} {what}" for what, n in stay.items()]
    beside = [
        array.name
        for group in groups.values()
        if group.gone or group.added
        for what, array in group.arrays.items()
        if what not in ("images", "labels")
    ]
    if beside:
        notes.append(f"rows went and moved in {', '.join(beside)} too, which have as many")
    return write_rows(groups, changed), notes


def group_arrays(pair: Pair, others: list[ArrayInfo], options: ImportOptions) -> RowGroup:
    """Group the arrays with a row for each image of a pair.

    The names of classes have none, although there may be as many.
    """
    word = split_of(pair.images, options.split_map)
    arrays = {"images": pair.images} | ({"labels": pair.labels} if pair.labels else {})
    for array in others:
        same = array.shape[:1] == pair.images.shape[:1]
        if same and split_of(array, options.split_map) == word:
            arrays[plain_name(array, options)] = array
    return RowGroup(read_split_word(word, options.split_map) if word else None, arrays)


def plain_name(array: ArrayInfo, options: ImportOptions) -> str:
    """Name an array without the word of its split: train_ids is ids."""
    words = re.split(r"[^A-Za-z0-9]+", array.name)
    known = {*SPLITS, *SHORT, *options.split_map, (array.split or "").lower()}
    left = [w for w in words if w.lower() not in known and w[1:].lower() not in SHORT]
    name = "_".join(left).lower()
    return f"other {name}" if name in ("images", "labels") or name in LABELS else name


def write_rows(
    groups: dict[str, RowGroup], changed: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Make the arrays of all groups whose rows change."""

    def load(array: ArrayInfo) -> np.ndarray:
        return changed[array.name] if array.name in changed else array.load()

    out = dict(changed)
    for group in groups.values():
        if not (group.gone or group.added):
            continue
        for what, array in group.arrays.items():
            rows = np.delete(load(array), sorted(group.gone), axis=0)
            more = [load(source.arrays[what])[i : i + 1] for source, i in group.added]
            whole = np.concatenate([rows, *more]) if more else rows
            # texts may need more room; numbers keep their type
            out[array.name] = whole if array.dtype.kind in "SU" else whole.astype(rows.dtype)
    return out

"""Bring changes into arrays of images and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.formats.array_names import ArrayInfo
from assay.curation.formats.array_rows import change_rows
from assay.curation.formats.array_sets import load_pairs, pair_arrays, read_values
from assay.curation.formats.base import ImportOptions

if TYPE_CHECKING:
    import pandas as pd


def change_arrays(
    arrays: list[ArrayInfo], changes: pd.DataFrame, options: ImportOptions, file: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Change labels in arrays, drop removed rows, and move others between splits.

    Returns the arrays that differ, by name, and what there is to say.
    """
    pairs, others = pair_arrays(arrays, options, file)
    names, named_by = load_pairs(pairs, others)
    by_images = {pair.images.name: pair for pair in pairs}
    names = list(names)
    labels = {pair.images.name: read_values(pair.values, names) for pair in pairs if pair.labels}
    changed: dict[str, np.ndarray] = {}
    fresh: list[str] = []
    for row in changes[~changes.removed].itertuples():
        if row.label == row.given_label:
            continue
        name, _, at = row.key.rpartition("/")
        pair, i = by_images.get(name), int(at)
        if pair is None or pair.labels is None or i >= len(pair.values):
            raise UserError(
                f"expected a label for {row.key} in {file}, found no array for it",
                "export another format: --format manifest",
            )
        if labels[name][i] != row.given_label:
            raise UserError(
                f"expected {row.key} to be labelled {row.given_label}, found {labels[name][i]}",
                "the source has changed since: import it again",
            )
        if named_by and row.label is not None and row.label not in names:
            names.append(row.label)
            fresh.append(row.label)
        values = changed.setdefault(pair.labels.name, pair.values.copy())
        changed[pair.labels.name] = set_label(values, i, row.label, names)
    beside = [array for array in others if array is not named_by]
    if named_by and fresh:
        changed[named_by.name] = add_names(named_by.load(), fresh)
    out, notes = change_rows(pairs, beside, changes, options, changed)
    if fresh:
        notes.append(
            f"{', '.join(fresh)} {'was' if len(fresh) == 1 else 'were'} added at the end of {named_by.name};"
            " the others keep their numbers"
        )
    return out, notes


def add_names(values: np.ndarray, fresh: list[str]) -> np.ndarray:
    """Add names at the end of an array of texts.

    It gets as wide as they need.
    """
    more = np.array([name.encode() if values.dtype.kind == "S" else name for name in fresh])
    return np.concatenate([values, more])


def set_label(values: np.ndarray, i: int, label: str | None, names: list[str]) -> np.ndarray:
    """Set one label; text that does not fit makes the array wider."""
    kind = values.dtype.kind
    if kind in "SU":
        text = np.array((label or "").encode() if kind == "S" else label or "")
        if text.dtype.itemsize > values.dtype.itemsize:
            values = values.astype(text.dtype)
        values.reshape(-1)[i] = text
        return values
    if label is None and kind in "if":
        number = -1
    elif label in names:
        number = names.index(label)
    elif label is not None and label.isdigit() and not names:
        number = int(label)
    else:
        raise UserError(
            f"expected one of {'the ' + str(len(names)) + ' named classes' if names else 'the numbers'}"
            f" that the labels hold, found {label or 'no label'}",
            "arrays of numbers have no place for another name: --format manifest",
        )
    if values.ndim == 2 and values.shape[1] > 1:
        if not 0 <= number < values.shape[1]:
            raise UserError(
                f"expected a class below {values.shape[1]:,}, found {label or 'no label'}",
                "use --format manifest",
            )
        values[i] = 0
        values[i, number] = 1
        return values
    before = values.reshape(-1)[i]
    with np.errstate(all="ignore"):
        fits = kind in "fb" or np.iinfo(values.dtype).min <= number <= np.iinfo(values.dtype).max
    if not fits:
        raise UserError(
            f"expected labels of {values.dtype}, found {label} (in the place of {before})",
            "use --format manifest",
        )
    values.reshape(-1)[i] = number
    return values

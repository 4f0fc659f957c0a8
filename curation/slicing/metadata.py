"""Cut samples into slices by their metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# different values up to which each one is a slice; more numbers than that make quartiles, more
# words make none
VALUES = 20
# share of the errors in guessing a label that a key takes away, from which on it only repeats it
REPEATS = 0.5
SIZE = dict(image="image's longer side", text="text's length")


def slice_by_metadata(frame: pd.DataFrame, media: str = "image") -> dict[str, dict[str, list]]:
    """Slice samples by their metadata and their size.

    Returns {key: {slice name: sample ids}}: one slice for each value where there are at most 20,
    quartiles where there are more and all are numbers. A key that says the same of all, or
    lists, makes none.
    """
    return dict(iter_slices(frame, media))


def iter_slices(frame: pd.DataFrame, media: str) -> Iterator[tuple[str, dict[str, list]]]:
    """Slice by one key after the other: a table may have thousands, of which few are wanted."""
    import pandas as pd

    code, texts = pd.factorize(frame.meta.to_numpy(object))  # many samples say the same
    rows = pd.DataFrame([{}, *(json.loads(meta or "{}") for meta in texts)])
    table = rows.take(code + 1).set_axis(frame.index)
    if media in SIZE:  # a row has none but the length of its words
        table[SIZE[media]] = frame[["width", "height"]].max(axis=1)
    for key in sorted(table.columns, key=str):
        if values := slice_by_value(key, table[key].dropna()):
            yield key, values


def slice_by_informative_metadata(
    frame: pd.DataFrame, media: str = "image"
) -> Iterator[tuple[str, dict[str, list]]]:
    """Slice by one key after the other, but for those that only repeat the label.

    To know their value takes away half of the errors in guessing the labels of train.
    (Goodman and Kruskal's lambda, 1954)
    """
    import pandas as pd

    label, classes = pd.factorize(frame.label.where(frame.split == "train"))  # -1: none
    for key, values in iter_slices(frame, media):
        at = [label[frame.index.get_indexer(ids)] + 1 for ids in values.values()]
        known = np.stack([np.bincount(codes, minlength=len(classes) + 1)[1:] for codes in at])
        n, most = known.sum(), known.sum(axis=0).max(initial=0)
        within = known.max(axis=1, initial=0).sum()
        if n == most or (within - most) / (n - most) <= REPEATS:
            yield key, values


def slice_by_value(key: str, column: pd.Series) -> dict[str, list]:
    """Slice the samples by one key: {slice name: sample ids}.

    column: its values by sample id, without gaps.
    """
    import pandas as pd

    if column.map(lambda v: isinstance(v, list | dict)).any():
        return {}
    texts = column.map(format_value)
    if texts.nunique() > VALUES:
        numbers = pd.to_numeric(column, errors="coerce")  # a CSV's numbers are text
        if numbers.isna().any() or column.map(lambda v: isinstance(v, bool)).any():
            return {}
        ends = np.unique(np.quantile(numbers, (0.25, 0.5, 0.75)))
        bounds = [format_value(e) for e in ends]
        between = zip(bounds, bounds[1:])
        names = [f"{key} ≤ {bounds[0]}", *(f"{a} < {key} ≤ {b}" for a, b in between)]
        names.append(f"{key} > {bounds[-1]}")
        texts = pd.Series(np.array(names, object)[np.searchsorted(ends, numbers)], column.index)
    else:
        names = [f"{key} = {text}" for text in sorted(set(texts))]
        texts = f"{key} = " + texts
    groups = texts.groupby(texts).groups
    return {name: list(groups[name]) for name in names if name in groups} if len(groups) > 1 else {}


def format_value(value: str | bool | float) -> str:
    """Write a value of a column as a slice's name shows it."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool) else f"{value:.12g}"

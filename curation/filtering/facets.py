"""Count what the values of columns are among some samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.filtering.columns import Column
from assay.curation.tasks.multilabel import read_set

if TYPE_CHECKING:
    import pyarrow as pa

MOST = 100  # values of a facet
BARS = 20
FEW = 12  # different numbers up to which each is a value
TOO_MANY = 1000  # different texts from which on a column is no facet unless it is asked for


@dataclass(frozen=True)
class Facet:
    """How often each value is, or a histogram."""

    name: str
    values: list[tuple[str | float | bool, int]] = field(
        default_factory=list
    )  # most frequent first
    more: int = 0  # values that have no room
    edges: list[float] = field(default_factory=list)  # of a histogram: one more than counts
    counts: list[int] = field(default_factory=list)
    missing: int = 0  # samples without a value
    locked: int = 0  # samples of test and guard, of which nothing is counted


def count_facet(column: Column, array: pa.Array, rows: np.ndarray, locked: np.ndarray) -> Facet:
    """Count a column over some samples.

    rows (m,): which. locked (n,) bool: of test and guard, left out of what is hidden for them. The edges of a histogram
    are those of all samples, so that they stay while a filter changes.
    """
    hidden = 0
    if column.hidden_for_test:
        here = locked[rows]
        hidden, rows = int(here.sum()), rows[~here]
    if column.kind == "number":
        return _count_numbers(column, array, rows, hidden)
    if column.kind == "list":
        return _count_lists(column, array, rows, hidden)
    if column.kind == "bool":
        codes = array.cast("int8").fill_null(-1).to_numpy()
        names: list = [False, True]
    else:
        encoded = encode(array)
        codes = encoded.indices.fill_null(-1).to_numpy()
        names = encoded.dictionary
        if column.sets:
            return _count_members(column, names.to_pylist(), codes[rows], hidden)
    count = np.bincount(codes[rows] + 1, minlength=len(names) + 1)
    return _rank(column.name, names, count[1:], int(count[0]), hidden)


def encode(array: pa.Array) -> pa.DictionaryArray:
    """Encode texts, where they are not yet."""
    return array if hasattr(array, "dictionary") else array.dictionary_encode()


def present_values(array: pa.Array, sets: bool = False) -> list[str]:
    """List the different texts of a column, or of its lists, or the members of its sets."""
    if sets:
        texts = present_values(array)
        return list(dict.fromkeys([*texts, *(name for text in texts for name in read_set(text))]))
    values = array.flatten() if hasattr(array, "offsets") else array
    encoded = encode(values)
    codes = np.unique(encoded.indices.drop_null().to_numpy())
    return [encoded.dictionary[int(code)].as_py() for code in codes]


def _rank(name: str, names, count: np.ndarray, missing: int, locked: int) -> Facet:
    """Put the most frequent values first; equal ones by name."""
    there = np.flatnonzero(count)
    if len(there) > MOST:
        least = np.partition(count[there], -MOST)[-MOST]
        there = there[count[there] >= least]
    of = {int(i): names[int(i)] for i in there}
    of = {i: v.as_py() if hasattr(v, "as_py") else v for i, v in of.items()}
    order = sorted(of, key=lambda i: (-count[i], str(of[i])))[:MOST]
    values = [(of[i], int(count[i])) for i in order]
    return Facet(
        name, values, int(np.count_nonzero(count)) - len(values), missing=missing, locked=locked
    )


def _count_members(column: Column, sets: list[str], codes: np.ndarray, locked: int) -> Facet:
    """Count the samples whose set has each class; of no class, the empty set.

    codes (m,): numbers into `sets`, -1 for none.
    """
    count: Counter[str] = Counter()
    for text, n in zip(sets, np.bincount(codes + 1, minlength=len(sets) + 1)[1:].tolist()):
        for name in read_set(text) or ("[]",):
            count[name] += n
    names = list(count)
    numbers = np.array([count[name] for name in names], int)
    return _rank(column.name, names, numbers, int((codes < 0).sum()), locked)


def _count_lists(column: Column, array: pa.Array, rows: np.ndarray, locked: int) -> Facet:
    """Count the samples whose list has each value."""
    offsets, inside = array.offsets.to_numpy(), encode(array.values)
    codes = inside.indices.fill_null(-1).to_numpy()
    wanted = np.zeros(len(array), bool)
    wanted[rows] = True
    size = np.diff(offsets)
    chosen = codes[offsets[0] : offsets[-1]][np.repeat(wanted, size)]
    count = np.bincount(chosen[chosen >= 0], minlength=len(inside.dictionary))
    missing = int((size[rows] == 0).sum())
    return _rank(column.name, inside.dictionary, count, missing, locked)


def _count_numbers(column: Column, array: pa.Array, rows: np.ndarray, locked: int) -> Facet:
    """Count numbers by value where there are few, else in bars."""
    every = array.to_numpy(zero_copy_only=False)
    values = every[rows]
    known = np.isfinite(values)
    missing, values = int((~known).sum()), values[known]
    different = few_numbers(every)
    if different is not None or not column.bars:
        numbers, count = count_numbers(values)
        return _rank(column.name, [tidy(v) for v in numbers], count, missing, locked)
    finite = every[np.isfinite(every)]
    low, high = float(finite.min()), float(finite.max())
    bar = ((values - low) * (BARS / (high - low))).astype(int).clip(max=BARS - 1)
    edges = [low + (high - low) * i / BARS for i in range(BARS)] + [high]
    count = np.bincount(bar, minlength=BARS).tolist()
    return Facet(column.name, edges=edges, counts=count, missing=missing, locked=locked)


def count_numbers(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count different numbers: (numbers, counts).

    Whole ones of a short range, such as the numbers of groups, are not sorted for it.
    """
    whole = values.astype("i8")
    if (
        len(values)
        and (whole == values).all()
        and 0 <= whole.min() <= whole.max() < 4 * len(values)
    ):
        count = np.bincount(whole)
        numbers = np.flatnonzero(count)
        return numbers.astype("f8"), count[numbers]
    return np.unique(values, return_counts=True)


def few_numbers(values: np.ndarray) -> np.ndarray | None:
    """Find the different numbers, or None where there are many."""
    head = np.unique(values[:1000][np.isfinite(values[:1000])])
    if len(head) > FEW:
        return None
    found = np.unique(values[np.isfinite(values)])
    return found if len(found) <= FEW else None


def tidy(value: float) -> float | int:
    """Write a whole number as one."""
    return int(value) if float(value).is_integer() else float(value)

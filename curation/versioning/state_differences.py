"""The samples that differ between two versions of a large bench."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.storage.interface import Bench
from assay.curation.versioning.partitioned_states import PartitionedState
from assay.curation.versioning.state_building import open_state
from assay.curation.versioning.state_rows import read_fixed

if TYPE_CHECKING:
    import pandas as pd

COMPARED = ("label", "split", "tags", "keep")
NOTHING = dict(label=None, split=None, tags=(), keep=False)  # of a sample that came later


def read_changed(bench: Bench, a: str | int, b: str | int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read label, split, tags, keep and key of the samples that differ between two versions.

    Two frames of the same samples, in the log's order. Of a part that both versions have nothing
    is read.
    """
    import pandas as pd

    states = open_state(bench, a), open_state(bench, b)
    rows = find_changed(*states)
    with bench.connect() as con:
        found = read_fixed(con, rows, 0, ["key"])
    keys = found.to_pandas(ignore_metadata=True).set_index("sample")["key"]
    frames = []
    for state in states:
        there = rows < state.total
        columns = {}
        for name, values in state.take(rows[there], COMPARED).items():
            column = np.empty(len(rows), values.dtype)
            column[there] = values
            for row in np.flatnonzero(~there):
                column[row] = NOTHING[name]
            columns[name] = pd.Series(column, keys.index, values.dtype)
        frames.append(pd.DataFrame(columns).assign(key=keys))
    return frames[0], frames[1]


def find_changed(one: PartitionedState, two: PartitionedState) -> np.ndarray:
    """Find the rows (m,) of the samples of which two states say different things."""
    assert one.each == two.each, "the parts of a bench are of one size"
    changed = [np.empty(0, "i8")]
    for number in range(max(len(one.names), len(two.names))):
        if not share_part(one, two, number):
            changed.append(number * one.each + compare_parts(one, two, number))
    return np.concatenate(changed)


def share_part(one: PartitionedState, two: PartitionedState, number: int) -> bool:
    """Whether two states have the same part there, and nothing laid over it."""
    names = (state.names[number : number + 1] for state in (one, two))
    span = (number * one.each, (number + 1) * one.each)
    laid = (np.diff(np.searchsorted(state.rows, span)).any() for state in (one, two))
    return len(set(names)) == 1 and not any(laid)


def compare_parts(one: PartitionedState, two: PartitionedState, number: int) -> np.ndarray:
    """Find the places (m,) in a part where two states differ.

    Where one of them has more samples, all those that the log speaks of by then.
    """
    parts = [
        state.load(number, (*COMPARED, "known"))
        for state in (one, two)
        if number < len(state.names)
    ]
    both = min(map(len, parts)) if len(parts) == 2 else 0
    longer = max(parts, key=len)
    differ = longer.flags["known"].copy()
    if both:
        some = np.arange(both)
        first, second = (part.select(some) for part in parts)
        differ[:both] = np.any([first.differs(second, name) for name in COMPARED], axis=0)
    return np.flatnonzero(differ)

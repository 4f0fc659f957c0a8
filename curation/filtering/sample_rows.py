"""The samples of a large bench, of which rows and columns are read when they are asked for.

It answers what a frame of the state is asked for here; positions are rows of the log.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.storage.interface import Bench
from assay.curation.versioning.partitioned_states import PartitionedState
from assay.curation.versioning.state_building import is_large, open_state
from assay.curation.versioning.state_parts import CODED, FLAGS, list_values
from assay.curation.versioning.state_rows import FIXED, read_fixed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TEXTS = dict(key="key", path="uri", source="source")  # columns of the table: of samples


def open_rows(bench: Bench) -> SampleRows | None:
    """Open the newest state of a large bench; None of another, which is a frame.

    None also where the log says nothing of some samples: an import goes on, or was broken off.
    """
    if not is_large(bench):
        return None
    state = open_state(bench)
    return SampleRows(state) if len(state) == state.total else None


class SampleRows:
    """Every sample at a position of the log."""

    def __init__(self, state: PartitionedState) -> None:
        self.parts, self.bench = state, state.bench
        self.index, self.iloc = RowIds(state), RowSlices(state)

    def __len__(self) -> int:
        return self.parts.total

    def __getitem__(self, name: str) -> pd.Series:
        """Read a column of all samples: numbers, flags, or texts as objects."""
        import pandas as pd

        if name in FLAGS or name in CODED:
            parts = [part.take(name) for _, part in self.parts.scan((name,))]
            return pd.Series(np.concatenate(parts))
        return pd.Series(self.read_fixed(name).to_numpy(zero_copy_only=False))

    def __getattr__(self, name: str) -> pd.Series:
        if name in (*FIXED, *CODED, *FLAGS):
            return self[name]
        raise AttributeError(name)

    def read_fixed(self, name: str, rows: np.ndarray | None = None) -> pa.Array:
        """Read a column of the table of samples: of all, or of some rows."""
        with self.bench.connect() as con:
            if rows is None:  # without the ids, which are long
                asked = f"select {name} from samples where rowid < {len(self)} order by rowid"
                found = con.sql(asked).to_arrow_table()[name].combine_chunks()
            else:
                names = [] if name == "id" else [name]
                found = read_fixed(con, rows, 0, names)["sample" if name == "id" else name]
                found = found.combine_chunks()
        return found.combine_chunks() if hasattr(found, "chunks") else found

    def read_codes(self, name: str) -> tuple[np.ndarray, list]:
        """Read a coded column: numbers (n,), and what they mean; 0 is none."""
        names: dict[Any, int] = {}
        codes = []
        for _, part in self.parts.scan((name,)):
            meaning = list_values(name, part.values[name])
            numbers = [0, *(names.setdefault(v, len(names) + 1) for v in meaning[1:])]
            codes.append(np.array(numbers, "i4")[part.codes[name]])
        return np.concatenate(codes), [None, *names]

    def digest(self) -> str:
        """Digest which samples there are: what positions mean."""
        ends = self.read_fixed("id", np.array([0, len(self) - 1])).to_pylist()
        return blake2b(f"{len(self)} {ends}".encode(), digest_size=8).hexdigest()

    def largest_side(self) -> int:
        """Find the pixels of the longest side of any image."""
        asked = "select greatest(max(width), max(height)) from samples"
        return int(self.bench.rows(asked)[0][0] or 0)


class RowIds:
    """The ids of the samples, by their rows."""

    def __init__(self, state: PartitionedState) -> None:
        self.state = state

    def __getitem__(self, rows: np.ndarray) -> pd.Index:
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype("i8")
        return self.state.frame(rows, ["key"]).index

    def is_(self, other: object) -> bool:
        """Whether another index is of the same samples."""
        same = isinstance(other, RowIds) and other.state.bench is self.state.bench
        return same and other.state.total == self.state.total  # type: ignore[attr-defined]

    def get_indexer(self, samples: Any) -> np.ndarray:
        """Find the rows (n,) of samples; -1 where there is none."""
        different, at = np.unique(np.asarray(samples, object).astype(str), return_inverse=True)
        return self.state.locate(different.tolist())[at] if len(at) else np.empty(0, "i8")


class RowSlices:
    """Some rows of a state, as a frame."""

    def __init__(self, state: PartitionedState) -> None:
        self.state = state

    def __getitem__(self, rows: np.ndarray) -> pd.DataFrame:
        return self.state.frame(np.asarray(rows))

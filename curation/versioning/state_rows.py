"""Rows of samples, read from the log: samples go by their row, 0, 1, ... as they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.storage.interface import Bench
from assay.curation.versioning import states
from assay.curation.versioning.state_parts import StatePart

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# columns of the table of samples, as a state has them
FIXED = "source key uri content_hash width height meta parent".split()


def read_fixed(
    con: duckdb.DuckDBPyConnection, rows: np.ndarray | None, total: int, columns: Sequence[str]
) -> pa.Table:
    """Read what of samples never changes, and where they lie: an Arrow table, sample first."""
    import pyarrow as pa

    names = ", ".join(["id as sample", *columns])
    if rows is None:
        # in order as it lies there: to sort ten million takes 2.4 GB
        found = con.sql(f"select {names}, rowid as n from samples where rowid < {total}")
        table = found.to_arrow_table()
        row = table["n"].to_numpy()
        if (np.diff(row) < 0).any():
            table = table.take(np.argsort(row))
        return table.drop_columns("n")
    con.register("asked", pa.table(dict(row=rows, n=np.arange(len(rows)))))
    return con.sql(
        f"select {names} from samples join asked on samples.rowid = asked.row order by n"
    ).to_arrow_table()


def read_part(bench: Bench, upto: int, rows: np.ndarray | range) -> StatePart:
    """Read what stands at a position for the samples at some rows, from the log."""
    import pandas as pd

    rows = np.asarray(rows, "i8")
    with bench.connect() as con:
        ids = read_fixed(con, rows, 0, [])["sample"].to_pylist()
        index = pd.Index(ids, dtype=object)
        return StatePart.from_frame(*states.read_values(con, upto, index, True, rows))

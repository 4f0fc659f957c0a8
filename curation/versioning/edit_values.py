"""What the edits at some positions of the log say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.versioning.pointers import register_values

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("value", "verdict", "who", "origin")
MANY = 2500  # samples from which on all edits are read, and not those that stand alone


class EditValues:
    """What edits say, by their positions (seq) in the log.

    Columns are kept as codes: a few texts, for a million edits."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        points: np.ndarray,
        columns: tuple[str, ...] = COLUMNS,
    ):
        """Read the edits at `points` (n, m) int, 0 for none."""
        read = _read_all if len(points) >= MANY else _read_some
        seq, codes, texts = read(con, points, columns)
        self.codes, self.values = {}, {}
        for c in columns:
            self.codes[c] = np.zeros(max(seq.max(initial=0), points.max(initial=0)) + 1, "i4")
            self.codes[c][seq] = codes[c]
            values = map(json.loads, texts[c]) if c == "value" else texts[c]
            self.values[c] = np.array([None, *values], object)

    def read(self, column: str, seqs: np.ndarray) -> np.ndarray:
        """Read what the edits `seqs` say.

        As objects; None where seq is 0."""
        return self.values[column][self.codes[column][seqs]]

    def test(self, column: str, seqs: np.ndarray, test: Callable[..., bool]) -> np.ndarray:
        """Test what the edits `seqs` say.

        As bool; False where seq is 0."""
        passed = [value is not None and test(value) for value in self.values[column]]
        return np.array(passed)[self.codes[column][seqs]]


def _read_some(
    con: duckdb.DuckDBPyConnection, points: np.ndarray, columns: tuple[str, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, list[str]]]:
    """Read the edits at `points`.

    Their seqs, and by column their codes from 1, and the texts."""
    register_values(con, "pointed", np.unique(points), "seq")
    cells = ", ".join(f"{c}::varchar" for c in columns)
    rows = con.execute(
        f"select seq, {cells} from edits where seq in (select seq from pointed)"
    ).fetchall()
    seq, *said = zip(*rows) if rows else [()] * (1 + len(columns))
    codes, texts = {}, {}
    for c, cells in zip(columns, said):
        found, at = np.unique(np.array(cells, object), return_inverse=True)
        codes[c], texts[c] = at + 1, found.tolist()
    return np.asarray(seq, "i8"), codes, texts


def _read_all(
    con: duckdb.DuckDBPyConnection, points: np.ndarray, columns: tuple[str, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, list[str]]]:
    """Read all edits, as _read_some does.

    As codes they leave DuckDB ten times faster than as texts."""
    texts = {}
    for c in columns:
        found = con.execute(f"select distinct {c}::varchar from edits").fetchall()
        texts[c] = [text for (text,) in found]
        register_values(con, f"names_{c}", texts[c], c)
    numbers = ", ".join(f"names_{c}.n::int as {c}" for c in columns)
    joins = " ".join(f"join names_{c} on names_{c}.{c} = edits.{c}::varchar" for c in columns)
    codes = con.execute(f"select seq, {numbers} from edits {joins}").fetchnumpy()
    return np.asarray(codes["seq"], "i8"), codes, texts

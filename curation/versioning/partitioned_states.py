"""The state of a large bench at a version, in parts of which a reader opens what it needs.

What was edited since its parts were built is laid over them. A part that is damaged or gone is
built again from the log.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import DamagedFile
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.versioning import state_parts
from assay.curation.versioning.pointers import register_values
from assay.curation.versioning.state_parts import CODED, FLAGS, StatePart
from assay.curation.versioning.state_rows import FIXED, read_fixed, read_part

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


@dataclass(frozen=True)
class PartitionedState:
    """Every sample at a position of the log; samples go by their row, 0, 1, ... as they came."""

    bench: Bench
    upto: int
    base: int  # the position of the parts
    total: int  # rows; some samples may have come later
    each: int  # rows of every part but the last
    names: tuple[str, ...]  # of the parts
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, "i8"))  # (m,) edited since, sorted
    laid: StatePart | None = None  # what stands for these, (m,)

    def __len__(self) -> int:
        """Count the samples that the log speaks of by then."""
        return self.counts.total()

    # ---- what is read

    def load(self, number: int, columns: Sequence[str] = (*CODED, *FLAGS)) -> StatePart:
        """Read columns of a part, with what was edited since."""
        part = self._load_base(number, tuple(columns))
        first, last = np.searchsorted(self.rows, [number * self.each, (number + 1) * self.each])
        if first == last or self.laid is None:
            return part
        some = np.arange(first, last)
        return part.replace(self.rows[some] - number * self.each, self.laid.select(some))

    def _load_base(self, number: int, columns: tuple[str, ...]) -> StatePart:
        """Read a part; one that is damaged or gone is built again from the log."""
        name = self.names[number]
        try:
            return state_parts.load_part(self.bench, name, columns)
        except DamagedFile as e:
            self._mend(number, e)
            return state_parts.load_part(self.bench, name, columns)

    def _mend(self, number: int, why: DamagedFile) -> None:
        first = number * self.each
        rows = range(first, min(first + self.each, self.total))
        part = read_part(self.bench, self.base, rows)
        made = state_parts.save_part(self.bench, first, part, anew=True)
        assert made == self.names[number], "what the log says of a position never changes"
        print(f"note: {why.problem}; built again from the log", file=sys.stderr)

    def scan(self, columns: Sequence[str]) -> Iterator[tuple[int, StatePart]]:
        """Go through the parts: (the row of its first sample, columns of it)."""
        for number in range(len(self.names)):
            yield number * self.each, self.load(number, columns)

    def find(self, test: Callable[[StatePart], np.ndarray], columns: Sequence[str]) -> np.ndarray:
        """Find the rows (m,) of known samples that pass a test of some columns."""
        asked = tuple(dict.fromkeys((*columns, "known")))
        found = [
            first + np.flatnonzero(test(part) & part.flags["known"])
            for first, part in self.scan(asked)
        ]
        return np.concatenate([np.empty(0, "i8"), *found])

    @cached_property
    def counts(self) -> Counter[tuple]:
        """Count samples: {(split, label, keep, reviewed): n}, by the counts of the parts."""
        out: Counter[tuple] = Counter()
        for number, name in enumerate(self.names):
            try:
                out.update(state_parts.load_counts(self.bench, name))
            except DamagedFile as e:
                self._mend(number, e)
                out.update(state_parts.load_counts(self.bench, name))
        if self.laid is not None:
            for number in np.unique(self.rows // self.each).tolist():
                here = self.rows[self.rows // self.each == number] - number * self.each
                part = self._load_base(number, (*state_parts.COUNTED, "known"))
                out.subtract(part.select(here).count())
            out.update(self.laid.count())
        return Counter({key: n for key, n in out.items() if n})

    def take(self, rows: np.ndarray, columns: Sequence[str]) -> dict[str, np.ndarray]:
        """Read columns of the samples at some rows: {name: (n,)}, as states.read_values has it."""
        rows = np.asarray(rows, "i8")
        out = {name: np.empty(len(rows), bool if name in FLAGS else object) for name in columns}
        number = rows // self.each
        for one in np.unique(number).tolist():
            here = np.flatnonzero(number == one)
            part = self._load_base(one, tuple(columns))
            for name in columns:
                out[name][here] = part.take(name, rows[here] - one * self.each)
        if self.laid is not None and len(self.rows):
            at = np.searchsorted(self.rows, rows).clip(max=len(self.rows) - 1)
            edited = np.flatnonzero(self.rows[at] == rows)
            for name in columns:
                out[name][edited] = self.laid.take(name, at[edited])
        return out

    def locate(self, samples: Sequence[str]) -> np.ndarray:
        """Find the rows (n,) of samples by their ids; -1 where there is none."""
        rows = np.full(len(samples), -1)
        with self.bench.connect() as con:
            register_values(con, "wanted", list(samples))
            asked = "select n, samples.rowid as row from samples join wanted on id = sample"
            found = con.execute(asked).fetchnumpy()
        rows[found["n"] - 1] = found["row"]
        return np.where(rows < self.total, rows, -1)

    def frame(
        self, rows: np.ndarray | None = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Read the samples at some rows, or all, as a frame like states.read_state.

        Those that the log does not speak of by then are left out. columns: some of its columns.
        """
        import pandas as pd

        wanted = np.arange(self.total) if rows is None else np.asarray(rows, "i8")
        said = [*CODED[:5], *FLAGS[:2], "tags"] if columns is None else [*columns]
        said = [name for name in said if name in (*CODED, *FLAGS)]
        values = self.take(wanted, tuple(dict.fromkeys((*said, "known"))))
        fixed = FIXED if columns is None else [name for name in columns if name in FIXED]
        with self.bench.connect() as con:
            found = read_fixed(con, None if rows is None else wanted, self.total, fixed)
        frame = found.to_pandas(ignore_metadata=True).set_index("sample")
        if "parent" in frame:
            frame["parent"] = frame["parent"].astype(object).where(frame["parent"].notna(), None)
        for name in said:
            kind = bool if name in FLAGS else object
            frame[name] = pd.Series(values[name], frame.index, kind)
        known = values["known"]
        frame = frame if known.all() else frame[known]
        return frame if columns is None else frame[[*columns]]

    # ---- as a file

    def save(self) -> None:
        """Write down which parts make it, and what is laid over them."""
        with self.bench.connect() as con:
            file = version_file(self.bench, self.upto, read_uid(con, self.upto))
        about = dict(
            format=np.array(state_parts.FORMAT),
            base=np.array(self.base),
            total=np.array(self.total),
            each=np.array(self.each),
            names=np.array(self.names, "U"),
            rows=self.rows,
        )
        laid = {} if self.laid is None else self.laid.to_arrays()
        save_arrays(file, **laid | about)


def version_file(bench: Bench, upto: int, uid: str) -> Path:
    """The file that says which parts make the state at a position.

    uid: of the edit there, for a log that was restored may go on otherwise.
    """
    return bench.arrays / "states" / f"{upto:015d}-{uid}.npz"


def read_uid(con: duckdb.DuckDBPyConnection, upto: int) -> str:
    found = con.execute("select uid from edits where seq = ?", [upto]).fetchall()
    return found[0][0] if found else "none"


def list_saved(bench: Bench) -> list[tuple[int, Path]]:
    """List the states that are written down, the newest first: (position, file)."""
    files = (bench.arrays / "states").glob("*-*.npz")
    return sorted(((int(file.stem.split("-")[0]), file) for file in files), reverse=True)


def list_part_names(file: Path) -> list[str]:
    """List the parts of a written state; [] where it cannot be read."""
    with suppress(DamagedFile):
        return (load_arrays(file, ["names"]) or dict(names=np.empty(0, "U1")))["names"].tolist()
    return []


def find_saved(bench: Bench, upto: int) -> PartitionedState | None:
    """Find the newest written state at or before a position."""
    for position, file in list_saved(bench):
        if position > upto:
            continue
        with bench.connect() as con:
            uid = read_uid(con, position)
        if file != version_file(bench, position, uid):
            continue  # of a log that went on otherwise
        try:
            kept = load_arrays(file)
        except DamagedFile as e:
            print(f"note: {e.problem}; the parts are found again", file=sys.stderr)
            file.unlink(missing_ok=True)
            continue
        made = state_parts.FORMAT, state_parts.ROWS
        if kept is not None and (kept.get("format", 0), kept["each"]) == made:
            return unpack_state(bench, position, kept)
    return None


def unpack_state(bench: Bench, upto: int, kept: dict[str, np.ndarray]) -> PartitionedState:
    base, total, each = (int(kept[name]) for name in ("base", "total", "each"))
    laid = StatePart.from_arrays(kept) if len(kept["rows"]) else None
    names = tuple(kept["names"].tolist())
    return PartitionedState(bench, upto, base, total, each, names, kept["rows"], laid)

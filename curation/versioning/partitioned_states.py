"""The state of a large bench at a version, in parts of which a reader opens what it needs.

Parts are built from the log, a range of samples at a time. What was edited since they were built
is read from the log, and laid over them.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import DamagedFile, UnknownColumn
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.versioning import state_parts, states
from assay.curation.versioning.class_names import read_names
from assay.curation.versioning.expressions import is_expression
from assay.curation.versioning.pointers import find_position, read_label_rule, register_values
from assay.curation.versioning.state_parts import CODED, FLAGS, StatePart

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

LARGE = 2_000_000  # samples from which on verbs read parts; below it a state is a frame
AT_ONCE = 1_000_000  # samples that are read from the log at a time: 1 GB
MOST_LAID = 20_000  # samples that are laid over parts; more are written into them
SHARE = 4  # of the samples of a part more than 1 / SHARE edited: it is read from the log anew
# columns of the table of samples, as a state has them
FIXED = "source key uri content_hash width height meta parent".split()


def is_large(bench: Bench) -> bool:
    """Whether verbs read the parts of this bench's states.

    They are written beside it, so not where it is read-only.
    """
    many = bench.rows("select count(*) from samples")[0][0] >= LARGE
    return many and os.access(bench.path, os.W_OK)


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

    def __iter__(self) -> Iterator[tuple[int, StatePart]]:
        return self.scan((*CODED, *FLAGS))

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
            part = self.load(one, columns)
            for name in columns:
                out[name][here] = part.take(name, rows[here] - one * self.each)
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
            base=np.array(self.base),
            total=np.array(self.total),
            each=np.array(self.each),
            names=np.array(self.names, "U"),
            rows=self.rows,
        )
        laid = {} if self.laid is None else self.laid.to_arrays()
        save_arrays(file, **about, **laid)


def read_fixed(
    con: duckdb.DuckDBPyConnection, rows: np.ndarray | None, total: int, columns: Sequence[str]
):
    """Read what of samples never changes, and where they lie: an Arrow table, sample first."""
    import pyarrow as pa

    names = ", ".join(["id as sample", *columns])
    if rows is None:
        asked = f"select {names} from samples where rowid < {total} order by rowid"
        return con.sql(asked).to_arrow_table()
    con.register("asked", pa.table(dict(row=rows, n=np.arange(len(rows)))))
    return con.sql(
        f"select {names} from samples join asked on samples.rowid = asked.row order by n"
    ).to_arrow_table()


# ---- how it is found, brought forward and built


def open_state(bench: Bench, version: str | int = "HEAD") -> PartitionedState:
    """Open the state at a version, built from the log as far as no parts say it."""
    upto = find_position(bench, version)
    key = ("parts", upto)
    found = bench.states.get(key)
    if found is None:
        saved = find_saved(bench, upto)
        if saved is not None and saved.upto == upto:
            found = saved
        else:
            found = (saved and bring_forward(saved, upto)) or build_state(bench, upto)
        states.remember(bench, key, found)
    return found


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
        if kept is not None:
            return unpack_state(bench, position, kept)
    return None


def unpack_state(bench: Bench, upto: int, kept: dict[str, np.ndarray]) -> PartitionedState:
    base, total, each = (int(kept[name]) for name in ("base", "total", "each"))
    laid = StatePart.from_arrays(kept) if len(kept["rows"]) else None
    names = tuple(kept["names"].tolist())
    return PartitionedState(bench, upto, base, total, each, names, kept["rows"], laid)


def bring_forward(state: PartitionedState, upto: int) -> PartitionedState | None:
    """Bring a state forward to a later position.

    None where a class was renamed or the label rule changed since, which may touch any sample.
    """
    bench = state.bench
    with bench.connect() as con:
        for ask in (read_label_rule, lambda con, at: read_names(con, at).renames):
            if ask(con, state.upto) != ask(con, upto):
                return None
        asked = """select distinct s.rowid as row from edits e join samples s on e.sample = s.id
            where e.seq > ? and e.seq <= ?"""
        rows = con.execute(asked, [state.upto, upto]).fetchnumpy()["row"]
        total = con.execute("select count(*) from samples").fetchall()[0][0]
    rows = np.union1d(state.rows, rows)
    if len(rows) > MOST_LAID or (rows >= state.total).any():
        return rebuild_state(state, upto, rows, total)
    if not len(rows):
        return replace(state, upto=upto)
    return replace(state, upto=upto, rows=rows, laid=read_part(bench, upto, rows))


def build_state(bench: Bench, upto: int) -> PartitionedState:
    """Build the parts of a state from the log alone."""
    total = bench.rows("select count(*) from samples")[0][0]
    each = state_parts.ROWS
    names = dict(write_parts(bench, upto, range(0, total, each), each, total))
    state = PartitionedState(
        bench, upto, upto, total, each, tuple(names[at] for at in sorted(names))
    )
    state.save()
    return state


def rebuild_state(
    state: PartitionedState, upto: int, rows: np.ndarray, total: int
) -> PartitionedState:
    """Build the parts in which samples were edited since a state; the others stay.

    rows (m,): of all samples that were edited since its parts were built.
    """
    bench, each = state.bench, state.each
    size = np.diff(np.searchsorted(rows, np.arange(0, total + each, each)))
    names = dict(enumerate(state.names))
    full = state.total // each  # a part that was not full may have got more samples
    anew = [k for k, n in enumerate(size.tolist()) if n * SHARE > each or (n and k >= full)]
    few = np.flatnonzero(size * ~np.isin(np.arange(len(size)), anew))
    for first, name in write_parts(bench, upto, [k * each for k in anew], each, total):
        names[first // each] = name
    for some in split_evenly(few, size[few], AT_ONCE):
        here = rows[np.isin(rows // each, some)]
        values = read_part(bench, upto, here)
        for k in some.tolist():
            at = np.flatnonzero(here // each == k)
            part = state_parts.load_part(bench, state.names[k])
            part = part.replace(here[at] - k * each, values.select(at))
            names[k] = state_parts.save_part(bench, k * each, part)
    made = tuple(names[k] for k in sorted(names))
    out = PartitionedState(bench, upto, upto, total, each, made)
    out.save()
    return out


def split_evenly(parts: np.ndarray, sizes: np.ndarray, most: int) -> list[np.ndarray]:
    """Split parts into runs of at most so many samples, or of one part."""
    if not len(parts):
        return []
    return np.split(parts, np.flatnonzero(np.diff(np.cumsum(sizes) // most)) + 1)


def write_parts(
    bench: Bench, upto: int, firsts: Sequence[int], each: int, total: int
) -> Iterator[tuple[int, str]]:
    """Write the parts that begin at some rows: (its first row, its name) of each.

    Several are read at a time: the log is gone through for each reading.
    """
    many = max(1, AT_ONCE // each)
    firsts = list(firsts)
    for at in range(0, len(firsts), many):
        spans = [range(a, min(a + each, total)) for a in firsts[at : at + many]]
        read = read_part(bench, upto, np.concatenate([np.arange(s.start, s.stop) for s in spans]))
        begin = 0
        for span in spans:
            part = read.select(np.arange(begin, begin + len(span)))
            begin += len(span)
            yield span.start, state_parts.save_part(bench, span.start, part.tidy())


def read_part(bench: Bench, upto: int, rows: np.ndarray | range) -> StatePart:
    """Read what stands at a position for the samples at some rows, from the log."""
    import pandas as pd

    rows = np.asarray(rows, "i8")
    with bench.connect() as con:
        ids = read_fixed(con, rows, 0, [])["sample"].to_pylist()
        index = pd.Index(ids, dtype=object)
        return StatePart.from_frame(*states.read_values(con, upto, index, True, rows))


def read_part_of_state(
    bench: Bench,
    version: str | int,
    columns: Iterable[str] | None,
    samples: Iterable[str] | None,
) -> pd.DataFrame:
    """Read some columns, or some samples, of a state: see Bench.state.

    Of samples that are named the order is theirs; those that are not there are left out.
    """
    ids = None if samples is None else list(dict.fromkeys(map(str, samples)))
    names = None if columns is None else list(columns)
    check_columns(names)
    if is_expression(version) or not is_large(bench):
        state = bench.state(version)
        state = state if ids is None else state.loc[[s for s in ids if s in state.index]]
        return state if names is None else state[names]
    state = open_state(bench, version)
    rows = None
    if ids is not None:
        rows = state.locate(ids)
        rows = rows[rows >= 0]
    return state.frame(rows, names)


def check_columns(names: Sequence[str] | None) -> None:
    """Refuse a column that no state has."""
    known = [*FIXED, *CODED, *FLAGS[:2]]
    for name in names or ():
        if name not in known:
            raise UnknownColumn(
                f"expected a column of a state, found {name!r}",
                f"there are {', '.join(known)}",
                name,
                known,
            )


def count_labelled(bench: Bench, split: str, version: str | int = "HEAD") -> int:
    """Count the kept, labelled samples of a split."""
    if is_expression(version) or not is_large(bench):
        return int(bench.frame(version, split).label.notna().sum())
    counts = open_state(bench, version).counts
    return sum(n for (of, label, keep, _), n in counts.items() if of == split and keep and label)

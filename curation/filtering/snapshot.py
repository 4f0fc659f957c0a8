"""The samples of a bench at one moment, as columns.

A part of them is read when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownColumn, suggest_names
from assay.curation.filtering import column_arrays
from assay.curation.filtering.columns import (
    OWN,
    SAYS_OF_PROPERTY,
    SETS,
    SIMILARITY,
    Column,
    predicted_column,
    read_model,
)
from assay.curation.filtering.facets import TOO_MANY, encode, present_values
from assay.curation.filtering.likeness import score_likeness
from assay.curation.filtering.metadata_columns import read_metadata
from assay.curation.filtering.parts import (
    FIXED,
    Arrays,
    Moment,
    bring_forward,
    find_touched,
    read_or_explain,
)
from assay.curation.filtering.remembered import Remembered
from assay.curation.filtering.row_columns import read_state_column
from assay.curation.filtering.sample_rows import TEXTS, SampleRows
from assay.curation.filtering.search import fold_texts, read_texts
from assay.curation.issues.image_properties import FOLDER
from assay.curation.issues.opinions import list_opinions, load_opinion
from assay.curation.media.base import media_of
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import file_stamp
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import task_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# whose unknown values are worth a note: they are names that people type
NAMED = ("label", "given_label", "suggestion", "split", "decision", "issues", "source")
# what the log does not say: which writing of which file parts of the bench are read from
FILES = ("opinion.npz", "probe.npz", "clusters.npz", "graph.npz", f"quality/{FOLDER}", "opinions")
# parts that the log brings forward, a few rows at a time
PATCHED = ("state", "reviewers")
ROWWISE = TEXTS | dict(sample="id")  # columns that are long, and read for a page alone
MOST_ORDERS = 8  # that are remembered
MOST_READ, MOST_FOUND = 64, 4  # conditions, and what they left: 8 MB each of a million


def read_stamps(bench: Bench) -> tuple:
    """Stamp each file of arrays, so that a new writing shows."""
    return tuple(file_stamp(bench.arrays / name) for name in FILES)


def read_end(bench: Bench) -> tuple:
    """Stamp the end of the log, without opening the bench.

    Begins with None where that cannot be told.
    """
    files = (bench.file, Path(f"{bench.file}.wal"))
    return bench.read_tail(), *map(file_stamp, files)


class LazyPart(dict):
    """Columns of a large bench's state, each read when it is first asked for."""

    def __init__(self, snapshot: Snapshot, known: Arrays) -> None:
        super().__init__(known)
        self.state, self.locked, self.columns = snapshot.state, snapshot.locked, snapshot.columns

    def __missing__(self, name: str) -> pa.Array:
        array = read_state_column(self.state, name)
        if self.columns[name].hidden_for_test:
            array = column_arrays.hide_locked(array, self.locked)
        self[name] = array
        return array


class Snapshot:
    """One moment of a bench, which never changes.

    But what is read is remembered.
    """

    def __init__(
        self,
        moment: Moment,
        con: duckdb.DuckDBPyConnection,
        stamps: tuple,
        before: Snapshot | None = None,
    ) -> None:
        """Read what every question needs.

        stamps: tell this moment from others. before: the last snapshot, of which what has not changed is taken over.
        """
        import pyarrow as pa

        self.moment, self.con, self.stamps = moment, con, stamps
        self.bench, self.state = moment.bench, moment.state
        self.lock = threading.RLock()
        self.parts: dict[str, Arrays] = {}
        self.gaps: dict[str, str] = {}  # what a part of the bench could not say, and why
        # {what was asked: (the order, the columns that it was made of)}
        self.orders: dict[tuple, tuple[np.ndarray, list[pa.Array]]] = {}
        self.alike: tuple[tuple, Snapshot] | None = None  # what was asked for, and as
        # a page asks for an order, its facets and its notes in turn: what a text means, what it left
        self.read, self.found = Remembered(MOST_READ), Remembered(MOST_FOUND)
        self.locked = self.state.split.isin(LOCKED).to_numpy()
        self.positions = pa.array(np.arange(len(self.state)))
        self.metadata: list[Column] = []
        if before is not None and self.state.index.is_(before.state.index):
            self._take_over(before)
        self.columns = {column.name: column for column in self._list_columns()}
        if isinstance(self.state, SampleRows):
            self.parts["state"] = LazyPart(self, self.parts.get("state", {}))

    def _take_over(self, before: Snapshot) -> None:
        """Take over what stays, bring forward what few edits changed."""
        same_files = before.stamps[2:] == self.stamps[2:]
        same_locks = np.array_equal(before.locked, self.locked)
        rows = find_touched(before.moment, self.moment)
        self.metadata, self.orders = before.metadata, dict(before.orders)
        for part, arrays in list(before.parts.items()):
            lasting = part in ("clusters", "properties")
            lasting |= part.startswith("opinion ") and same_locks
            if part in ("metadata", "words") or lasting and same_files and rows is not None:
                self.parts[part] = arrays
            elif isinstance(arrays, LazyPart):
                self.parts[part] = {name: arrays[name] for name in FIXED if name in arrays}
            elif part in PATCHED and rows is not None:
                new = bring_forward(self.moment, part, arrays, rows)
                self.parts[part] = self._hide_part(part, new, before)
            else:
                continue
            if part in before.gaps:
                self.gaps[part] = before.gaps[part]

    def _list_columns(self) -> Iterable[Column]:
        several = task_of(self.bench).several
        yield from (replace(c, sets=True) if several and c.name in SETS else c for c in OWN)
        taken = {column.name for column in OWN} | {SIMILARITY.name, *SAYS_OF_PROPERTY}
        for name, says in SAYS_OF_PROPERTY.items():
            yield Column(name, "number", says, source="properties", bars=True)
        for name in list_opinions(self.bench):
            for column in self._opinion_columns(name):
                taken.add(column.name)
                yield column
        if "metadata" not in self.parts:
            self.metadata, self.parts["metadata"] = read_metadata(self.con, self.state, taken)
        yield from self.metadata

    def _opinion_columns(self, name: str) -> Iterable[Column]:
        opinion = load_opinion(self.bench, name)
        about = dict(hidden_for_test=True, source=f"opinion {name}")
        for kind, issue in zip(opinion.kinds(), opinion.issues):
            says = f"what {name} scores it for {issue}, 0 to 1; low is bad"
            yield Column(f"{kind}_score", "number", says, bars=True, **about)
        yield Column(f"{name}_suggestion", "text", f"the label that {name} suggests", **about)

    # ---- columns

    def column(self, name: str) -> Column:
        """Give a column; UnknownColumn where there is none."""
        if name not in self.columns and (model := read_model(name)) is not None:
            return predicted_column(model)
        if name not in self.columns:
            raise UnknownColumn(
                f"expected a column of the samples, found {name!r}",
                "assay samples --columns lists them",
                name,
                self.columns,
            )
        return self.columns[name]

    def array(self, name: str) -> pa.Array:
        """Read a column, without what test and guard samples must hide."""
        import pyarrow as pa

        if name == "locked":
            return pa.array(self.locked)
        column = self.column(name)
        with self.lock:
            if column.source not in self.parts:
                self.parts[column.source] = self._read_part(column.source)
            return self.parts[column.source][name]

    def _read_part(self, source: str) -> Arrays:
        """Read a part, or say in `gaps` why it is empty."""
        found, gap = read_or_explain(self.moment, source)
        if gap:
            self.gaps[source] = gap
        return self._hide_part(source, found)

    def _hide_part(self, source: str, found: Arrays, before: Snapshot | None = None) -> Arrays:
        """Make null what test and guard samples must not say."""
        import pyarrow as pa

        types = dict(
            number=pa.float64(), text=pa.string(), bool=pa.bool_(), list=pa.list_(pa.string())
        )
        out = {}
        model = read_model(source)
        own = (before or self).columns.values() if model is None else [predicted_column(model)]
        for column in own:
            name = column.name
            if column.source != source or name == "locked":
                continue
            array = found.get(name)
            if array is None:
                array = pa.nulls(len(self.state), types[column.kind])
            elif column.hidden_for_test:
                array = column_arrays.hide_locked(array, self.locked)
            out[name] = array
        return out

    def words(self) -> pa.Array:
        """Key, metadata and, of a text, all of it, for a search."""
        with self.lock:
            if "words" not in self.parts:
                names = ["key", *(column.name for column in self.metadata)]
                searched = [self.array(name) for name in names]
                if media_of(self.bench).has_words:
                    searched.append(read_texts(self.bench, self.state.content_hash))
                folded = fold_texts(self.con, searched)
                self.parts["words"] = dict(words=folded)
            return self.parts["words"]["words"]

    def take(self, name: str, at: np.ndarray) -> np.ndarray:
        """Read a column at some positions, as a frame holds it."""

        array, kind = self.pick(name, at), self.column(name).kind
        if kind == "number":
            return array.to_numpy(zero_copy_only=False)
        if hasattr(array, "dictionary"):  # few texts, for many samples
            known = np.array([None, *array.dictionary.to_pylist()], object)
            return known[array.indices.fill_null(-1).to_numpy() + 1]
        values = array.to_pylist()
        found = np.empty(len(at), object)
        found[:] = [v if v is None else tuple(v) for v in values] if kind == "list" else values
        return found

    def pick(self, name: str, at: np.ndarray) -> pa.Array:
        """Read a column at some positions, and of a large bench no more where that will do."""
        import pyarrow as pa

        state = self.state
        if isinstance(state, SampleRows) and name in ROWWISE and name not in self.parts["state"]:
            return state.read_fixed(ROWWISE[name], np.asarray(at, "i8")).cast(pa.string())
        return self.array(name).take(pa.array(at))

    def with_similarity(self, like: Sequence) -> Snapshot:
        """Give the same moment with the likeness to some samples.

        What was asked for last is remembered.
        """
        import pyarrow as pa

        asked = tuple(like)
        if self.alike is not None and self.alike[0] == asked:
            return self.alike[1]
        out = object.__new__(Snapshot)
        vars(out).update(vars(self))
        scores = score_likeness(self.bench, self.state, like, self.moment.embed)
        # read before, so that both know what is read later
        out.parts = self.parts | dict(
            similarity={SIMILARITY.name: pa.array(scores, from_pandas=True)}
        )
        out.columns, out.orders = self.columns | {SIMILARITY.name: SIMILARITY}, {}
        out.read, out.found = Remembered(MOST_READ), Remembered(MOST_FOUND)
        self.alike = asked, out
        return out

    # ---- orders

    def find_order(self, asked: tuple, arrays: list[pa.Array]) -> np.ndarray | None:
        """Find an order that was made of these very columns."""
        with self.lock:
            order, made_of = self.orders.get(asked, (None, []))
        return (
            order if len(made_of) == len(arrays) and all(map(_is_same, made_of, arrays)) else None
        )

    def keep_order(self, asked: tuple, arrays: list[pa.Array], order: np.ndarray) -> None:
        """Remember an order of all samples."""
        with self.lock:
            others = {key: kept for key, kept in self.orders.items() if key != asked}
            self.orders = dict([*others.items(), (asked, (order, arrays))][-MOST_ORDERS:])

    # ---- what is said of it

    def facet_names(self) -> list[str]:
        """Name the columns worth counting: few values, or numbers."""
        return [name for name in self.columns if self._is_facet(name)]

    def _is_facet(self, name: str) -> bool:
        column = self.columns[name]
        if name in ("sample", "key", "path"):
            return False
        array = self.array(name)
        if array.null_count == len(array):
            return False
        # the members of sets are few, however many sets there are
        return column.kind != "text" or column.sets or len(encode(array).dictionary) <= TOO_MANY

    def describe_gaps(self, names: Iterable[str]) -> list[str]:
        """Say which of some columns are empty, and why."""
        empty: dict[str, list[str]] = {}
        for name in names:
            self.array(name)
            empty.setdefault(self.column(name).source, []).append(name)
        return [
            f"{', '.join(of)}: empty: {self.gaps[part]}"
            for part, of in empty.items()
            if part in self.gaps
        ]

    def describe_unknown(self, compared: Iterable[tuple[str, str]]) -> list[str]:
        """Say which values no sample has, where a name may be mistyped."""
        out = []
        for name, value in dict.fromkeys(compared):
            column = self.column(name)
            named = name in NAMED or read_model(name) is not None
            if not named or column.source in self.gaps:
                continue
            known = present_values(self.array(name), column.sets)
            if value not in known:
                near = suggest_names(value, known)
                meant = f"; did you mean {' or '.join(near)}?" if near else ""
                out.append(f"no sample has {name} {value!r}{meant}")
        return out


def _is_same(a: pa.Array, b: pa.Array) -> bool:
    return a is b

"""The samples of a bench at one moment, as columns that are read when they are first asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownColumn, UserError, suggest_names
from assay.curation.filtering import column_arrays
from assay.curation.filtering.columns import OWN, SAYS_OF_PROPERTY, SIMILARITY, Column
from assay.curation.filtering.facets import TOO_MANY, encode
from assay.curation.filtering.likeness import score_likeness
from assay.curation.filtering.metadata_columns import read_metadata
from assay.curation.issues.image_properties import FOLDER
from assay.curation.issues.opinions import list_opinions, load_opinion
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import file_stamp
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

# whose unknown values are worth a note: they are names that people type
NAMED = ("label", "given_label", "suggestion", "split", "decision", "issues", "source")
# what other parts of the bench than the log say: which writing of which file each is read from
FILES = dict(
    scores=("opinion.npz", "probe.npz"),
    clusters=("clusters.npz",),
    duplicates=("graph.npz",),
    properties=(f"quality/{FOLDER}",),
    opinions=("opinions",),
)
# whatever is decided, this stays
LASTING = ("metadata", "clusters", "properties", "words")


def read_stamps(bench: Bench) -> tuple:
    """Tell which writing of each file of arrays is there."""
    return tuple(file_stamp(bench.arrays / f) for files in FILES.values() for f in files)


class Snapshot:
    """One moment of a bench; it never changes, but for what is remembered of it."""

    def __init__(
        self,
        bench: Bench,
        con: duckdb.DuckDBPyConnection,
        state: pd.DataFrame,
        stamps: tuple,
        scored: pd.DataFrame | None = None,
        before: Snapshot | None = None,
    ) -> None:
        """Read what every question needs.

        scored: as score_labels, where a session has it in memory. before: the last snapshot, of which what cannot
        have changed is taken over.
        """
        import pyarrow as pa

        self.bench, self.con, self.state, self.stamps = bench, con, state, stamps
        self.scored, self.lock = scored, threading.RLock()
        self.parts: dict[str, dict[str, pa.Array]] = {}
        self.gaps: dict[str, str] = {}  # what a part of the bench could not say, and why
        self.orders: dict[tuple, np.ndarray] = {}
        self.locked = state.split.isin(LOCKED).to_numpy()
        self.positions = pa.array(np.arange(len(state)))
        self.metadata: list[Column] = []
        self.alike: tuple[tuple[str, ...], Snapshot] | None = None  # what was asked for, and as
        if before is not None and state.index.is_(before.state.index):
            self._take_over(before)
        self.columns = {column.name: column for column in self._list_columns()}

    def _take_over(self, before: Snapshot) -> None:
        """Take over what cannot have changed since."""
        files = before.stamps[2:] == self.stamps[2:]
        self.positions, self.metadata = before.positions, before.metadata
        for part in LASTING:
            if part in before.parts and (files or part in ("metadata", "words")):
                self.parts[part] = before.parts[part]

    def _list_columns(self) -> Iterable[Column]:
        yield from OWN
        taken = {column.name for column in OWN} | {SIMILARITY.name}
        for name, says in SAYS_OF_PROPERTY.items():
            yield Column(name, "number", says, source="properties", bars=True)
        for name in list_opinions(self.bench):
            yield from self._opinion_columns(name)
        taken |= set(SAYS_OF_PROPERTY)
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
        if name not in self.columns:
            raise UnknownColumn(
                f"expected a column of the samples, found {name!r}",
                "assay samples --columns lists them",
                name,
                self.columns,
            )
        return self.columns[name]

    def array(self, name: str) -> pa.Array:
        """Read a column, of which test and guard samples say what they may."""
        if name == "words":
            return self._words()
        if name == "locked":
            import pyarrow as pa

            return pa.array(self.locked)
        column = self.column(name)
        with self.lock:
            if column.source not in self.parts:
                self.parts[column.source] = self._read_part(column.source)
            return self.parts[column.source][name]

    def _read_part(self, source: str) -> dict[str, pa.Array]:
        """Read a part of the bench, or say in `gaps` why it is empty."""
        try:
            if source == "scores" and self.scored is not None:
                found = column_arrays.place_scores(self.scored, self.state)
            elif source.startswith("opinion "):
                found = column_arrays.read_opinion(self.bench, self.state, source.split(" ", 1)[1])
            else:
                found = column_arrays.PARTS[source](self.bench, self.state)
        except UserError as e:
            self.gaps[source] = f"{e.problem}; {e.hint}"
            found = {}
        return {
            name: self._hide(column, found.get(name))
            for name, column in self.columns.items()
            if column.source == source and name != "locked"
        }

    def _hide(self, column: Column, array: pa.Array | None) -> pa.Array:
        import pyarrow as pa

        types = dict(
            number=pa.float64(), text=pa.string(), bool=pa.bool_(), list=pa.list_(pa.string())
        )
        if array is None:
            return pa.nulls(len(self.state), types[column.kind])
        return column_arrays.hide_locked(array, self.locked) if column.hidden_for_test else array

    def take(self, name: str, at: np.ndarray) -> np.ndarray:
        """Read a column at some positions, as a frame holds it."""
        import pyarrow as pa

        array = self.array(name).take(pa.array(at))
        kind = self.column(name).kind
        if kind == "number":
            return array.to_numpy(zero_copy_only=False)
        values = array.to_pylist()
        found = np.empty(len(at), object)
        found[:] = [v and tuple(v) for v in values] if kind == "list" else values
        return found

    # ---- search and likeness

    def fold_words(self, search: str) -> list[str]:
        """Split what is searched for into words, without capitals and accents."""
        if not search.strip():
            return []
        sql = "select nfc_normalize(strip_accents(lower(?)))"
        with self.con.cursor() as cursor:
            return cursor.execute(sql, [search]).fetchall()[0][0].split()

    def _words(self) -> pa.Array:
        """Key and metadata of each sample, without capitals and accents."""
        import pyarrow as pa

        with self.lock:
            if "words" not in self.parts:
                arrays = {"c0": self.array("key")}
                for column in self.metadata:
                    arrays[f"c{len(arrays)}"] = self.array(column.name)
                cells = ", ".join(f"{name}::varchar" for name in arrays)
                sql = f"select nfc_normalize(strip_accents(lower(concat_ws(' ', {cells})))) as w from t"
                with self.con.cursor() as cursor:
                    cursor.register("t", pa.table(arrays))
                    words = cursor.sql(sql).to_arrow_table()["w"].combine_chunks()
                self.parts["words"] = dict(words=words)
            return self.parts["words"]["words"]

    def with_similarity(self, like: Sequence) -> Snapshot:
        """Give the same moment with the likeness to some samples.

        What was asked for last is remembered.
        """
        import pyarrow as pa

        asked = tuple(map(str, like))
        if self.alike is not None and self.alike[0] == asked:
            return self.alike[1]
        out = object.__new__(Snapshot)
        vars(out).update(vars(self))
        scores = score_likeness(self.bench, self.state, like)
        out.parts = self.parts | dict(
            similarity={SIMILARITY.name: pa.array(scores, from_pandas=True)}
        )
        out.columns, out.orders = self.columns | {SIMILARITY.name: SIMILARITY}, {}
        self.alike = asked, out
        return out

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
        return column.kind != "text" or len(encode(array).dictionary) <= TOO_MANY

    def describe_gaps(self, names: Iterable[str]) -> list[str]:
        """Say which of some columns are empty, and why."""
        empty: dict[str, list[str]] = {}
        for name in names:
            self.array(name)
            empty.setdefault(self.columns[name].source, []).append(name)
        return [
            f"{', '.join(of)}: empty: {self.gaps[part]}"
            for part, of in empty.items()
            if part in self.gaps
        ]

    def describe_unknown(self, compared: Iterable[tuple[str, str]]) -> list[str]:
        """Say which values no sample has, where a name may be mistyped."""
        out = []
        for name, value in dict.fromkeys(compared):
            column = self.columns[name]
            if name not in NAMED or column.source in self.gaps:
                continue
            array = self.array(name)
            known = encode(array.values if column.kind == "list" else array).dictionary.to_pylist()
            if value not in known:
                near = suggest_names(value, known)
                meant = f"; did you mean {' or '.join(near)}?" if near else ""
                out.append(f"no sample has {name} {value!r}{meant}")
        return out

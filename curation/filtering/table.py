"""Find, sort, search and count the samples of a bench."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from numpy.typing import NDArray

from assay.curation.errors import FilterError
from assay.curation.filtering.column_arrays import ScoreReader
from assay.curation.filtering.columns import SIMILARITY, Column
from assay.curation.filtering.conditions import Condition, SortKey, parse_condition, parse_sort
from assay.curation.filtering.facets import Facet, count_facet
from assay.curation.filtering.likeness import Embed
from assay.curation.filtering.parts import Moment
from assay.curation.filtering.query_watch import QueryWatch
from assay.curation.filtering.sample_rows import open_rows
from assay.curation.filtering.search import fold_words
from assay.curation.filtering.snapshot import Snapshot, read_end, read_stamps
from assay.curation.storage.engine import SETTINGS
from assay.curation.storage.interface import Bench
from assay.curation.system.scratch import scratch_folder
from assay.curation.versioning import states

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MEMORY = "2GB"  # that a condition may take
SECONDS = 10.0  # that it may last
# gives (position in the log, frame as score_labels) of whoever keeps the scores in memory
Scores = Callable[[], "tuple[int, pd.DataFrame]"]


class SampleTable:
    """The present state of all samples, in memory.

    Threads may share it. What is asked of it is answered as of the last `refresh`, which reads what changed since.
    Parts of the bench are read when a column of theirs is first asked for.
    """

    def __init__(
        self, bench: Bench, scores: Scores | None = None, embed: Embed | None = None
    ) -> None:
        """Read the samples of a bench.

        scores: gives the scores where a session has newer ones than the bench's files. embed: makes a vector of a
        picture from outside, for `like`.
        """
        self.bench, self.scores, self.embed = bench, scores, embed
        self.lock = threading.RLock()
        spill = str(scratch_folder() / "spill")
        limits = dict(memory_limit=MEMORY, temp_directory=spill, error_on_division_by_zero=False)
        self.con = duckdb.connect(config=SETTINGS | limits)
        self.con.execute("set enable_external_access = false")
        self.con.execute("set lock_configuration = true")
        self.placing, self.watch = ScoreReader(), QueryWatch()
        self.snapshot: Snapshot | None = None
        self.end: tuple = (None,)
        self.refresh()

    def refresh(self) -> bool:
        """Read what changed; True where the log or a scan moved on."""
        with self.lock:
            # before the log is read: what comes meanwhile is read the next time
            end = read_end(self.bench)
            if self.snapshot is not None and end == self.end and end[0] is not None:
                upto, state = self.snapshot.stamps[0], self.snapshot.state
            elif (rows := open_rows(self.bench)) is not None:
                upto, state = rows.parts.upto, rows
            else:
                upto, state = states.read_newest_state(self.bench)
            self.end = end
            scored = self.scores() if self.scores else None
            stamps = (upto, scored and scored[0], *read_stamps(self.bench))
            if self.snapshot is not None and stamps == self.snapshot.stamps:
                return False
            moment = Moment(self.bench, state, upto, scored and scored[1], self.placing, self.embed)
            self.snapshot = Snapshot(moment, self.con, stamps, self.snapshot)
            return True

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by name, in the order of lists."""
        return self.snapshot.columns

    @property
    def upto(self) -> int:
        """The position in the log that it shows."""
        return self.snapshot.stamps[0]

    def __len__(self) -> int:
        return len(self.snapshot.state)

    # ---- what it answers

    def select(
        self, where: str = "", sort: str = "", search: str = "", like: Sequence = ()
    ) -> NDArray[np.int64]:
        """Find samples: their positions, in set order or sorted.

        where: the condition of a SELECT over `columns`. sort: as in `score desc, key`. search: words in key and
        metadata. like: sample ids, or bytes of pictures; the likest come first, and a column `similarity` can be
        asked for. FilterError marks what is wrong in where or sort.
        """
        snapshot = self.snapshot.with_similarity(like) if len(like) else self.snapshot
        condition, keys = self._read(snapshot, where, sort)
        if len(like) and not keys:
            keys = self._read_sort(snapshot, f"{SIMILARITY.name} desc")
        found = self._find(snapshot, condition, where, search)
        return self._sort(snapshot, found, keys, sort)

    def check(
        self, where: str = "", sort: str = "", like: Sequence = (), names: Sequence[str] = ()
    ) -> list[str]:
        """Say what may surprise in a condition that can be read.

        A class that nothing has, a column that is empty until a scan; [] for none. names: of more columns that are
        shown. FilterError as in `select`.
        """
        snapshot = self.snapshot.with_similarity(like) if len(like) else self.snapshot
        condition, keys = self._read(snapshot, where, sort)
        used = dict.fromkeys(
            [*condition.columns, *(name for key in keys for name in key.columns), *names]
        )
        return snapshot.describe_gaps(used) + snapshot.describe_unknown(condition.compared)

    def facets(
        self, where: str = "", names: Sequence[str] | None = None, search: str = ""
    ) -> list[Facet]:
        """Count the values of columns among what a condition finds.

        names: by default all columns that have few values, or numbers.
        """
        snapshot = self.snapshot
        condition = self._read_condition(snapshot, where)
        rows = self._find(snapshot, condition, where, search)
        chosen = snapshot.facet_names() if names is None else names
        return [
            count_facet(snapshot.column(name), snapshot.array(name), rows, snapshot.locked)
            for name in chosen
        ]

    def rows(
        self, positions: NDArray[np.int64], names: Sequence[str], like: Sequence = ()
    ) -> pd.DataFrame:
        """Read columns of the samples at some positions, indexed by sample."""
        import pandas as pd

        snapshot = self.snapshot.with_similarity(like) if len(like) else self.snapshot
        at = np.asarray(positions, "i8")
        columns = {name: snapshot.take(name, at) for name in names}
        return pd.DataFrame(columns, snapshot.state.index[at].rename("sample"))

    # ---- how it finds

    def _read(self, snapshot: Snapshot, where: str, sort: str) -> tuple[Condition, list[SortKey]]:
        return self._read_condition(snapshot, where), self._read_sort(snapshot, sort)

    def _read_condition(self, snapshot: Snapshot, where: str) -> Condition:
        return snapshot.read.recall(
            ("where", where), lambda: parse_condition(self.con, where, snapshot.columns)
        )

    def _read_sort(self, snapshot: Snapshot, sort: str) -> list[SortKey]:
        return snapshot.read.recall(
            ("sort", sort), lambda: parse_sort(self.con, sort, snapshot.columns)
        )

    def _find(
        self, snapshot: Snapshot, condition: Condition, where: str, search: str
    ) -> NDArray[np.int64]:
        """Find the positions that a condition and words leave."""
        words = fold_words(self.con, search)
        if condition.sql == "true" and not words:
            return np.arange(len(snapshot.state))
        return snapshot.found.recall(
            (where, tuple(words)), lambda: self._find_anew(snapshot, condition, where, words)
        )

    def _find_anew(
        self, snapshot: Snapshot, condition: Condition, where: str, words: list[str]
    ) -> NDArray[np.int64]:
        arrays = {code: snapshot.array(name) for name, code in condition.columns.items()}
        sql, parameters = condition.sql, []
        if words:
            arrays["words"] = snapshot.words()
            sql = " and ".join([f"({sql})", *["contains(words, ?)"] * len(words)])
            parameters = words
        query = f"select position from samples where {sql}"
        names = {code: name for name, code in condition.columns.items()}
        found = self._run(snapshot, arrays, query, parameters, where, names)["position"]
        # they come in order, as a rule: to sort them costs four times as much as to find them
        found = found if (found[1:] > found[:-1]).all() else np.sort(found)
        found.flags.writeable = False  # it is given to whoever asks the same
        return found

    def _sort(
        self, snapshot: Snapshot, found: NDArray[np.int64], keys: list[SortKey], text: str
    ) -> NDArray[np.int64]:
        """Put positions in order; what is equal stays in set order."""
        if not keys:
            return found
        asked = tuple(
            (key.sql, tuple(key.columns), key.descending, key.nulls_first) for key in keys
        )
        used = {code: name for key in keys for name, code in key.columns.items()}
        arrays = {code: snapshot.array(name) for code, name in used.items()}
        order = snapshot.find_order(asked, list(arrays.values()))
        if order is None:
            parts = []
            for key in keys:
                way, nulls = ("asc", "desc")[key.descending], ("last", "first")[key.nulls_first]
                parts.append(f"{key.sql} {way} nulls {nulls}")
            query = f"select position from samples order by {', '.join(parts)}, position"
            order = self._run(snapshot, arrays, query, [], text, used)["position"]
            snapshot.keep_order(asked, list(arrays.values()), order)
        if len(found) == len(order):
            return order
        wanted = np.zeros(len(order), bool)
        wanted[found] = True
        return order[wanted[order]]

    def _run(
        self,
        snapshot: Snapshot,
        arrays: dict[str, pa.Array],
        query: str,
        parameters: list,
        text: str,
        names: dict[str, str],
    ) -> dict[str, np.ndarray]:
        """Run our own SQL within its limits of memory and time.

        text: what a person wrote, for an error. names: {what SQL calls a column: its name}.
        """
        import pyarrow as pa

        table = pa.table(arrays | dict(position=snapshot.positions))
        with self.con.cursor() as cursor:
            cursor.register("samples", table)
            end = self.watch.start(cursor, SECONDS)
            try:
                return cursor.execute(query, parameters).fetchnumpy()
            except duckdb.Error as e:
                raise explain_error(e, time.monotonic() >= end, text, names) from None
            finally:
                self.watch.end(cursor)


def explain_error(e: duckdb.Error, late: bool, text: str, names: dict[str, str]) -> FilterError:
    """Say what kept a condition from being answered.

    names: as _run takes them.
    """
    if late:
        return FilterError(text, None, f"an answer within {SECONDS:g} s", "none", "ask for less")
    if isinstance(e, duckdb.OutOfMemoryException):
        return FilterError(text, None, f"what fits into {MEMORY} of memory", "more", "ask for less")
    said = str(e).splitlines()[0].split("Error: ", 1)[-1]
    said = re.sub(r"\b(k\d+)?c\d+\b", lambda m: names.get(m[0], m[0]), said)
    hint = "try_cast(... as ...) leaves out what cannot be read as that"
    return FilterError(text, None, "a condition that fits every value", said, hint)

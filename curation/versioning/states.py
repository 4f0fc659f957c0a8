"""The state of every sample at a version, read from the log.

A version is a position in the log with a name (see pointers), or a pure function of one (see counterfactuals).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Hashable, Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.storage.interface import Bench
from assay.curation.storage.schema import END, PERSON_KINDS
from assay.curation.versioning.class_names import read_names
from assay.curation.versioning.edits import EditValues
from assay.curation.versioning.pointers import (
    LAST,
    MADE,
    NUMBERED,
    find_position,
    number_samples,
    read_label_rule,
    read_pointers,
    read_position,
    read_standing_position,
    register_values,
    split_ids,
)

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


TAGS = """
select sample, name from (
    select sample, value ->> 'name' as name, arg_max(value ->> 'on', seq) as state
    from edits where field = 'tag' and seq <= $upto {only} group by all) where state = 'true'"""
FEW = (
    20_000  # samples that were edited since, of which a state is brought forward and not read anew
)
MOST_AT_ONCE = 8_000_000  # samples of which what stands is written down at a time: 4 GB
TAIL = 100_000  # edits that are read after what was written down: 10 ms
MOST_KEPT = 6  # states that a bench remembers,
MOST_ROWS = 12_000_000  # of so many samples in all: 3 GB


def read_state(bench: Bench, version: str | int = "HEAD") -> pd.DataFrame:
    """Read every sample at the position that `version` names.

    A frame indexed by sample id: source key uri content_hash width height meta parent label given_label keep split
    verdict who reviewed tags. Unlabelled is None."""
    if version == "HEAD":
        return read_newest_state(bench)[1]
    upto = find_position(bench, version)
    with bench.connect() as con:
        return remember_state(bench, upto, lambda: find_state(con, bench, upto))


def read_newest_state(bench: Bench) -> tuple[int, pd.DataFrame]:
    """Read the log's end, and the state there."""
    with bench.connect() as con:
        upto = read_position(con, "HEAD")
        return upto, remember_state(bench, upto, lambda: find_state(con, bench, upto))


def find_state(con: duckdb.DuckDBPyConnection, bench: Bench, upto: int) -> pd.DataFrame:
    """Find the state at a position.

    From the nearest earlier one that is remembered and what the log says since, or read from the log as a whole."""
    since = max((k for k in bench.states if isinstance(k, int) and k < upto), default=None)
    now = None if since is None else bring_forward(con, bench.states[since], since, upto)
    return read_state_at(con, upto) if now is None else now


def bring_forward(
    con: duckdb.DuckDBPyConnection, state: pd.DataFrame, since: int, upto: int
) -> pd.DataFrame | None:
    """Bring a state at `since` forward to `upto`.

    None where many samples were edited between, or new ones came, a rule did, or a sample moved."""
    touched = con.execute(
        "select distinct sample from edits where seq > ? and seq <= ? and field <> 'proposal' limit ?",
        [since, upto, FEW + 1],
    ).fetchnumpy()["sample"]
    rows = state.index.get_indexer(touched)
    moved = "select 1 from edits where seq > ? and seq <= ? and field = 'place' limit 1"
    if len(touched) > FEW or (rows < 0).any() or con.execute(moved, [since, upto]).fetchall():
        return None
    import pandas as pd

    said, known = read_values(con, upto, pd.Index(touched, dtype=object), wanted=True)
    assert known.all(), "what an edit names has been said something of"
    state = state.copy(deep=False)
    for name in said:
        column = state[name].to_numpy(copy=True)
        column[rows] = said[name].to_numpy()
        state[name] = pd.Series(column, state.index, state[name].dtype)
    return state


def remember_state(bench: Bench, key: Hashable, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return a remembered state, or make and remember it.

    What was can never change, so the last few states are kept."""
    found = bench.states.get(key)
    if found is None:
        found = make()  # may remember others on the way
        remember(bench, key, found)
    return found.copy(deep=False)  # pandas copies what is written to


def remember(bench: Bench, key: Hashable, found: Any) -> None:
    """Remember a state, and the last few others; of a large bench fewer."""
    kept = [*bench.states.items(), (key, found)][-MOST_KEPT:]
    sizes = [
        len(of) if hasattr(of, "columns") else 0 for _, of in kept[::-1]
    ]  # else it is in parts
    rows = np.cumsum(sizes)[::-1]
    bench.states = dict(pair for pair, n in zip(kept, rows) if n <= MOST_ROWS or pair[1] is found)


def read_state_at(con: duckdb.DuckDBPyConnection, upto: int) -> pd.DataFrame:
    """Read the state at a position in the log."""
    frame = con.sql(
        "select id as sample, * exclude (id) from samples order by rowid"
    ).to_arrow_table()
    frame = frame.to_pandas(ignore_metadata=True).set_index("sample")
    frame["parent"] = frame["parent"].astype(object).where(frame["parent"].notna(), None)
    said, known = read_values(con, upto, frame.index)
    for column in said:
        frame[column] = said[column]
    return frame if known.all() else frame[known]


def read_current_values(con: duckdb.DuckDBPyConnection, samples: Iterable[str]) -> pd.DataFrame:
    """Read what stands at the end of the log for some samples.

    Columns as of read_values; unknown samples are left out."""
    import pandas as pd

    index = pd.Index(dict.fromkeys(map(str, samples)), dtype=object)
    said, known = read_values(con, END, index, wanted=True)
    return said[known]


def read_values(
    con: duckdb.DuckDBPyConnection,
    upto: int,
    index: pd.Index,
    wanted: bool = False,
    rows: np.ndarray | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Read what stands at `upto` for the samples whose ids are `index`.

    All samples in order or, if `wanted`, some; `rows`: theirs, where they are known. Returns a frame label,
    given_label, split, verdict, who, keep, reviewed, tags, and whether the log says anything of each (n,) bool."""
    import pandas as pd

    if wanted:
        register_values(con, "wanted", list(index), rows=rows)
    points = read_pointers(con, upto, len(index), wanted, rows is not None)
    names = read_names(con, upto)
    values, (label, given, keep, split) = EditValues(con, points), points.T
    columns = dict(
        label=values.read_labels(label, names),
        given_label=values.read_labels(given, names),
        split=values.read("value", split),
        verdict=values.read("verdict", label),
        who=values.read("who", label),
    )
    # as objects: None, not NaN, where there is none
    frame = {name: pd.Series(column, index, object) for name, column in columns.items()}
    frame["keep"] = values.test("value", keep, lambda value: value is True)
    judged = values.test("verdict", label, lambda verdict: verdict != "set")
    decided = [values.test("origin_kind", of, PERSON_KINDS.__contains__) for of in (label, keep)]
    frame["reviewed"] = judged | decided[0] | decided[1]
    frame["tags"] = pd.Series(read_tags(con, upto, index, wanted), index, object)
    return pd.DataFrame(frame, index), points.any(1)


def read_tags(
    con: duckdb.DuckDBPyConnection, upto: int, index: pd.Index, wanted: bool = False
) -> np.ndarray:
    """Read the tags of samples at `upto`: (n,) objects, tuples of names."""
    import pandas as pd

    tags = np.fromiter(itertools.repeat((), len(index)), object, len(index))
    only = "and sample in (select sample from wanted)" if wanted else ""
    found = con.execute(TAGS.format(only=only), dict(upto=upto)).fetchnumpy()
    row = index.get_indexer(found["sample"]) if len(found["sample"]) else np.empty(0, int)
    if not (row >= 0).any():
        return tags
    # names are few, and samples with tags may be many
    codes, names = pd.factorize(np.asarray(found["name"], object), sort=True)
    order = np.lexsort((codes, row))[np.count_nonzero(row < 0) :]
    row, codes = row[order], codes[order]
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    made: dict[bytes, tuple[str, ...]] = {}
    for start, end in zip(starts, [*starts[1:], len(row)]):
        key = codes[start:end].tobytes()
        if key not in made:
            made[key] = tuple(names[codes[start:end]])
        tags[row[start]] = made[key]
    return tags


def hash_tree(frame: pd.DataFrame) -> str:
    """Hash the kept (id, content hash, label, split) of a state, sorted.

    Equal contents give an equal tree, whatever road led there."""
    kept = frame[frame.keep]
    # a few texts, for a million lines
    values = {value for column in (kept.label, kept.split) for value in column.unique()}
    text = {value: json.dumps(value) for value in values}
    order = np.argsort(np.asarray(kept.index, "S32"))
    columns = (
        np.asarray(column, object)[order]
        for column in (kept.index, kept.content_hash, kept.label, kept.split)
    )
    lines = (
        f'["{sample}", "{content}", {text[label]}, {text[split]}]'
        for sample, content, label, split in zip(*columns)
    )
    return sha256("\n".join(lines).encode()).hexdigest()[:32]


# what the table is
WHOLE = f"select sample, n, {', '.join(MADE)} from ({LAST.format(only='')}) join {NUMBERED} using (sample)"


def write_standing(con: duckdb.DuckDBPyConnection) -> None:
    """Write down what stands at the end of the log.

    Sorted, so that one sample is found fast."""
    con.execute("delete from standing")
    numbered, points = number_samples(con), ", ".join(MADE)
    ranges = split_ids(con, MOST_AT_ONCE)
    for low, high in ranges:  # of one range at a time the sorting fits into memory
        only = (
            "" if len(ranges) == 1 else "and sample >= $low and ($high is null or sample < $high)"
        )
        values = {} if len(ranges) == 1 else dict(low=low, high=high)
        con.execute(
            f"""insert into standing select sample, n, {points}
            from ({LAST.format(only=only)})
            join (from {numbered} where true {only}) using (sample) order by sample""",
            dict(since=0, upto=END) | values,
        )
    con.execute(
        "insert or replace into meta values ('standing_rule', ?)", [read_label_rule(con, END)]
    )
    con.execute("insert or replace into meta select 'standing', coalesce(max(seq), 0) from edits")


def is_standing_wrong(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the table is not what the log says: `write_standing` mends it."""
    upto = read_standing_position(con)[0]
    both = f"(from ({WHOLE}) except from standing) union all (from standing except from ({WHOLE}))"
    query = f"select 1 from ({both}) limit 1"
    return bool(upto and con.execute(query, dict(since=0, upto=upto)).fetchall())

"""Open the state of a large bench at a version, and build what parts of it are missing.

Parts are built from the log, a range of samples at a time. A few edits since are laid over them;
of many, the parts that they touch are written anew, and the others stay.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UnknownColumn
from assay.curation.storage.interface import Bench
from assay.curation.versioning import state_parts, states
from assay.curation.versioning.class_names import read_names
from assay.curation.versioning.expressions import is_expression
from assay.curation.versioning.partitioned_states import PartitionedState, find_saved
from assay.curation.versioning.pointers import find_position, read_label_rule
from assay.curation.versioning.state_parts import CODED, FLAGS
from assay.curation.versioning.state_rows import FIXED, read_part

if TYPE_CHECKING:
    import pandas as pd

LARGE = 2_000_000  # samples from which on verbs read parts; below it a state is a frame
AT_ONCE = 1_000_000  # samples that are read from the log at a time: 1 GB
MOST_LAID = 20_000  # samples that are laid over parts; more are written into them
SHARE = 4  # of the samples of a part more than 1 / SHARE edited: it is read from the log anew


def is_large(bench: Bench) -> bool:
    """Whether verbs read the parts of this bench's states.

    They are written beside it, so not where it is read-only.
    """
    many = bench.rows("select count(*) from samples")[0][0] >= LARGE
    return many and os.access(bench.path, os.W_OK)


def open_state(bench: Bench, version: str | int = "HEAD") -> PartitionedState:
    """Open the state at a version, built from the log as far as no parts say it."""
    upto = find_position(bench, version)
    key = ("parts", upto)
    found = bench.states.get(key)
    if found is None:
        found = find_saved(bench, upto)
        if found is not None and found.upto < upto:
            found = bring_forward(found, upto)
        if found is None:
            found = build_state(bench, upto)
        states.remember(bench, key, found)
    return found


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


# ---- what is asked of benches of any size


def read_state(bench: Bench, version: str | int = "HEAD") -> pd.DataFrame:
    """Read every sample at a position: see states.read_state. Of a large bench from its parts."""
    if not is_large(bench):
        return states.read_state(bench, version)
    upto = find_position(bench, version)
    return states.remember_state(bench, upto, lambda: open_state(bench, upto).frame())


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


def read_samples_of(bench: Bench, source: str, splits: Collection[str]) -> pd.DataFrame:
    """Read the newest state of the samples of a source, and of those of some splits."""
    if not is_large(bench):
        state = bench.state()
        return state[(state.source == source) | state.split.isin(list(splits))]
    state = open_state(bench)
    theirs = state.find(lambda part: part.isin("split", splits), ("split",))
    with bench.connect() as con:
        asked = "select rowid as row from samples where source = ?"
        mine = con.execute(asked, [source]).fetchnumpy()["row"]
    return state.frame(np.union1d(theirs, mine))


def count_kept(bench: Bench) -> Counter[tuple[str, str | None]]:
    """Count the kept samples of the newest state: {(split, label): n}."""
    out: Counter[tuple[str, str | None]] = Counter()
    if is_large(bench):
        for (split, label, keep, _), n in open_state(bench).counts.items():
            out[split, label] += n * keep
        return out
    kept = bench.frame()
    out.update(zip(kept.split, kept.label.where(kept.label.notna(), None)))
    return out


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

"""Recognise the samples that a source's rows already are."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.base import ImportOptions, Source
from assay.curation.formats.split_shares import Shares
from assay.curation.formats.splits import make_splits
from assay.curation.storage.interface import Bench
from assay.curation.tasks.base import find_task, name_strata
from assay.curation.versioning.pointers import register_values
from assay.curation.versioning.state_building import read_samples_of

if TYPE_CHECKING:
    import pandas as pd

# samples that an import took away: only these does an import bring back; a person's drop and
# held-out leakage stay
TAKEN_AWAY = """select sample from edits where field = 'keep' group by sample
    having arg_max(value, seq) = 'false' and arg_max(origin_kind, seq) = 'import'"""


@dataclass(frozen=True)
class Incoming:
    """The usable rows of a source, beside what the bench holds of it."""

    name: str  # of the source in the bench
    # by sample id: key, uri, label, split, meta, content_hash, size; known_as (the sample that the
    # row is already, or None), parent (the sample of this key before its bytes changed, or None),
    # named_split (what the source says), freed (it waited in pool for the label that it has now)
    frame: pd.DataFrame
    state: (
        pd.DataFrame
    )  # what the import may touch, as it was: the source's samples, and the test split
    old: pd.DataFrame  # the samples that the source brought before
    taken_away: set[str]  # samples that an import took away

    @cached_property
    def new_rows(self) -> pd.DataFrame:
        return self.frame[self.frame.known_as.isna()]

    @cached_property
    def known_rows(self) -> pd.DataFrame:
        return self.frame[self.frame.known_as.notna()]

    @cached_property
    def gone_samples(self) -> pd.DataFrame:
        """Kept samples that the source no longer has."""
        gone = self.frame.index.get_indexer(self.old.index) < 0
        return self.old[self.old.keep & gone]


def recognise_rows(
    bench: Bench, source: Source, name: str, frame: pd.DataFrame, options: ImportOptions
) -> Incoming:
    """Recognise the usable rows `frame` of a source.

    Raises UserError for samples that another source brought.
    """
    state = read_samples_of(bench, name, ("test",))
    old = state[state.source == name]
    if options.shares and len(old):
        raise UserError(
            f"expected a new source for --split, found {name} in the bench: its samples keep their splits",
            f"leave --split out; assay split --source {name} draws them anew",
        )
    taken_away = {sample for (sample,) in bench.rows(TAKEN_AWAY)}
    exported = "id" in frame
    if exported:
        known_as = [i if i in old.index else None for i in frame.id]
    else:
        known_as = match_rows(frame, old, taken_away)
    frame["known_as"] = object_column(known_as, frame.index)
    find_source = partial(find_sources, bench)
    frame.index = name_samples(name, frame, find_source)
    there = find_source(frame.index)
    foreign = [i for i in frame.index if i in there and i not in old.index]
    if foreign:
        other = there[foreign[0]]
        raise UserError(
            f"expected new samples from {source.name}, found {len(foreign):,} that source {other} brought already",
            f"import it as that source: --as {other}",
        )
    rest = old[frame.index.get_indexer(old.index) < 0]
    # the last sample that had the key, but for one that has moved
    parents = dict(zip(rest.key, rest.index))
    parent = [
        parents.get(key) if known is None else None for key, known in zip(frame.key, frame.known_as)
    ]
    frame["parent"] = object_column(parent, frame.index)
    frame["named_split"], frame["freed"] = frame["split"], False
    keep_splits(frame, old)
    if not exported or frame["split"].isna().any():  # an export says where everything goes
        shares = options.shares or Shares()
        # a source that came without a test split gets none out of what is new
        placed = set(old["split"][old.label.notna()]) - {"pool"}
        test = 0.0 if options.no_test or placed and "test" not in placed else shares.test
        strata = name_strata(find_task(source.task), frame["label"])
        strata_frame = frame.assign(label=object_column(strata, frame.index))
        drawn = make_splits(strata_frame, list(frame.content_hash), val=shares.val, test=test)
        frame["split"] = object_column(drawn, frame.index)
    return Incoming(name, frame, state, old, taken_away)


def match_rows(frame: pd.DataFrame, old: pd.DataFrame, taken_away: set[str]) -> list[str | None]:
    """Match each row to the sample that it is already, or None.

    By key and bytes, then by bytes alone, copies in the order of their keys. What is there still comes before what
    people removed, and that before what an import took away: a source mended in place lacks what was removed.
    """
    keys, contents, kept = old.key.to_dict(), old.content_hash.to_dict(), old.keep.to_dict()
    order = sorted(old.index, key=lambda i: (i in taken_away, not kept[i], keys[i]))
    exact, by_content = {}, {}
    for i in order:
        exact.setdefault((keys[i], contents[i]), i)
    rows = list(zip(frame.key, frame.content_hash))
    found = {n: exact[row] for n, row in enumerate(rows) if row in exact}
    there = set(found.values())
    for i in order:
        if i not in there:
            by_content.setdefault(contents[i], []).append(i)
    for n in sorted(set(range(len(rows))) - set(found), key=lambda n: rows[n][0]):
        if left := by_content.get(rows[n][1]):
            found[n] = left.pop(0)
    return [found.get(n) for n in range(len(rows))]


def name_samples(
    source: str, frame: pd.DataFrame, find_taken: Callable[[list[str]], Collection[str]]
) -> list[str]:
    """Name each row: its sample, its own id, or a new one.

    find_taken(ids): which of them samples have.
    """
    if "id" in frame:
        return [known or own for known, own in zip(frame.known_as, frame.id)]
    rows = list(zip(frame.known_as, frame.key, frame.content_hash))
    ids = [known or make_sample_id(source, key, content) for known, key, content in rows]
    left, n = [i for i, row in enumerate(rows) if not row[0]], 0
    # taken by a sample that moved away from this very key
    while left:
        taken, n = find_taken([ids[i] for i in left]), n + 1
        left = [i for i in left if ids[i] in taken]
        for i in left:
            _, key, content = rows[i]
            ids[i] = make_sample_id(source, key, f"{content} {n}")
    return ids


def find_sources(bench: Bench, ids: Iterable[str]) -> dict[str, str]:
    """Find which of some ids samples have: {id: the source of its sample}."""
    with bench.connect() as con:
        register_values(con, "asked", list(ids))
        asked = "select id, source from samples semi join asked on id = asked.sample"
        return dict(con.execute(asked).fetchall())


def keep_splits(frame: pd.DataFrame, old: pd.DataFrame) -> None:
    """Give each known row the split that its sample has.

    One whose bytes changed has its parent's. What waited in pool for a label that comes now is freed.
    """
    splits, unlabelled = old["split"].to_dict(), set(old.index[old.label.isna()])
    fixed = set(old.index[old.keep | old.reviewed])
    given = []
    for row in frame.itertuples():
        was = row.known_as or (row.parent if row.parent in fixed else None)
        free = splits.get(was) == "pool" and was in unlabelled and row.label is not None
        keeps = was is not None and not free and (row.known_as or not row.named_split)
        given.append((splits[was] if keeps else row.named_split, bool(free and row.known_as)))
    frame["split"], frame["freed"] = (object_column(column, frame.index) for column in zip(*given))


def object_column(values: Iterable, index: pd.Index) -> pd.Series:
    """Make a column of the values as they are.

    Where pandas guesses the type, None becomes NaN, which is true.
    """
    import pandas as pd

    return pd.Series(values, index, dtype=object)


def make_sample_id(source: str, key: str, content_hash: str) -> str:
    text = json.dumps([source, key, content_hash])
    return blake2b(text.encode(), digest_size=16).hexdigest()

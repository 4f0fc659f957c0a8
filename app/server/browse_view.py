"""The filtered set as Browse asks for it: orders, tiles and facets.

An order is what a filter chose, sorted: positions in the table of all samples. It is known by a
digest, so that pictures and acts can name it, and what is drawn of it never changes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from cachetools import LRUCache

from assay.app.server.groupings import GROUPS, sort_groups
from assay.app.server.word_embedder import WordEmbedder
from assay.curation.errors import FilterError, UserError
from assay.curation.filtering.columns import SETS
from assay.curation.filtering.facets import encode
from assay.curation.filtering.likeness import Words
from assay.curation.filtering.sample_rows import SampleRows
from assay.curation.filtering.table import SampleTable
from assay.curation.filtering.views import ASKED
from assay.curation.media.base import media_of
from assay.curation.splits import LOCKED
from assay.curation.tasks.base import task_of
from assay.curation.tasks.multilabel import show_set
from assay.curation.text import format_count
from assay.curation.versioning.class_list import tabulate_classes
from assay.pipelines.embedders.picture import embed_picture

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from assay.app.server.review_session import ReviewSession
    from assay.pipelines.embedders.text import TextEmbedder

ORDERS = 32  # filters that are remembered
PAGE = 250_000  # positions in one answer: 1 MB
TILES = 400  # samples whose captions come at once
CAPTIONS = "locked key label suggestion flagged split reviewed keep duplicate_group tags".split()

JUDGED = "given_label decision suggestion score confidence flagged".split()


class Asked(NamedTuple):
    """What a page asks for, as its address says."""

    conditions: tuple[str, ...] = ()  # each is one chip; all must hold
    sort: str = ""
    search: str = ""
    like: tuple[str | bytes | Words, ...] = ()  # ids, pictures from outside, or words
    group: str = ""

    @property
    def where(self) -> str:
        """All conditions as one."""
        return " and ".join(f"({c})" for c in self.conditions)


@dataclass
class Order:
    """The samples that a filter chose, in order."""

    digest: str
    positions: np.ndarray  # (n,) int32 rows of the table
    seq: int
    groups: list[tuple[str, int]] = field(default_factory=list)  # name, samples


class BrowseView:
    """One bench's samples, as open pages see them."""

    def __init__(self, session: ReviewSession) -> None:
        self.session, self.bench, self.lock = session, session.bench, threading.RLock()
        self.orders: LRUCache = LRUCache(ORDERS)
        self.picked: LRUCache = LRUCache(64 << 20, lambda order: 200 + order.positions.nbytes)
        self.answers: LRUCache = LRUCache(ORDERS)
        self.table: SampleTable | None = None
        self.stamp, self.rows = "", -1
        self.largest = 0  # pixels of the longest side of any image
        self.text_embedder: TextEmbedder | None = None  # reads words, where one is configured
        self.own_embedder = WordEmbedder(self.bench)
        self.classes: tuple[int, list[list[str]]] = (-1, [])  # as of a position of the log

    def refresh(self) -> SampleTable:
        """Bring the table to the end of the log."""
        with self.lock:
            if self.table is None:
                self.table = self.bench.table = SampleTable(
                    self.bench, self.live_scores, partial(embed_picture, self.bench)
                )
            elif self.table.refresh():
                self.answers.clear()
            if self.rows != self.count():
                # what positions mean changes only when samples come or go
                state = self.table.snapshot.state
                if isinstance(state, SampleRows):
                    self.stamp, self.largest = state.digest(), state.largest_side()
                else:
                    self.stamp = digest_texts(state.index)
                    self.largest = int(state[["width", "height"]].max().max()) if len(state) else 0
                self.rows = self.count()
            return self.table

    def live_scores(self) -> tuple[int, pd.DataFrame] | None:
        """Give the scores that the review session holds, where it does: of all samples.

        They may be a moment older than the labels.
        """
        scored = self.session.whole
        return scored and (scored.upto, scored.found)

    def prepare(self) -> None:
        """Read what the first page asks for."""
        self.pack_order(Asked())
        self.describe()

    def words_embedder(self) -> TextEmbedder | None:
        """Give what reads words: what was named, else the embedder of the texts."""
        return self.text_embedder or self.own_embedder.find()

    def read_columns(self) -> None:
        """Read all columns: of a million samples each takes a second."""
        snapshot = self.refresh().snapshot
        for name in snapshot.columns:
            snapshot.array(name)

    def count(self) -> int:
        """Count the samples of the table."""
        assert self.table is not None, "it was refreshed"
        return len(self.table)

    # ---- orders

    def choose(self, asked: Asked) -> Order:
        """Choose and sort the samples that a page asks for."""
        with self.lock:
            table = self.refresh()
            found = self.answers.get(asked)
            if found is not None:
                return found
            positions = self.select(table, asked)
            groups: list = []
            if asked.group:
                positions, groups = sort_groups(self.bench, table, positions, asked.group)
            positions = np.ascontiguousarray(positions, "<i4")
            told = blake2b(positions.tobytes() + self.stamp.encode(), digest_size=12)
            order = Order(told.hexdigest(), positions, table.upto, groups)
            self.orders[order.digest] = self.answers[asked] = order
            return order

    def select(self, table: SampleTable, asked: Asked) -> np.ndarray:
        """Select; a wrong condition says which of them it is."""
        try:
            return table.select(asked.where, asked.sort, asked.search, asked.like)
        except FilterError:
            for number, condition in enumerate(asked.conditions):
                try:
                    table.select(condition)
                except FilterError as e:
                    e.condition = number
                    raise
            raise

    def find_order(self, digest: str) -> Order:
        """Find an order that was answered before."""
        with self.lock:
            found = self.orders.get(digest) or self.picked.get(digest)
        if found is None:
            raise UserError(
                "expected a filter of this page, found one that is no longer known",
                "the page asks for it anew",
            )
        return found

    # ---- what is drawn of an order

    def pack_order(self, asked: Asked, after: int = 0, as_bits: bool = False) -> bytes:
        """Pack an order: a header's length, the header (JSON), and positions.

        Positions are int32, at most PAGE of them, from `after` on. as_bits: in the table's order they
        are a bit for each of its rows (`bits` in the header). The captions of the first come along.
        """
        order = self.choose(asked)
        bits = as_bits and bool((order.positions[1:] > order.positions[:-1]).all())
        header = dict(
            of=order.digest,
            total=len(order.positions),
            all=self.rows,
            seq=order.seq,
            table=self.stamp,
            groups=order.groups,
            after=after,
            bits=bits,
            tiles=None if after else self.read_tiles(order.digest, 0),
            notes=self.refresh().check(asked.where, asked.sort, asked.like) if not after else [],
        )
        told = json.dumps(header).encode()
        told += b" " * (-len(told) % 4)
        part = order.positions[after : after + PAGE]
        if bits:
            marks = np.zeros(self.rows, bool)
            marks[order.positions] = True
            part = np.packbits(marks, bitorder="little")
        return np.array([len(told)], "<u4").tobytes() + told + part.tobytes()

    def read_tiles(self, digest: str, page: int) -> dict[str, Any]:
        """Read the captions of a page of an order, by columns."""
        order = self.find_order(digest)
        part = order.positions[page * TILES : (page + 1) * TILES]
        snapshot = self.refresh().snapshot
        captions = {
            c: encode_column(snapshot.pick(c, part)) for c in CAPTIONS if c in snapshot.columns
        }
        for name in SETS:
            if name in captions and snapshot.column(name).sets:
                captions[name]["values"] = [v and show_set(v) for v in captions[name]["values"]]
        told = dict(seq=snapshot.stamps[0], ids=list(snapshot.state.index[part]), rows=captions)
        return told | dict(largest=self.largest)

    def read_pictured(self, positions: np.ndarray) -> pd.DataFrame:
        """Read the rows of a state whose pictures stand at some positions.

        Which picture a sample has never changes: what is known is not read anew.
        """
        assert self.table is not None, "an order was made of it"
        return self.table.snapshot.state.iloc[positions]

    def read_row(self, sample: str) -> dict[str, Any]:
        """Read what the scan says of one sample.

        {} where there is no such sample.
        """
        table = self.refresh()
        at = table.snapshot.state.index.get_indexer([sample])
        if at[0] < 0:
            return {}
        row = table.rows(at, [c for c in JUDGED if c in table.columns]).iloc[0]
        sets = [name for name in row.index if table.columns[name].sets]
        return {
            name: show_set(value) if name in sets and isinstance(value, str) else to_plain(value)
            for name, value in row.items()
        }

    def chosen_positions(self, chosen: dict) -> np.ndarray:
        """Find which rows a page has chosen.

        chosen: dict of (an order) and but (those of it that are not meant), or table (what the
        positions mean) and only (positions).
        """
        if "only" in chosen:
            found = to_positions(chosen["only"], self.count())
            if chosen.get("table") != self.stamp:
                raise UserError(
                    "expected samples of this bench as it is, found some of what it was",
                    "select them again: samples came or went meanwhile",
                )
            return found
        order = self.find_order(str(chosen.get("of")))
        but = to_positions(chosen.get("but", []), self.count())
        return order.positions[~np.isin(order.positions, but)]

    def list_views(self) -> list[dict[str, Any]]:
        """List the saved views: dicts name, where, sort, search, words, who."""
        views = self.bench.views()
        return views[["name", *ASKED, "who"]].to_dict("records")

    def save_view(self, name: str, asked: Asked, who: str) -> list[dict[str, Any]]:
        """Save a view under a name; gives all views."""
        where = asked.conditions[0] if len(asked.conditions) == 1 else asked.where
        words = next((one.text for one in asked.like if isinstance(one, Words)), "")
        self.bench.save_view(name, where, asked.sort, asked.search, who, words)
        return self.list_views()

    def read_ids(self, positions: np.ndarray) -> list[str]:
        """Read the ids of the samples at some positions."""
        return list(self.refresh().rows(positions, []).index)

    def describe(self) -> dict[str, Any]:
        """Describe what can be asked: columns, classes, groups."""
        table = self.refresh()
        if self.classes[0] != table.upto:
            found = tabulate_classes(self.bench)
            self.classes = table.upto, [[n, c] for n, c in zip(found.name, found.colour)]
        columns = [
            dict(name=c.name, kind=c.kind, says=c.says, locked=c.hidden_for_test, sets=c.sets)
            for c in table.columns.values()
        ]
        reader = self.words_embedder()
        return dict(
            columns=columns,
            classes=self.classes[1],
            groups=[[k, v] for k, v in GROUPS.items() if k == "pair" or k in table.columns],
            locked=list(LOCKED),
            seq=table.upto,
            all=self.rows,
            given=str(self.bench.given),
            views=self.list_views(),
            medium=media_of(self.bench).name,
            several=task_of(self.bench).name == "multilabel",
            words=reader.name if reader else None,
        )


def open_view(session: ReviewSession) -> BrowseView:
    """Give the view of a session's bench: one a process."""
    with OPENING:
        key = str(session.bench.path)
        if key not in VIEWS:
            VIEWS[key] = BrowseView(session)
        return VIEWS[key]


VIEWS: dict[str, BrowseView] = {}
OPENING = threading.Lock()


def digest_texts(texts: pd.Index) -> str:
    """Digest texts as Arrow lays them out.

    To digest a million one by one takes a second.
    """
    import pyarrow as pa

    column = pa.array(texts, pa.large_string())
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    packed = pa.record_batch([column], ["id"]).serialize()
    return blake2b(packed, digest_size=8).hexdigest()


def to_positions(given: Any, count: int) -> np.ndarray:
    """Read positions that a browser sent."""
    sound = isinstance(given, list) and all(type(p) is int and 0 <= p < count for p in given)
    if not sound:
        raise UserError(
            f"expected positions of {format_count(count, 'sample')}, found another value",
            "reload the page",
        )
    return np.array(given, "i8")


def encode_column(found: pa.Array) -> dict[str, list]:
    """Encode a column as values and codes.

    Each different value comes once, and each position has its code.
    """
    import pyarrow as pa

    if pa.types.is_list(found.type):
        lists = [value if value is None else tuple(value) for value in found.to_pylist()]
        codes = {value: code for code, value in enumerate(dict.fromkeys(lists))}
        return dict(values=[to_plain(value) for value in codes], codes=[codes[v] for v in lists])
    encoded = encode(found)
    there, at = np.unique(encoded.indices.fill_null(-1).to_numpy(), return_inverse=True)
    values = encoded.dictionary.take(pa.array(there, mask=there < 0)).to_pylist()
    return dict(values=values, codes=at.tolist())


def to_plain(value: Any) -> Any:
    """Write a cell as JSON knows it."""
    if isinstance(value, np.ndarray | list | tuple):
        return [to_plain(v) for v in value]
    if value is None or value != value or str(value) == "<NA>":
        return None
    return value.item() if hasattr(value, "item") else value


def words(values: Sequence[str]) -> tuple[str, ...]:
    """Keep the texts that are not blank."""
    return tuple(v for v in values if v.strip())

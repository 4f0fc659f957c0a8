"""What classes are called: labels are read through later renames.

A rename is one edit of field `schema`, whatever number of samples have the class. No label is
written again: one that was given before the rename is read under the new name, of test samples too.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.curation.storage.schema import END, SCHEMA_EDITS
from assay.curation.storage.top_probs import TopProbs
from assay.curation.tasks.base import read_task
from assay.curation.tasks.multilabel import make_set, read_set, split_cell

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

BACK = ("undo", "redo", "revert")
RENAME, CLASS = "rename", "class"  # how the name of a schema edit begins: what it is about


class SchemaEdit(NamedTuple):
    """A schema edit that stands: the last one of its name that nobody undid."""

    seq: int
    uid: str
    batch: str  # the one that first said it
    value: dict[str, Any]  # name, and what it says


class Rename(NamedTuple):
    """A class that was given another name, or was merged into one that had it."""

    seq: int  # labels that were given before it are read through it
    old: str
    new: str
    merges: bool  # whether there was a class of the new name


class ClassNames:
    """What classes are called at a position of the log.

    Two questions: what a label is called that was given at an earlier position, and which class a
    name means (its identity, which a rename leaves as it is, so that a model trained before the
    rename is known for a model of the same classes).
    """

    def __init__(self, edits: Iterable[SchemaEdit] = (), several: bool = False) -> None:
        """several: whether a label is a set of classes: renamed is a member of it."""
        self.several = several
        self.edits = sorted(edits)
        self.renames = [
            Rename(e.seq, e.value["from"], e.value["to"], bool(e.value.get("merges")))
            for e in self.edits
            if "from" in e.value
        ]
        self._seqs: dict[str, list[int]] = {}  # of each old name, where it was given up
        self._finals: dict[str, list[str]] = {}  # and what labels of before are called now
        for rename in reversed(self.renames):
            final = self.find(rename.new, rename.seq)
            self._seqs.setdefault(rename.old, []).insert(0, rename.seq)
            self._finals.setdefault(rename.old, []).insert(0, final)
        self._identity: dict[str, str] = {}  # of a name, where it is not the name
        self._name: dict[str, str] = {}  # of an identity, where it is not the identity
        self._follow_identities()

    def _follow_identities(self) -> None:
        """Follow every class through its renames."""
        ended: dict[str, int] = {}  # how often a name was given up
        for _, old, new, merges in self.renames:
            moved = self._identity.pop(old, old)
            for identity in [i for i, name in self._name.items() if name == old]:
                self._name[identity] = new
            self._name[moved] = new
            if not merges:
                self._identity[new] = moved
            # the old name, given again, is another class: no text of a label holds a NUL
            ended[old] = ended.get(old, 0) + 1
            fresh = f"{old}\0{ended[old]}"
            self._identity[old], self._name[fresh] = fresh, old

    def find(self, name: str, seq: int) -> str:
        """Find the present name of a label given as `name` at `seq`."""
        seqs = self._seqs.get(name)
        if seqs is None:
            return name
        at = bisect_right(seqs, seq)
        return self._finals[name][at] if at < len(seqs) else name

    def list_classes(self, labels: Iterable[str]) -> set[str]:
        """List the classes that labels name."""
        return {n for label in labels for n in read_set(label)} if self.several else set(labels)

    def map_label(self, label: str, call: Callable[[str], str]) -> str:
        """Call the classes of a label by other names."""
        return make_set(map(call, read_set(label))) if self.several else call(label)

    def find_label(self, label: str, seq: int) -> str:
        """Find what a label given at `seq` says now."""
        return self.map_label(label, lambda name: self.find(name, seq))

    def list_spells(self, label: str) -> tuple[list[int], list[str]]:
        """List where what a label says changes, and what it says if given before each, and after."""
        seqs = {seq for name in self.list_classes([label]) for seq in self._seqs.get(name, ())}
        ends = sorted(seqs)
        return ends, [self.find_label(label, since) for since in (0, *ends)]

    def may_mean(self, label: str) -> set[str]:
        """List what labels given as `label` may say now.

        They may have been given at any time.
        """
        return {label, *self.list_spells(label)[1]}

    def find_many(self, names: np.ndarray, seqs: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Replace labels (n,) by what they say now, in place.

        seqs (n,): when each was given. codes (n,): equal where names are.
        """
        if not self.renames:
            return names
        kinds, first = np.unique(codes, return_index=True)
        for code, name in zip(kinds, names[first]):
            ends, said = self.list_spells(name) if name is not None else ([], [])
            if ends:
                rows = np.flatnonzero(codes == code)
                names[rows] = np.array(said, object)[np.searchsorted(ends, seqs[rows], "right")]
        return names

    def find_class(self, name: str) -> str:
        """Find the identity of the class that is called `name` here."""
        return self._identity.get(name, name)

    def find_name(self, identity: str) -> str:
        """Find what a class is called here, by its identity."""
        name = self._name.get(identity, identity)
        return name.partition("\0")[0]

    def former_names(self, known: Iterable[str]) -> dict[str, str]:
        """List the names that were given up: {old: present name}.

        Those in `known`, which are classes now, are none of these.
        """
        known = set(known)
        return {old: self.find(old, 0) for old in self._seqs if old not in known}

    def former_of(self, labels: pd.Series) -> dict[str, str]:
        """List the names that were given up, and that none of the labels says: see former_names."""
        if not self.renames:
            return {}
        return self.former_names(self.list_classes(labels.dropna().unique()))

    def call_cell(self, cell: str, former: dict[str, str]) -> str:
        """Call the classes of a sheet's cell by present names; former: as former_names."""
        if not self.several or cell in former:
            return former.get(cell, cell)
        try:
            names = split_cell(cell)
        except ValueError:  # whoever reads the cell says so
            return cell
        return make_set(former.get(n, n) for n in names) if former.keys() & set(names) else cell

    def rows(self, labels: Iterable[str]) -> list[tuple[str, int, int, str]]:
        """List (was, since, until, label) of every renamed one of the labels.

        A label `was` that was given from since to before until says `label` now.
        """
        return [
            (label, since, until, json.dumps(final))
            for label in labels
            for ends, said in [self.list_spells(label)]
            for since, until, final in zip([0, *ends], ends, said)
        ]


NONE, NONE_OF_SETS = ClassNames(), ClassNames(several=True)
MOST_KNOWN = 64  # logs and positions that are remembered
_known: dict[tuple[str, tuple[int, ...]], ClassNames] = {}


def read_schema_edits(con: duckdb.DuckDBPyConnection, upto: int = END) -> list[SchemaEdit]:
    """Read the schema edits that stand at a position of the log."""
    return read_names(con, upto).edits


def read_names(con: duckdb.DuckDBPyConnection, upto: int = END) -> ClassNames:
    """Read what classes are called at a position of the log."""
    found = con.execute(SCHEMA_EDITS).fetchall()
    seqs = tuple(seq for seq in (json.loads(found[0][0]) if found else ()) if seq <= upto)
    several = read_task(con).name == "multilabel"
    if not seqs:
        return NONE_OF_SETS if several else NONE
    last = con.execute("select uid from edits where seq = ?", [seqs[-1]]).fetchall()[0][0]
    key = last, seqs  # what is in the log never changes
    if key not in _known:
        rows = con.execute(
            """select seq, uid, batch, origin, kind, value::varchar, suggested::varchar from edits
            where seq >= ? and seq <= ? and field = 'schema' order by seq""",
            [seqs[0], seqs[-1]],
        ).fetchall()
        if len(_known) > MOST_KNOWN:
            _known.clear()
        _known[key] = ClassNames(list_standing(rows), several)
    return _known[key]


def list_standing(rows: Sequence[tuple]) -> list[SchemaEdit]:
    """List the schema edits that stand, of all that were made.

    rows: (seq, uid, batch, origin, kind, value, suggested), oldest first. As live_edits.ALIVE has
    it: of each name the last one that nobody undid.
    """
    dead: dict[tuple[str, str], bool] = {}
    stack = []
    for seq, uid, batch, origin, kind, value, suggested in rows:
        said = json.loads(value)
        if kind in BACK:
            about = json.loads(suggested)
            of = about.get("undo", about.get("redo"))
            for target in of if isinstance(of, list) else [of]:
                dead[target, said["name"]] = "undo" in about
        else:
            # an edit that a merge repeats is undone and redone with the original
            decision = origin if kind == "merge" else batch
            stack.append(SchemaEdit(seq, uid, decision, said))
    top = {
        e.value["name"]: e
        for e, row in zip(stack, (r for r in rows if r[4] not in BACK))
        if not dead.get((e.batch, e.value["name"])) and not dead.get((row[2], e.value["name"]))
    }
    return sorted(top.values())


def offer_names(con: duckdb.DuckDBPyConnection, upto: int = END) -> ClassNames:
    """Offer what classes are called to SQL, as the table `renamed`.

    Whatever reads live_edits.ALIVE or SPOKEN needs it. Returns the names.
    """
    import pyarrow as pa

    names = read_names(con, upto)
    found = names.rows(list_renamed(con, names)) if names.renames else []
    was, since, until, label = zip(*found) if found else ((), (), (), ())
    columns = dict(was=pa.array(was, pa.string()), since=pa.array(since, pa.int64()))
    columns |= dict(until=pa.array(until, pa.int64()), label=pa.array(label, pa.string()))
    con.register("renamed", pa.table(columns))
    return names


def list_renamed(con: duckdb.DuckDBPyConnection, names: ClassNames) -> list[str]:
    """List the labels that say a class which was renamed."""
    gone = {rename.old for rename in names.renames}
    if not names.several:
        return list(dict.fromkeys(rename.old for rename in reversed(names.renames)))
    found = con.execute("""select distinct value ->> '$' from edits
        where field = 'label' and value ->> '$' is not null""").fetchall()
    return [label for (label,) in found if gone & names.list_classes([label])]


def name_probabilities(
    names: ClassNames, classes: Sequence[str], probs: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Name the columns of stored probabilities (m, k) by present class names.

    classes: identities. Those of classes that were merged since are summed; of several classes a sample they are the
    chance that it has one at least. Sorted by name.
    """
    called = [names.find_name(identity) for identity in classes]
    if called == list(classes):
        return called, probs
    order = sorted(set(called))
    if isinstance(probs, TopProbs):
        return order, probs.rename(np.array([order.index(name) for name in called]), len(order))
    out = np.zeros((len(probs), len(order)), probs.dtype)
    for column, name in enumerate(called):
        at = order.index(name)
        out[:, at] += probs[:, column] * (1 - out[:, at] if names.several else 1)
    return order, out

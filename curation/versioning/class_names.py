"""What classes are called: labels are read through later renames.

A rename is one edit of field `schema`, whatever number of samples have the class. No label is
written again: one that was given before the rename is read under the new name, of test samples too.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.curation.storage.schema import END, SCHEMA_EDITS
from assay.curation.storage.top_probs import TopProbs

if TYPE_CHECKING:
    import duckdb

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

    def __init__(self, edits: Iterable[SchemaEdit] = ()) -> None:
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

    def may_mean(self, name: str) -> set[str]:
        """List the names that labels given as `name` may have now.

        They may have been given at any time.
        """
        return {name, *self._finals.get(name, ())}

    def find_many(self, names: np.ndarray, seqs: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Replace label names (n,) by those they have now, in place.

        seqs (n,): when each was given. codes (n,): equal where names are.
        """
        if not self.renames:
            return names
        kinds, first = np.unique(codes, return_index=True)
        for code, name in zip(kinds, names[first]):
            if name in self._seqs:
                rows = np.flatnonzero(codes == code)
                called = np.array([*self._finals[name], name], object)
                names[rows] = called[np.searchsorted(self._seqs[name], seqs[rows], "right")]
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

    def rows(self) -> list[tuple[str, int, int, str]]:
        """List (was, since, until, label) of every renamed label.

        A label `was` that was given from since to before until is called `label` now.
        """
        return [
            (name, since, until, json.dumps(final))
            for name, seqs in self._seqs.items()
            for since, until, final in zip([0, *seqs], seqs, self._finals[name])
        ]


NONE = ClassNames()
MOST_KNOWN = 64  # logs and positions that are remembered
_known: dict[tuple[str, tuple[int, ...]], ClassNames] = {}


def read_schema_edits(con: duckdb.DuckDBPyConnection, upto: int = END) -> list[SchemaEdit]:
    """Read the schema edits that stand at a position of the log."""
    return read_names(con, upto).edits


def read_names(con: duckdb.DuckDBPyConnection, upto: int = END) -> ClassNames:
    """Read what classes are called at a position of the log."""
    found = con.execute(SCHEMA_EDITS).fetchall()
    seqs = tuple(seq for seq in (json.loads(found[0][0]) if found else ()) if seq <= upto)
    if not seqs:
        return NONE
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
        _known[key] = ClassNames(list_standing(rows))
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
    was, since, until, label = zip(*names.rows()) if names.renames else ((), (), (), ())
    columns = dict(was=pa.array(was, pa.string()), since=pa.array(since, pa.int64()))
    columns |= dict(until=pa.array(until, pa.int64()), label=pa.array(label, pa.string()))
    con.register("renamed", pa.table(columns))
    return names


def name_probabilities(
    names: ClassNames, classes: Sequence[str], probs: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Name the columns of stored probabilities (m, k) by present class names.

    classes: identities. Those of classes that were merged since are summed; sorted by name.
    """
    called = [names.find_name(identity) for identity in classes]
    if called == list(classes):
        return called, probs
    order = sorted(set(called))
    if isinstance(probs, TopProbs):
        return order, probs.rename(np.array([order.index(name) for name in called]), len(order))
    out = np.zeros((len(probs), len(order)), probs.dtype)
    for column, name in enumerate(called):
        out[:, order.index(name)] += probs[:, column]
    return order, out

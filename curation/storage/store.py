"""A bench: a folder whose facts are one append-only log of edits in DuckDB, opened, used and closed at every access."""

import os
import time
import uuid
from collections import defaultdict
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import duckdb

from assay.curation.errors import Held, UserError
from assay.curation.storage.bench_files import refuse_links
from assay.curation.storage.catalog import other_schema
from assay.curation.storage.engine import BROKEN, FULL, SETTINGS, Opened, forked
from assay.curation.storage.locks import PATIENCE, SHARE, Door, take_turn, testify, witness
from assay.curation.storage.schema import (
    FILE,
    LINK,
    MADE,
    MOVE,
    SCHEMA,
    SCHEMAS,
    TAKE_OVER,
    UNUSUAL,
    chain_breaks,
    improper,
)
from assay.curation.system import permissions
from assay.curation.text import check
from assay.curation.times import now

_doors = defaultdict(Door)


os.register_at_fork(after_in_child=forked)


class Store:
    """How a bench's DuckDB file is reached. `Bench` (curation.bench) adds what a dataset is."""

    def __init__(self, path):
        self.given = path  # as its user calls it
        self.path = Path(path).absolute()
        self.file = self.path / FILE
        self.arrays = self.path / "arrays"
        self.states, self.positions, self.inode, self.told, self.nodes = {}, {}, None, None, None
        self.mended = ""  # what an upgrade put right, in words

    def mend(self, con):
        """Put right what an upgrade finds in the log, and say it in words: a bench knows what may stand in it."""
        return ""

    def create(self, group=False):
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(0o700, exist_ok=True)
        except OSError as e:
            raise UserError(
                f"expected a folder that can be written for the bench, found: {e}",
                "choose another with -b",
            ) from None
        refuse_links(self.path)
        if not os.access(self.path, os.W_OK):
            raise UserError(
                f"expected a folder that can be written for the bench, found {self.path} read-only",
                "choose another with -b",
            )
        with permissions.masked(0o660 if group else 0o600):
            with self.closed():
                if not self.file.exists():  # nobody was faster
                    self.write_new(self.path / f"{FILE}.partial")
            permissions.share(self.path, group)

    def write_new(self, partial):
        """Write an empty bench's file as a whole or not at all."""
        for file in (partial, Path(f"{partial}.wal")):  # of a process that was killed here
            file.unlink(missing_ok=True)
        try:
            with duckdb.connect(str(partial), config=SETTINGS) as con:
                con.execute(SCHEMAS[SCHEMA])
                con.execute("insert into meta values ('schema', ?), ('head', '')", [SCHEMA])
        except BROKEN as e:
            raise self._broken(e) from None
        os.replace(partial, self.file)

    def verify(self, witnessed=True):
        """Refuse what is no bench, one whose schema this code does not know, or one that has lost acknowledged edits, or (`witnessed`) one of which
        nobody can tell."""
        refuse_links(self.path)
        if witnessed and self.witness() is None:
            raise UserError(
                f"expected {self.path / '.lock'} to say where the log ends, found it damaged: lost edits would not be seen",
                f"assay check --repair -b {self.given} reads the log as a whole and writes its end down again",
            )
        if not self.file.exists() and (self.path / "backups").exists():
            raise UserError(
                f"expected {self.file.name} in {self.path}, found it gone", self.way_back()
            )
        if not self.file.exists():
            raise UserError(
                f"expected a bench in {self.path}, found no {self.file.name}",
                "make one: assay import SOURCE -b BENCH",
            )
        with self.connect() as con:
            known = con.execute(MADE).fetchall()
            found = (
                con.execute("select value from meta where key = 'schema'").fetchall()
                if known
                else []
            )
            lost = found and self.behind(con)
        if found and found[0][0] in TAKE_OVER:
            with self.transaction() as con:  # the same facts; somebody may have been faster
                con.execute(f"use {_doors[self.file].con.name}")
                for schema, change in TAKE_OVER.items():
                    if con.execute(
                        "select value = ? from meta where key = 'schema'", [schema]
                    ).fetchall() == [(True,)]:
                        con.execute(
                            f"{change} update meta set value = '{int(schema) + 1}' where key = 'schema'"
                        )
                        self.mended = self.mend(con) if schema == "3" else ""
        elif found != [(SCHEMA,)]:
            if not known:
                hint = f"nothing is lost: delete {self.file}, and import again"
                raise UserError(
                    f"expected a bench in {self.path}, found that making {self.file.name} was cut short",
                    hint,
                )
            raise other_schema(self.path, SCHEMA, found[0][0] if found else "of no number")
        if lost:
            raise UserError(lost, self.way_back())

    @contextmanager
    def connect(self, beside=None):
        """A DuckDB connection that nobody else has meanwhile. Compute before or after, never inside. A thread that waits gets the open file of the
        one before it. beside: another bench's file, which can be read as `theirs` (see read_beside)."""
        door = _doors[self.file]
        with door.mine(), permissions.masked(permissions.bits(self.path) or 0o600):
            sound = False
            try:
                if beside:
                    self._close(door)
                if door.con is None:
                    door.turn = take_turn(self.path / ".lock")
                    door.con, door.until = (
                        self._open(door.turn is None, beside),
                        time.monotonic() + SHARE,
                    )
                con = door.con.cursor()  # what this one registers or sets is nobody else's
                con.execute("set enable_progress_bar = false")  # it would draw over our own
                try:
                    yield con
                finally:
                    con.close()
                sound = True
            except duckdb.Error as e:
                if type(e) in BROKEN or FULL.search(str(e)):
                    Opened.forget(self.file)
                    raise self._broken(e) from None
                sound = type(e) is duckdb.InterruptException
                raise
            except UserError:
                sound = True
                raise
            finally:
                if not (
                    sound and not beside and door.waited_for() and time.monotonic() < door.until
                ):
                    self._close(door)

    def _close(self, door):
        try:
            door.close()
        except duckdb.Error as e:  # what was committed is in the file or beside it, in its .wal
            raise self._broken(e) from None

    @contextmanager
    def transaction(self, beside=None):
        """As `connect`; what happens inside is stored durably as a whole, or not at all."""
        with self.connect(beside) as con:
            door = _doors[self.file]
            if door.turn is None:
                raise UserError(
                    f"expected a bench that can be written, found {self.path} read-only",
                    "copy the folder to where you may write",
                )
            con.begin()
            self.told = None
            try:
                yield con
            except BaseException:
                with suppress(duckdb.Error):  # a connection that broke has rolled back already
                    con.rollback()
                raise
            con.commit()
            if self.told:  # the witness: a bench that comes back shorter than this has lost what was acknowledged
                testify(door.turn, *self.told)

    @contextmanager
    def closed(self):
        """The bench's file, complete and held by nobody, for whoever copies it as a whole. Yields the lock file, None where all is read-only."""
        door = _doors[self.file]
        with door.mine(), permissions.masked(permissions.bits(self.path) or 0o600):
            self._close(door)
            turn = take_turn(self.path / ".lock")
            try:
                yield turn
            finally:
                if turn is not None:
                    os.close(turn)

    def _open(self, read_only=False, beside=None):
        until = time.monotonic() + PATIENCE
        if self.file.exists() and not self.file.stat().st_size:
            raise self._broken("the file is empty")  # duckdb would take it for a new one
        while True:
            try:
                con = Opened(self.file, read_only, beside)
                break
            except duckdb.Error as e:
                if "onflicting lock" not in str(e):
                    raise (self._broken(e) if type(e) in BROKEN else e) from None
                if (
                    time.monotonic() > until
                ):  # a foreign program, such as the duckdb shell; the message names its PID
                    raise Held(
                        f"expected the bench to be free, found: {e}",
                        "close the program that has it open",
                    ) from None
                time.sleep(0.05)
        inode = os.stat(self.file).st_ino
        if inode != self.inode:  # another file than the last time: restored, or copied over
            self.inode = inode
            self.states.clear()
            self.positions.clear()
            self.nodes = None
        return con

    def _broken(self, e):
        """What DuckDB cannot read or write, as the person who can act must hear it."""
        text = str(e).splitlines()[0]
        if FULL.search(text):
            return UserError(
                f"expected room on the disk of {self.path}, found: {text}",
                "free some space and try again: what was acknowledged is safe",
            )
        return UserError(
            f"expected a readable bench file, found {self.file.name} damaged: {text}",
            self.way_back(),
        )

    def behind(self, con):
        """What says that acknowledged edits are gone, or "": the log ends before its witness says that it did."""
        seq, head = self.witness() or (0, "")
        last, now = con.execute(
            "select (select coalesce(max(seq), 0) from edits), value from meta where key = 'head'"
        ).fetchall()[0]
        if last < seq:
            return f"expected a log of {seq:,} edits in {self.file.name}, found {last:,}: the file lost {seq - last:,} acknowledged edits"
        if last == seq and seq and now != head:
            return f"expected the log that was written last in {self.file.name}, found another of the same length"
        return ""

    def witness(self):
        """(edits, hash) of the log as it was acknowledged last; None where that is damaged: see turns.witness."""
        return witness(self.path / ".lock")

    def way_back(self):
        """The hint that names the last good backup."""
        from assay.curation.storage.backup import last_good

        good = last_good(self)
        if good is None:
            return f"there is no good backup in {self.path / 'backups'} (one is kept at each commit): bring back {self.file} from a copy of your own"
        return f"the last good backup is {good['file'].name} ({good['upto']:,} edits); to go back to it: assay restore -b {self.given}"

    def rows(self, query, params=None):
        """Rows of a query of our own; what a person wrote goes through `sql`."""
        with self.connect() as con:
            return con.execute(query, params).fetchall()

    def query(self, query, params=None):
        """A query of our own as a DataFrame."""
        with self.connect() as con:
            return con.execute(query, params).df()

    def sql(self, query, limit=100_000, seconds=30):
        """A person's SELECT over the bench as a DataFrame: at most `limit` rows, at most `seconds` long. It reads a copy of the bench and
        nothing else, in a process of its own, and nobody waits for it: see asking.ask."""
        from assay.curation.storage.queries import ask

        return ask(self, query, limit, seconds)

    def append(self, con, edits, batch, who):
        """Append a frame of edits (sample, field, value; else the defaults below) as one link of the log. batch: its name, or one for each row."""
        check(who, "the name of who decides")
        defaults = dict(origin=batch, verdict="set", why="", suggested=None, seconds=None)
        edits = edits.assign(
            **{k: v for k, v in defaults.items() if k not in edits}, n=range(1, len(edits) + 1)
        )
        stamp = uuid.uuid4().hex[:24]  # a uid is made once and survives a merge, where seq does not
        con.register(
            "new_edits",
            edits.assign(batch=batch, who=who, ts=now(), uid=[f"{stamp}{n:08x}" for n in edits.n]),
        )
        self.link(con, "new_edits", len(edits))
        con.unregister("new_edits")

    def link(self, con, table, count):
        """Append the `count` edits of a table (uid, batch, origin, sample, ..., ts, n) as one link, the only way into the log. `prev_hash` is the
        hash of all that stood before the link, so nothing can be changed unseen."""
        unusual = {field for (field,) in con.execute(UNUSUAL.format(table=table)).fetchall()}
        wrong = unusual and improper(con, table)
        assert not wrong, f"expected a value of its field in every edit, found {wrong[0]}"
        before, head = con.execute(
            "select (select coalesce(max(seq), 0) from edits), value from meta where key = 'head'"
        ).fetchall()[0]
        con.execute(
            f"""insert into edits select $before + n, uid, $head, batch, origin, sample, field, value, verdict, who, why, suggested, seconds, ts
            from {table} order by n""",
            dict(before=before, head=head),
        )
        if "place" in unusual:
            con.execute(MOVE.format(table=table))
        link = con.execute(LINK, [before, before + count]).fetchall()[0][0]
        head = sha256((head + link).encode()).hexdigest()
        con.execute("update meta set value = ? where key = 'head'", [head])
        self.told = str(before + count), head

    def read_beside(self):
        """Inside of connect(beside=...): open that file, of which one has the turn by now, as `theirs`."""
        opened = _doors[self.file].con
        opened.attach(opened.beside, "theirs", True)

    def chain_breaks(self):
        """Seqs at which the log is not what it was when it was written; [] for a sound log."""
        with self.connect() as con:
            return chain_breaks(con)

"""A bench: a folder whose facts are one append-only log of edits in DuckDB, opened, used and closed at every access."""

import fcntl
import os
import threading
import time
import uuid
from collections import defaultdict
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import duckdb

from curation.errors import UserError

SCHEMA = "1"
PATIENCE = 30  # seconds to wait for a bench that somebody else has open
TABLES = """
create table meta (key varchar primary key, value varchar);
create table samples (id varchar, source varchar, key varchar, uri varchar, content_hash varchar, width integer, height integer,
    meta json, parent varchar);
create table edits (seq bigint, uid varchar, prev_hash varchar, batch varchar, origin varchar, sample varchar, field varchar,
    value json, verdict varchar, who varchar, why varchar, suggested json, seconds double, ts timestamp);
create table commits (name varchar primary key, upto bigint, tree varchar, parent varchar, message varchar, who varchar, ts timestamp);
create table left_out (batch varchar, source varchar, key varchar, reason varchar);
create table runs (key varchar primary key, train_tree varchar, arch varchar, seed integer, config json, recipe integer,
    code varchar, seconds double, ts timestamp);
create table issues (kind varchar, sample varchar, score double, suggestion varchar, why varchar, upto bigint);
create table clusters (key varchar, sample varchar, cluster integer, x float, y float);
"""
LINK = """select sha256(string_agg(sha256(json_array(seq, uid, prev_hash, batch, origin, sample, field, value, verdict, who, why,
    suggested, seconds, epoch_us(ts))::varchar), '' order by seq)) from edits where seq > ? and seq <= ?"""
_locks = defaultdict(threading.RLock)  # streamlit sessions are threads: without one lock a bench, threads lose writes


def now():
    return datetime.now(UTC).replace(tzinfo=None)


class Store:
    """How a bench's DuckDB file is reached. `Bench` (curation.bench) adds what a dataset is."""

    def __init__(self, path):
        self.given = path  # as its user calls it
        self.path = Path(path).absolute()
        self.file = self.path / "assay.duckdb"
        self.arrays = self.path / "arrays"

    def create(self):
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise UserError(f"expected a folder that can be written for the bench, found: {e}", "choose another with -b") from None
        with self.transaction() as con:
            if not con.execute("select 1 from duckdb_tables() where table_name = 'meta'").fetchall():  # nobody was faster
                con.execute(TABLES)
                con.execute("insert into meta values ('schema', ?), ('head', '')", [SCHEMA])

    def verify(self):
        """Refuse what is no bench, or one whose schema this code does not know."""
        if not self.file.exists():
            raise UserError(f"expected a bench in {self.path}, found no {self.file.name}", "make one: assay import SOURCE -b BENCH")
        with self.connect() as con:
            known = con.execute("select 1 from duckdb_tables() where table_name = 'meta'").fetchall()
            found = con.execute("select value from meta where key = 'schema'").fetchall() if known else []
        if found != [(SCHEMA,)]:
            raise UserError(
                f"expected a bench of schema {SCHEMA} in {self.path}, found schema {found[0][0] if found else 'of no number'}",
                "open it with the Assay that made it, or import its sources into a new bench",
            )

    @contextmanager
    def connect(self):
        """A DuckDB connection that nobody else has meanwhile. Compute before or after, never inside."""
        with _locks[self.file], self._turn():
            con = self._open()
            try:
                yield con
            finally:
                con.close()

    @contextmanager
    def transaction(self):
        """As `connect`; what happens inside is stored durably as a whole, or not at all."""
        with self.connect() as con:
            con.begin()
            try:
                yield con
            except BaseException:
                con.rollback()
                raise
            con.commit()

    @contextmanager
    def _turn(self):
        """DuckDB refuses a second process; this lock file makes it wait instead. The kernel drops it with its holder."""
        try:
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as e:
            raise UserError(f"expected a bench that can be written, found: {e}", "check the folder and its permissions") from None
        try:
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        holder = os.pread(lock, 20, 0).decode().strip()
                        raise UserError(
                            f"expected the bench to be free within {PATIENCE} s, found it held by process {holder}",
                            f"see what process {holder} does (ps -p {holder}), end it, and try again",
                        ) from None
                    time.sleep(0.002)
            os.pwrite(lock, str(os.getpid()).ljust(20).encode(), 0)
            yield
        finally:
            os.close(lock)

    def _open(self):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return duckdb.connect(str(self.file), config={"python_enable_replacements": False})
            except duckdb.Error as e:
                if "onflicting lock" not in str(e):
                    raise UserError(f"expected a readable bench file, found: {e}", f"restore {self.file} from a copy") from None
                if time.monotonic() > until:  # a foreign program, such as the duckdb shell; the message names its PID
                    raise UserError(f"expected the bench to be free, found: {e}", "close the program that has it open") from None
                time.sleep(0.05)

    def rows(self, query, params=None):
        """Rows of a query of our own; what a person wrote goes through `sql`."""
        with self.connect() as con:
            return con.execute(query, params).fetchall()

    def query(self, query, params=None):
        """A query of our own as a DataFrame."""
        with self.connect() as con:
            return con.execute(query, params).df()

    def sql(self, query, limit=100_000, seconds=30):
        """A person's SELECT over the bench as a DataFrame: at most `limit` rows, at most `seconds` long. It reads the bench and
        nothing else; a read-only connection alone could still read any file, and write one by COPY."""
        with self.connect() as con:
            try:
                statements = con.extract_statements(query)
            except duckdb.Error as e:
                raise UserError(f"expected a SELECT, found: {e}", "mend the query") from None
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UserError(f"expected one SELECT, found {len(statements)} statement(s): {query[:80]!r}", "send one SELECT")
            for setting in ("enable_external_access = false", "lock_configuration = true"):
                con.execute(f"set {setting}")
            con.execute("begin transaction read only")
            watch = threading.Timer(seconds, con.interrupt)
            watch.start()
            try:
                return con.execute(statements[0]).fetch_df_chunk(-(-limit // 2048)).head(limit)
            except duckdb.InterruptException:
                raise UserError(f"expected an answer within {seconds} s, found none", "narrow the query, or raise seconds=") from None
            except duckdb.Error as e:
                raise UserError(f"expected a query over the bench alone, found: {e}", "tables: samples edits commits runs issues") from None
            finally:
                watch.cancel()

    def append(self, con, edits, batch, who):
        """Append a frame of edits (sample, field, value; else the defaults below) as one link of the log, the only way into it.
        `prev_hash` is the hash of all that stood before the link, so nothing can be changed unseen."""
        defaults = dict(origin=batch, verdict="set", why="", suggested=None, seconds=None)
        edits = edits.assign(**{k: v for k, v in defaults.items() if k not in edits})
        before, head = con.execute("select (select coalesce(max(seq), 0) from edits), value from meta where key = 'head'").fetchall()[0]
        stamp = uuid.uuid4().hex[:24]  # a uid is made once and survives a merge, where seq does not
        con.register("new_edits", edits.assign(n=range(1, len(edits) + 1)))
        con.execute(
            """insert into edits select $before + n, $stamp || printf('%08x', n), $head, $batch, origin, sample, field, value, verdict,
            $who, why, suggested, seconds, $ts from new_edits order by n""",
            dict(before=before, stamp=stamp, head=head, batch=batch, who=who, ts=now()),
        )
        con.unregister("new_edits")
        link = con.execute(LINK, [before, before + len(edits)]).fetchall()[0][0]
        con.execute("update meta set value = ? where key = 'head'", [sha256((head + link).encode()).hexdigest()])

    def chain_breaks(self):
        """Seqs at which the log is not what it was when it was written; [] for a sound log."""
        with self.connect() as con:
            links = con.execute("select prev_hash, min(seq), max(seq), count(*) from edits group by 1 order by 2").fetchall()
            head, at, breaks = "", 0, []
            for prev, first, last, n in links:
                if prev != head or first != at + 1 or n != last - at:
                    breaks.append(first)
                link = con.execute(LINK, [at, last]).fetchall()[0][0]
                head, at = sha256((prev + link).encode()).hexdigest(), last
            if con.execute("select value from meta where key = 'head'").fetchall() != [(head,)]:
                breaks.append(at + 1)
        return breaks


def new_batch(kind):
    return f"{kind}-{uuid.uuid4().hex[:12]}"

"""Store a bench as one append-only log of edits.

It lies in DuckDB, in the bench's folder. How the file is reached is in access.py.
"""

from __future__ import annotations

import json
import os
import uuid
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from assay.curation.errors import NoBench, UserError
from assay.curation.storage.access import FileAccess
from assay.curation.storage.backup import suggest_backup
from assay.curation.storage.bench_files import refuse_links, remove_empty_folders
from assay.curation.storage.catalog import schema_error
from assay.curation.storage.engine import FILE_ERRORS, SETTINGS
from assay.curation.storage.queries import run_query
from assay.curation.storage.schema import (
    FILE,
    HAS_TABLES,
    KIND_COLUMNS,
    LINK,
    LOG_END,
    MOVE_SAMPLES,
    SCHEMA,
    SCHEMA_EDITS,
    SCHEMAS,
    UNUSUAL_FIELDS,
    UPGRADES,
    find_chain_breaks,
    find_invalid_edits,
)
from assay.curation.system import permissions
from assay.curation.text import check_person, format_count
from assay.curation.times import now

if TYPE_CHECKING:
    import pandas as pd


MAKE = "make one: assay import SOURCE -b BENCH"


class Made(NamedTuple):
    """What making a bench made, so that it can be taken back."""

    folders: list[Path]  # the deepest first
    group: bool


class Store(FileAccess):
    """The log of a bench. `Bench` (curation.bench) adds what a dataset is."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.upgrade_note = ""  # what an upgrade put right, in words
        self.made: Made | None = None  # where this very object made the bench

    def create(self, group: bool = False) -> None:
        """Make an empty bench where there is none.

        For its owner alone, or for its `group`, too.
        """
        new = [p for p in (self.path, *self.path.parents) if not p.exists()]
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
        with permissions.limit_umask(0o660 if group else 0o600):
            with self.hold_closed():
                if not self.file.exists():  # nobody was faster
                    self._write_empty(self.path / f"{FILE}.partial")
                    self.made = Made(new, group)
            permissions.set_modes(self.path, group)

    def remove_empty(self, error: BaseException | None = None) -> None:
        """Remove a bench that was just made, and into which nothing came.

        With the folders that were made for it; but what was decoded stays, for the next try, and
        `error`, for which nothing came, says so.
        """
        if self.made is None or not self.file.exists() or self.rows("select 1 from edits limit 1"):
            return
        for file in (FILE, f"{FILE}.wal", ".lock"):
            (self.path / file).unlink(missing_ok=True)
        remove_empty_folders(self.arrays, self.made.folders)
        if isinstance(error, UserError) and self.arrays.exists():
            error.add_hint(f"what was decoded stays in {self.given} for the next try")
        self.inode = None
        self.states.clear()
        self.positions.clear()

    def _write_empty(self, partial: Path) -> None:
        """Write an empty bench's file as a whole or not at all."""
        for file in (partial, Path(f"{partial}.wal")):  # of a process that was killed here
            file.unlink(missing_ok=True)
        try:
            with duckdb.connect(str(partial), config=SETTINGS) as con:
                con.execute(SCHEMAS[SCHEMA])
                con.execute("insert into meta values ('schema', ?), ('head', '')", [SCHEMA])
        except FILE_ERRORS as e:
            raise self._explain(e) from None
        os.replace(partial, self.file)

    def verify(self, check_tail: bool = True) -> None:
        """Refuse what is no sound bench; upgrade an older one.

        UserError for a folder without a bench, a schema that this code does not know, and a log
        that has lost acknowledged edits, or (`check_tail`) of which nobody can tell.
        """
        refuse_links(self.path)
        if check_tail and self.read_tail() is None:
            raise UserError(
                f"expected {self.path / '.lock'} to say where the log ends, "
                "found it damaged: lost edits would not be seen",
                f"assay check --repair -b {self.given} reads the log as a whole "
                "and writes its end down again",
            )
        if not self.file.exists() and (self.path / "backups").exists():
            raise UserError(
                f"expected {self.file.name} in {self.path}, found it gone", suggest_backup(self)
            )
        if not self.file.exists():
            raise NoBench(
                f"expected a bench in {self.path}, found no {self.file.name}",
                MAKE,
                self.path,
                FILE,
            )
        with self.connect() as con:
            has_tables = bool(con.execute(HAS_TABLES).fetchall())
            schema = "select value from meta where key = 'schema'"
            found = con.execute(schema).fetchall() if has_tables else []
            elsewhere = "select value from meta where key = 'arrays'"
            asked = con.execute(elsewhere).fetchall() if has_tables else []
            self.arrays_address = asked[0][0] if asked else None
            lost = found and self.find_loss(con)
        if found and found[0][0] in UPGRADES:
            self._upgrade()
        elif not has_tables:
            raise UserError(
                f"expected a bench in {self.path}, "
                f"found that making {self.file.name} was cut short",
                f"nothing is lost: delete {self.file}, and import again",
            )
        elif found != [(SCHEMA,)]:
            raise schema_error(self.path, SCHEMA, found[0][0] if found else "of no number")
        if lost:
            raise UserError(lost, suggest_backup(self))

    def _upgrade(self) -> None:
        """Bring a bench to the newest schema: the same facts."""
        with self.transaction() as con:
            con.execute(f"use {self.database_name()}")
            before = int(con.execute("select value from meta where key = 'schema'").fetchone()[0])
            for schema, change in UPGRADES.items():
                of_schema = "select value = ? from meta where key = 'schema'"
                # somebody may have been faster
                if con.execute(of_schema, [schema]).fetchall() == [(True,)]:
                    number = f"update meta set value = '{int(schema) + 1}' where key = 'schema'"
                    con.execute(f"{change} {number}")
            self.upgrade_note = self.mend(con) if before <= 3 else ""

    def mend(self, con: duckdb.DuckDBPyConnection) -> str:
        """Mend what an upgrade finds; returns it in words.

        A bench knows what may be in it.
        """
        return ""

    def find_loss(self, con: duckdb.DuckDBPyConnection) -> str:
        """Say that acknowledged edits are gone, or "".

        They are where the log ends before its tail says that it did.
        """
        seq, head = self.read_tail() or (0, "")
        last, now_head = _log_end(con)
        if last < seq:
            return (
                f"expected a log of {format_count(seq, 'edit')} in {self.file.name}, found {last:,}: "
                f"the file lost {format_count(seq - last, 'acknowledged edit')}"
            )
        if last == seq and seq and now_head != head:
            return (
                f"expected the log that was written last in {self.file.name}, "
                "found another of the same length"
            )
        return ""

    # ---- what is read

    def rows(self, query: str, params: Any = None) -> list[tuple]:
        """Run a query of our own, as tuples.

        What a person wrote goes through `sql`.
        """
        with self.connect() as con:
            return con.execute(query, params).fetchall()

    def query(self, query: str, params: Any = None) -> pd.DataFrame:
        """Run a query of our own, as a DataFrame."""
        with self.connect() as con:
            return con.execute(query, params).df()

    def sql(self, query: str, limit: int = 100_000, seconds: float = 30) -> pd.DataFrame:
        """Run a person's SELECT over the bench, as a DataFrame.

        At most `limit` rows, at most `seconds` long. It reads a copy of the bench and nothing
        else, in a process of its own, and nobody waits for it: see queries.run_query.
        """
        return run_query(self, query, limit, seconds)

    def chain_breaks(self) -> list[int]:
        """Find the seqs where the log is not what was written.

        [] for a sound log.
        """
        with self.connect() as con:
            return find_chain_breaks(con)

    # ---- what is written

    def append(
        self,
        con: duckdb.DuckDBPyConnection,
        edits: pd.DataFrame,
        batch: str | pd.Series,
        who: str,
    ) -> None:
        """Append a frame of edits as one link of the log.

        edits  # columns sample, field, value; else the defaults below; ts where it is not now
        batch  # its name, or one for each row
        """
        check_person(who)
        defaults = dict(origin=batch, verdict="set", why="", suggested=None, seconds=None)
        defaults["ts"] = now()
        edits = edits.assign(
            **{k: v for k, v in defaults.items() if k not in edits}, n=range(1, len(edits) + 1)
        )
        stamp = uuid.uuid4().hex[:24]  # a uid is made once and survives a merge, where seq does not
        con.register(
            "new_edits",
            edits.assign(batch=batch, who=who, uid=[f"{stamp}{n:08x}" for n in edits.n]),
        )
        self.link(con, "new_edits", len(edits))
        con.unregister("new_edits")

    def link(self, con: duckdb.DuckDBPyConnection, table: str, count: int) -> None:
        """Append the edits of a table as one link.

        The only way into the log. The table has `count` rows (uid, batch, origin, sample, ..., ts,
        n). `prev_hash` is the hash of all that was there before the link, so nothing can be changed
        unseen.
        """
        unusual = {field for (field,) in con.execute(UNUSUAL_FIELDS.format(table=table)).fetchall()}
        wrong = unusual and find_invalid_edits(con, table)
        assert not wrong, f"expected a value of its field in every edit, found {wrong[0]}"
        before, head = _log_end(con)
        con.execute(
            f"""insert into edits select $before + n, uid, $head, batch, origin, sample, field, value,
                verdict, who, why, suggested, seconds, ts, {", ".join(KIND_COLUMNS.values())}
            from {table} order by n""",
            dict(before=before, head=head),
        )
        if "schema" in unusual:
            _keep_schema_edits(con, before)
        if "place" in unusual:
            con.execute(MOVE_SAMPLES.format(table=table))
        link = con.execute(LINK, [before, before + count]).fetchall()[0][0]
        head = sha256((head + link).encode()).hexdigest()
        con.execute("update meta set value = ? where key = 'head'", [head])
        self.new_tail = str(before + count), head


def _keep_schema_edits(con: duckdb.DuckDBPyConnection, before: int) -> None:
    """Write down where the schema edits after a position are."""
    found = con.execute(SCHEMA_EDITS).fetchall()
    known = [seq for seq in json.loads(found[0][0]) if seq <= before] if found else []
    new = "select seq from edits where seq > ? and field = 'schema' order by seq"
    known += [seq for (seq,) in con.execute(new, [before]).fetchall()]
    con.execute("insert or replace into meta values ('schema_edits', ?)", [json.dumps(known)])


def _log_end(con: duckdb.DuckDBPyConnection) -> tuple[int, str]:
    """(edits, hash) of the log as it is now."""
    return con.execute(LOG_END).fetchall()[0]

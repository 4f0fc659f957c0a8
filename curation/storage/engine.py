"""Open a bench's file in a DuckDB that can reach nothing else.

The DuckDB of a file stays for the next time: to start one for every access took ten times as long
as all else together.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import duckdb

from assay.curation.storage.catalog import refuse_foreign
from assay.curation.storage.schema import FILE, SCHEMAS
from assay.curation.system.scratch import scratch_folder

# what says that the file is at fault
FILE_ERRORS = (
    duckdb.Error,
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.InternalException,
)
NO_ROOM = re.compile(
    "No space left|not enough space|File too large|Disk quota|out of disk", re.IGNORECASE
)
SETTINGS = dict(
    python_enable_replacements=False,
    autoinstall_known_extensions=False,
    autoload_known_extensions=False,
    allow_community_extensions=False,
    allow_persistent_secrets=False,
    max_temp_directory_size="16GB",
)


class AttachedFile:
    """A file attached to a DuckDB that can reach that file alone, and `beside`, one more to read."""

    engines: OrderedDict[tuple, duckdb.DuckDBPyConnection] = OrderedDict()
    starting = threading.Lock()
    names = itertools.count()
    KEPT = 8  # engines
    # {file: (which version of it holds nothing foreign, its inode)}: what nobody else has written
    # since is not looked at again
    checked: dict[Path, tuple] = {}

    def __init__(self, file: Path, read_only: bool, beside: Path | None = None) -> None:
        self.file, self.beside, self.name = file, beside, f"bench{next(self.names)}"
        self.started = self.engine(*filter(None, [file, beside]))
        self.attach(file, self.name, read_only)

    @classmethod
    def engine(cls, *files: Path) -> duckdb.DuckDBPyConnection:
        """The DuckDB that can reach these files, started where there is none."""
        with cls.starting:
            if files not in cls.engines:
                spill = str(scratch_folder() / "spill")
                con = duckdb.connect(config=SETTINGS | dict(temp_directory=spill))
                endings = ("", ".wal", ".wal.checkpoint", ".wal.recovery")
                paths = [quote_path(f"{file}{ending}") for file in files for ending in endings]
                con.execute(f"set allowed_paths = [{', '.join(paths)}]")
                con.execute("set enable_external_access = false")
                cls.engines[files] = con
                # one that is at work lives until its last cursor is closed
                while len(cls.engines) > cls.KEPT:
                    cls.engines.popitem(last=False)
            cls.engines.move_to_end(files)
            return cls.engines[files]

    def attach(self, file: Path, name: str, read_only: bool) -> None:
        """Attach a file as `name`.

        UserError where it holds what no bench does.
        """
        now, (then, inode) = file_version(file), self.checked.get(file, (None, None))
        mode = "read_only" if read_only else "read_write"
        with self.started.cursor() as con:
            con.execute(f"attach {quote_path(file)} as {name} (type duckdb, {mode})")
            if now is None or now != then:
                place = file.parent if file.name == FILE else file
                macros = now is None or now[0][0] != inode
                try:
                    refuse_foreign(con, name, place, SCHEMAS, macros)
                except BaseException:
                    self.detach(name)
                    raise

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Open a connection to the file.

        DuckDB's own functions come first: no macro takes the place of one.
        """
        con = self.started.cursor()
        con.execute(f"set search_path = 'system.main,{self.name}.main'")
        return con

    def close(self) -> None:
        """Detach the file, and `beside`; their DuckDB stays."""
        if self.beside:
            with suppress(duckdb.Error):  # it was never read
                self.detach("theirs")
        self.detach(self.name)
        if now := file_version(self.file):
            self.checked[self.file] = now, now[0][0]

    def detach(self, name: str) -> None:
        """Detach one file."""
        try:
            with self.started.cursor() as con:
                con.execute(f"detach {name}")
        except duckdb.Error as e:
            self.forget(self.file)
            # then what was committed stands beside the file, in its .wal
            if "CHECKPOINT during DETACH failed" not in str(e):
                raise

    @classmethod
    def forget(cls, file: Path) -> None:
        """Forget the engines of a file, which may be broken with it."""
        for files in [f for f in cls.engines if file in f]:
            cls.engines.pop(files, None)
        cls.checked.pop(file, None)


def quote_path(path: str | Path) -> str:
    """Quote a path for SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def file_version(file: Path) -> tuple[tuple, ...] | None:
    """Stamp a DuckDB file, so that a new writing shows.

    With what DuckDB has not folded into it yet; None where there is no file.
    """
    try:
        found = [os.stat(file)]
        with suppress(FileNotFoundError):
            found.append(os.stat(f"{file}.wal"))
    except FileNotFoundError:
        return None
    return tuple((f.st_ino, f.st_size, f.st_mtime_ns, f.st_ctime_ns) for f in found)


def reset_after_fork() -> None:
    """Start without engines in a child process, where their threads are missing.

    They are neither used nor taken down there.
    """
    AttachedFile.left, AttachedFile.engines = AttachedFile.engines, OrderedDict()
    AttachedFile.starting = threading.Lock()

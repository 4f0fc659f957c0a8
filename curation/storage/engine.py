"""One DuckDB for each file, which can reach nothing else."""

import itertools
import os
import re
import threading
from collections import OrderedDict
from contextlib import suppress

import duckdb

from assay.curation.storage.catalog import refuse_foreign
from assay.curation.storage.schema import FILE, SCHEMAS
from assay.curation.system.scratch import scratch

BROKEN = (
    duckdb.Error,
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.InternalException,
)  # the file's fault
FULL = re.compile(
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


class Opened:
    """A file opened in a DuckDB that can reach that file alone, and `beside`, a second one to read. The DuckDB stays for the next time: to start one
    for every access took ten times as long as all else together."""

    engines, starting, names, KEPT = OrderedDict(), threading.Lock(), itertools.count(), 8
    known = {}  # {file: (which writing of it holds nothing foreign, its inode)}: what nobody else has written since is not looked at again

    def __init__(self, file, read_only, beside=None):
        self.file, self.beside, self.name = file, beside, f"bench{next(self.names)}"
        self.started = self.engine(*filter(None, [file, beside]))
        self.attach(file, self.name, read_only)

    @classmethod
    def engine(cls, *files):
        with cls.starting:
            if files not in cls.engines:
                con = duckdb.connect(
                    config=SETTINGS | dict(temp_directory=str(scratch() / "spill"))
                )
                paths = [
                    quoted(f"{file}{more}")
                    for file in files
                    for more in ("", ".wal", ".wal.checkpoint", ".wal.recovery")
                ]
                con.execute(f"set allowed_paths = [{', '.join(paths)}]")
                con.execute("set enable_external_access = false")
                cls.engines[files] = con
                while (
                    len(cls.engines) > cls.KEPT
                ):  # one that is at work lives until its last cursor is closed
                    cls.engines.popitem(last=False)
            cls.engines.move_to_end(files)
            return cls.engines[files]

    def attach(self, file, name, read_only):
        now, (then, inode) = writing(file), self.known.get(file, (None, None))
        with self.started.cursor() as con:
            con.execute(
                f"attach {quoted(file)} as {name} (type duckdb, read_{'only' if read_only else 'write'})"
            )
            if now is None or now != then:
                place = file.parent if file.name == FILE else file
                try:
                    refuse_foreign(
                        con, name, place, SCHEMAS, macros=now is None or now[0][0] != inode
                    )
                except BaseException:
                    self.detach(name)
                    raise

    def cursor(self):
        """DuckDB's own functions come first: no macro takes the place of one."""
        con = self.started.cursor()
        con.execute(f"set search_path = 'system.main,{self.name}.main'")
        return con

    def close(self):
        if self.beside:
            with suppress(duckdb.Error):  # it was never read
                self.detach("theirs")
        self.detach(self.name)
        if now := writing(self.file):
            self.known[self.file] = now, now[0][0]

    def detach(self, name):
        try:
            with self.started.cursor() as con:
                con.execute(f"detach {name}")
        except duckdb.Error as e:
            self.forget(self.file)
            if "CHECKPOINT during DETACH failed" not in str(
                e
            ):  # then what was committed stands beside the file, in its .wal
                raise

    @classmethod
    def forget(cls, file):
        """What was opened with the file may be broken with it: whoever comes next gets another."""
        for files in [f for f in cls.engines if file in f]:
            cls.engines.pop(files, None)
        cls.known.pop(file, None)


def quoted(path):
    return "'" + str(path).replace("'", "''") + "'"


def writing(file):
    """Which writing of a file this is, and of what DuckDB has not folded into it yet; None where there is no file."""
    try:
        found = [os.stat(file)]
        with suppress(FileNotFoundError):
            found.append(os.stat(f"{file}.wal"))
    except FileNotFoundError:
        return None
    return tuple((f.st_ino, f.st_size, f.st_mtime_ns, f.st_ctime_ns) for f in found)


def forked():
    """In a child the engine's threads are missing: it is neither used nor taken down there."""
    Opened.left, Opened.engines, Opened.starting = Opened.engines, OrderedDict(), threading.Lock()

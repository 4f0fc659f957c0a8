"""Open and close the DuckDB file at every access.

Threads and processes come one after the other: see locks.py.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from assay.curation.errors import BenchBusy, DiskFull, UserError
from assay.curation.storage.backup import suggest_backup
from assay.curation.storage.engine import FILE_ERRORS, NO_ROOM, AttachedFile, reset_after_fork
from assay.curation.storage.locks import (
    PATIENCE,
    SHARE,
    ThreadQueue,
    acquire,
    read_tail,
    write_tail,
)
from assay.curation.storage.schema import FILE
from assay.curation.system import permissions

_queues: defaultdict[Path, ThreadQueue] = defaultdict(ThreadQueue)  # {bench's file: its queue}

os.register_at_fork(after_in_child=reset_after_fork)


class FileAccess:
    """How a bench's file is reached, and what is remembered of it while it is the same file."""

    def __init__(self, path: str | Path) -> None:
        self.given = path  # as its user calls it
        self.path = Path(path).absolute()
        self.file = self.path / FILE
        self.arrays = self.path / "arrays"
        self.inode: int | None = None
        self.states: dict = {}
        self.positions: dict = {}
        self.nodes = None
        self.likeness: dict = {}
        self.arrays_address: str | None = None  # in object storage, where the bench says so
        self.stages = None  # during a scan by shards: see stages.Stages
        self.new_tail: tuple[str, str] | None = None  # of the log, in the present transaction

    @contextmanager
    def connect(self, beside: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a DuckDB connection that nobody else has meanwhile.

        Compute before or after, never inside. A thread that waits gets the open file of the one
        before it. beside: another bench's file, which can be read as `theirs` (attach_beside).
        """
        queue = _queues[self.file]
        with queue.wait_turn(), self._umask():
            sound = False
            try:
                if beside:
                    self._close(queue)
                if queue.con is None:
                    queue.turn = acquire(self.path / ".lock")
                    queue.con = self._open(queue.turn is None, beside)
                    queue.until = time.monotonic() + SHARE
                con = queue.con.cursor()  # what this one registers or sets is nobody else's
                con.execute("set enable_progress_bar = false")  # it would draw over our own
                try:
                    yield con
                finally:
                    con.close()
                sound = True
            except duckdb.Error as e:
                if type(e) in FILE_ERRORS or NO_ROOM.search(str(e)):
                    AttachedFile.forget(self.file)
                    raise self._explain(e) from None
                sound = type(e) is duckdb.InterruptException
                raise
            except UserError:
                sound = True
                raise
            finally:
                shared = sound and not beside and queue.has_waiters()
                if not (shared and time.monotonic() < queue.until):
                    self._close(queue)

    @contextmanager
    def transaction(self, beside: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a connection as `connect` does, and store what happens inside durably.

        As a whole, or not at all.
        """
        with self.connect(beside) as con:
            queue = _queues[self.file]
            if queue.turn is None:
                raise UserError(
                    f"expected a bench that can be written, found {self.path} read-only",
                    "copy the folder to where you may write",
                )
            con.begin()
            self.new_tail = None
            try:
                yield con
            except BaseException:
                with suppress(duckdb.Error):  # a connection that broke has rolled back already
                    con.rollback()
                raise
            con.commit()
            if self.new_tail:
                write_tail(queue.turn, *self.new_tail)

    @contextmanager
    def hold_closed(self) -> Iterator[int | None]:
        """Keep the bench's file closed, for whoever copies it as a whole.

        It is complete then, and nobody else has it. Yields the lock file, None where all is
        read-only.
        """
        queue = _queues[self.file]
        with queue.wait_turn(), self._umask():
            self._close(queue)
            turn = acquire(self.path / ".lock")
            try:
                yield turn
            finally:
                if turn is not None:
                    os.close(turn)

    def attach_beside(self) -> None:
        """Open the file of `connect(beside)` as `theirs`.

        For whoever has its turn by now.
        """
        attached = _queues[self.file].con
        attached.attach(attached.beside, "theirs", True)

    def database_name(self) -> str:
        """The name under which DuckDB knows the file that is open now."""
        return _queues[self.file].con.name

    def read_tail(self) -> tuple[int, str] | None:
        """Read where the log ended when it was acknowledged last: (edits, hash).

        None where that is damaged: see log_tail.read_tail.
        """
        return read_tail(self.path / ".lock")

    def _umask(self):
        """Limit the umask while DuckDB makes files.

        They are for whom the bench is for.
        """
        return permissions.limit_umask(permissions.file_mode(self.path) or 0o600)

    def _close(self, queue: ThreadQueue) -> None:
        try:
            queue.close()
        except duckdb.Error as e:  # what was committed is in the file or beside it, in its .wal
            raise self._explain(e) from None

    def _open(self, read_only: bool, beside: Path | None) -> AttachedFile:
        if self.file.exists() and not self.file.stat().st_size:
            raise self._explain("the file is empty")  # duckdb would take it for a new one
        until = time.monotonic() + PATIENCE
        while True:
            try:
                attached = AttachedFile(self.file, read_only, beside)
                break
            except duckdb.Error as e:
                if "onflicting lock" not in str(e):
                    raise (self._explain(e) if type(e) in FILE_ERRORS else e) from None
                # a foreign program, such as the duckdb shell; the message names its PID
                if time.monotonic() > until:
                    raise BenchBusy(
                        f"expected the bench to be free, found: {e}",
                        "close the program that has it open",
                    ) from None
                time.sleep(0.05)
        self._forget_other_file()
        return attached

    def _forget_other_file(self) -> None:
        """Forget what was remembered of another file.

        The bench was restored, or copied over.
        """
        inode = os.stat(self.file).st_ino
        if inode != self.inode:
            self.inode = inode
            self.states.clear()
            self.positions.clear()
            self.nodes = None
            self.likeness.clear()

    def _explain(self, e: duckdb.Error | str) -> UserError:
        """Tell who can act what DuckDB cannot do."""
        text = str(e).splitlines()[0]
        if NO_ROOM.search(text):
            return DiskFull(
                f"expected room on the disk of {self.path}, found: {text}",
                "free some space and try again: what was acknowledged is safe",
            )
        return UserError(
            f"expected a readable bench file, found {self.file.name} damaged: {text}",
            suggest_backup(self),
        )

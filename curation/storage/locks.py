"""Wait for one's turn with a bench's file; guard its end.

First come, first served, among the threads of a process and among processes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.curation.errors import BenchBusy, UserError
from assay.curation.system.permissions import opener

PATIENCE = 30  # seconds to wait for a bench that somebody else has open
# seconds for which the threads of one process may hand an open bench on before other processes
# get their turn
SHARE = 0.4


class ThreadQueue:
    """The one way into a bench's file for the threads of this process.

    Without it, threads lose writes. `con` is the open file and `turn` the lock file of this
    process; whoever is next finds both, until `until`.
    """

    def __init__(self) -> None:
        self.queue: deque[threading.Event] = deque()
        self.count = threading.Lock()
        self.con = None
        self.turn: int | None = None
        self.until = 0.0

    @contextmanager
    def wait_turn(self) -> Iterator[None]:
        """Wait until no other thread has the file; BenchBusy after PATIENCE."""
        me = threading.Event()
        with self.count:
            self.queue.append(me)
            if self.queue[0] is me:
                me.set()
        try:
            if not me.wait(PATIENCE):
                raise BenchBusy(
                    f"expected the bench to be free within {PATIENCE} s, "
                    "found it held by another thread",
                    "try again",
                )
            yield
        finally:
            with self.count:
                self.queue.remove(me)
                if self.queue:
                    self.queue[0].set()

    def has_waiters(self) -> bool:
        """Tell whether another thread waits for the file."""
        return len(self.queue) > 1

    def close(self) -> None:
        """Close the file, and end this process's turn."""
        con, turn, self.con, self.turn = self.con, self.turn, None, None
        try:
            if con is not None:
                con.close()
        finally:
            if turn is not None:
                os.close(turn)


def acquire(path: Path) -> int | None:
    """Wait for the turn of this process with a lock file.

    Returns the file at `path`, opened. Closing it ends the turn, and so does the end of the
    process. None where the folder is read-only; BenchBusy after PATIENCE.
    """
    try:
        turn = opener(path, os.O_RDWR | os.O_CREAT)
    except OSError as e:
        if e.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return None
        raise UserError(
            f"expected a bench that can be written, found: {e}", "check the folder and its disk"
        ) from None
    came = threading.Event()  # waiting is for a thread, since neither lock knows a time limit

    def wait(mine: int) -> None:
        _wait_in_line(mine)
        came.set()
        os.close(mine)

    threading.Thread(target=wait, args=[os.dup(turn)], daemon=True).start()
    try:
        in_time = came.wait(PATIENCE)
    except BaseException:  # somebody stops the program while it waits
        os.close(turn)
        raise
    if not in_time:
        holder = os.pread(turn, 20, 0).strip()  # written by whoever had the file before us
        os.close(turn)
        raise _busy(holder)
    os.pwrite(turn, str(os.getpid()).ljust(20).encode(), 0)
    return turn


def _busy(holder: bytes) -> BenchBusy:
    """The error that names who holds the bench.

    By a number or not at all: anybody may have written the lock file.
    """
    problem = f"expected the bench to be free within {PATIENCE} s, found it held by "
    if not holder.isdigit():
        return BenchBusy(problem + "another process", "wait for its end, and try again")
    pid = int(holder)
    return BenchBusy(
        f"{problem}process {pid}",
        f"see what process {pid} does (ps -p {pid}), end it, and try again",
    )


def _wait_in_line(turn: int) -> None:
    """Draw a number, and wait until nobody holds one before it.

    A number is held by locking the byte of that number: the kernel lets go of the bytes of a
    process that ended. With one plain lock for all, one of sixteen waited for seconds while others
    came and went.
    """
    fcntl.flock(turn, fcntl.LOCK_EX)
    if not hasattr(fcntl, "F_OFD_SETLKW"):  # not Linux: no order among those who wait
        return
    drawn = os.pread(turn, 20, 20).strip()
    # in a damaged file, who came before is in order no more, but still alone
    number = int(drawn) if drawn.isdigit() else 0
    os.pwrite(turn, str(number + 1).ljust(20).encode(), 20)
    _lock_bytes(turn, fcntl.F_WRLCK, number, 1)
    fcntl.flock(turn, fcntl.LOCK_UN)
    if number:
        _lock_bytes(turn, fcntl.F_RDLCK, 0, number)
        _lock_bytes(turn, fcntl.F_UNLCK, 0, number)


def _lock_bytes(turn: int, kind: int, start: int, length: int) -> None:
    lock = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    fcntl.fcntl(turn, fcntl.F_OFD_SETLKW, lock)


TAIL_AT = 40  # bytes; before it stand the holder's process and the number drawn last


def read_tail(path: Path) -> tuple[int, str] | None:
    """Read the end of the log as it was acknowledged last.

    (edits, hash); (0, "") where nobody edited the bench since it was copied without its lock file;
    None where that was written and cannot be read any more.
    """
    try:
        written = path.read_bytes()[TAIL_AT:].split(b"\n")[0].strip(b" \0")
    except OSError:
        return 0, ""
    if not written:
        return 0, ""
    try:
        seq, head, *check = written.decode().split()  # an older Assay wrote no checksum
        return (int(seq), head) if check in ([], [_checksum(seq, head)]) else None
    except ValueError:
        return None


def write_tail(turn: int, seq: int | str, head: str) -> None:
    """Write the end of the log into the open lock file `turn`."""
    os.pwrite(turn, f"{seq:<20} {head} {_checksum(seq, head)}\n".encode(), TAIL_AT)


def _checksum(seq: int | str, head: str) -> str:
    return f"{zlib.crc32(f'{seq} {head}'.encode()):08x}"

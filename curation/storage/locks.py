"""Whose turn it is with a bench's file: first come, first served, among the threads of a process and among processes."""

import errno
import fcntl
import os
import struct
import threading
import zlib
from collections import deque
from contextlib import contextmanager
from functools import wraps

from assay.curation.errors import Held, UserError
from assay.curation.system.permissions import opener

SESSION = 14 * 24 * 3600  # seconds after which nobody comes back to a review session


def at_work(job):
    """Mark a job(bench, ...) that writes arrays as running while it does; the kernel drops the mark with its process."""

    @wraps(job)
    def marked(bench, *args, **more):
        with lock_folder(bench, fcntl.LOCK_SH):
            return job(bench, *args, **more)

    return marked


@contextmanager
def alone(bench):
    """Nobody imports, scans or trains meanwhile; UserError where somebody does."""
    try:
        with lock_folder(bench, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError:
        raise UserError(
            "expected nobody at work on the arrays, found an import, a scan or an experiment",
            "wait for its end",
        ) from None


@contextmanager
def lock_folder(bench, how):
    folder = os.open(
        bench.path, os.O_RDONLY
    )  # the folder itself is the lock: no file to leave behind
    try:
        fcntl.flock(folder, how)
        yield
    finally:
        os.close(folder)


PATIENCE = 30  # seconds to wait for a bench that somebody else has open
SHARE = 0.4  # seconds for which the threads of one process may hand an open bench on before other processes get their turn
WITNESS = 40  # where in the lock file the witness begins: before it stand the holder's process and the number drawn last


class Door:
    """The one way into a bench's file for the threads of this process: without it, threads lose writes."""

    def __init__(self):
        self.queue, self.count = deque(), threading.Lock()
        self.con = self.turn = None
        self.until = 0.0

    @contextmanager
    def mine(self):
        me = threading.Event()
        with self.count:
            self.queue.append(me)
            if self.queue[0] is me:
                me.set()
        try:
            if not me.wait(PATIENCE):
                raise Held(
                    f"expected the bench to be free within {PATIENCE} s, found it held by another thread",
                    "try again",
                )
            yield
        finally:
            with self.count:
                self.queue.remove(me)
                if self.queue:
                    self.queue[0].set()

    def waited_for(self):
        return len(self.queue) > 1

    def close(self):
        con, turn, self.con, self.turn = self.con, self.turn, None, None
        try:
            if con is not None:
                con.close()
        finally:
            if turn is not None:
                os.close(turn)


def take_turn(path):
    """Wait for the turn of this process with the lock file `path`; returns it opened: closing it ends the turn, and so does the end of the
    process. None where the folder is read-only."""
    try:
        turn = opener(path, os.O_RDWR | os.O_CREAT)
    except OSError as e:
        if e.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return None
        raise UserError(
            f"expected a bench that can be written, found: {e}", "check the folder and its disk"
        ) from None
    came = threading.Event()  # waiting is for a thread, since neither lock knows a time limit
    threading.Thread(
        target=lambda mine: (wait(mine), came.set(), os.close(mine)),
        args=[os.dup(turn)],
        daemon=True,
    ).start()
    try:
        in_time = came.wait(PATIENCE)
    except BaseException:  # somebody stops the program while it waits
        os.close(turn)
        raise
    if not in_time:
        said = os.pread(turn, 20, 0).strip()  # by whoever had the file before us
        os.close(turn)
        problem = f"expected the bench to be free within {PATIENCE} s, found it held by "
        if not said.isdigit():
            raise Held(problem + "another process", "wait for its end, and try again")
        raise Held(
            f"{problem}process {int(said)}",
            f"see what process {int(said)} does (ps -p {int(said)}), end it, and try again",
        )
    os.pwrite(turn, str(os.getpid()).ljust(20).encode(), 0)
    return turn


def wait(turn):
    """Draw a number, hold the byte of that number, and wait until nobody holds a byte before it: the kernel lets go of the bytes of a process
    that ended. With one plain lock for all, one of sixteen waited for seconds while others came and went."""
    fcntl.flock(turn, fcntl.LOCK_EX)
    if not hasattr(fcntl, "F_OFD_SETLKW"):  # not Linux: no order among those who wait
        return
    drawn = os.pread(turn, 20, 20).strip()
    number = (
        int(drawn) if drawn.isdigit() else 0
    )  # a damaged file: who came before is in order no more, but still alone
    os.pwrite(turn, str(number + 1).ljust(20).encode(), 20)
    hold(turn, fcntl.F_WRLCK, number, 1)
    fcntl.flock(turn, fcntl.LOCK_UN)
    if number:
        hold(turn, fcntl.F_RDLCK, 0, number)
        hold(turn, fcntl.F_UNLCK, 0, number)


def hold(turn, kind, start, length):
    fcntl.fcntl(
        turn, fcntl.F_OFD_SETLKW, struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    )


def witness(path):
    """(edits, hash) of the log as it was acknowledged last; (0, "") where nobody edited the bench since it was copied without its lock file; None
    where that was written and cannot be read any more."""
    try:
        written = path.read_bytes()[WITNESS:].split(b"\n")[0].strip(b" \0")
    except OSError:
        return 0, ""
    if not written:
        return 0, ""
    try:
        seq, head, *check = written.decode().split()  # an older Assay wrote no checksum
        return (int(seq), head) if check in ([], [checksum(seq, head)]) else None
    except ValueError:
        return None


def testify(turn, seq, head):
    os.pwrite(turn, f"{seq:<20} {head} {checksum(seq, head)}\n".encode(), WITNESS)


def checksum(seq, head):
    return f"{zlib.crc32(f'{seq} {head}'.encode()):08x}"

"""A folder of this process alone for what it need not keep: nobody else can read it, and it goes with the process."""

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "assay-scratch-"
_mine = {}  # {process: (its folder, what holds it)}


def scratch():
    """The folder of this process, made when it is asked for first. Those of processes that were killed go then."""
    if os.getpid() not in _mine:  # one that was forked off has its own
        sweep(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # 0700
        held = os.open(folder, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_SH)  # the kernel lets go of it when the process ends, however it does
        _mine[os.getpid()] = folder, held
        atexit.register(leave, os.getpid())
    return _mine[os.getpid()][0]


def leave(process):
    if process == os.getpid() and process in _mine:
        shutil.rmtree(_mine.pop(process)[0], ignore_errors=True)


def sweep(parent):
    """Delete the folders there that nobody holds."""
    for folder in parent.glob(f"{PREFIX}????????"):
        with suppress(OSError):
            found = folder.lstat()
            if found.st_uid != os.getuid() or folder.is_symlink() or found.st_mtime > time.time() - 60:  # being made
                continue
            held = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)

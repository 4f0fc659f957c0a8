"""Folders that go with their process: one for what it need not keep, which nobody else can read, and those that it has not yet filled."""

import atexit
import fcntl
import glob
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.curation.system import permissions

PREFIX = "assay-scratch-"
_mine = {}  # {process: (its folder, what holds it)}


def scratch():
    """The folder of this process, made when it is asked for first. Those of processes that were killed go then."""
    if os.getpid() not in _mine:  # one that was forked off has its own
        sweep(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # 0700
        _mine[os.getpid()] = folder, hold(folder)
        atexit.register(leave, os.getpid())
    return _mine[os.getpid()][0]


def leave(process):
    if process == os.getpid() and process in _mine:
        shutil.rmtree(_mine.pop(process)[0], ignore_errors=True)


def hold(folder):
    """Say that a folder is at work: the kernel lets go of it when the process ends, however it does."""
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    return held


def sweep(parent):
    """Delete the folders there that nobody holds."""
    for folder in parent.glob(f"{PREFIX}????????"):
        with suppress(OSError):
            if folder.lstat().st_mtime < time.time() - 60:  # else it may be being made
                forsake(folder)


def forsake(folder):
    """Delete a folder of ours that nobody holds."""
    with suppress(OSError):
        if folder.lstat().st_uid == os.getuid():
            held = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)


@contextmanager
def whole(folder):
    """A folder beside `folder` to fill, which takes its place when all is well, and goes when not. What killed processes left there goes first."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.partial-*"):
        forsake(left)
    partial = permissions.folder(folder.with_name(f".{folder.name}.partial-{os.getpid()}"))
    held = hold(partial)
    try:
        yield partial
        if folder.exists():
            folder.rmdir()
        os.replace(partial, folder)
    finally:
        os.close(held)
        shutil.rmtree(partial, ignore_errors=True)

"""Folders that go with their process.

One for what the process need not keep, which nobody else can read, and those that it has not yet
filled.
"""

from __future__ import annotations

import atexit
import fcntl
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.curation.system import permissions

PREFIX = "assay-scratch-"
_mine: dict[int, tuple[Path, int]] = {}  # {process: (its folder, what holds it)}


def scratch_folder() -> Path:
    """The scratch folder of this process, made when first asked for.

    Those of processes that were killed go then.
    """
    if os.getpid() not in _mine:  # one that was forked off has its own
        delete_abandoned(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # 0700
        _mine[os.getpid()] = folder, hold_folder(folder)
        atexit.register(remove_scratch, os.getpid())
    return _mine[os.getpid()][0]


def remove_scratch(process: int) -> None:
    """Delete the scratch folder of a process, where this is that process."""
    if process == os.getpid() and process in _mine:
        shutil.rmtree(_mine.pop(process)[0], ignore_errors=True)


def hold_folder(folder: Path) -> int:
    """Mark a folder as in use.

    Until the file that is returned is closed; the kernel closes it when the process ends, however it does.
    """
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    return held


def delete_abandoned(parent: Path) -> None:
    """Delete the scratch folders that nobody holds."""
    for folder in parent.glob(f"{PREFIX}????????"):
        with suppress(OSError):
            if folder.lstat().st_mtime < time.time() - 60:  # else it may be being made
                delete_unheld(folder)


def delete_unheld(folder: Path) -> None:
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
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Write a folder whole or not at all.

    Yields a folder beside it to fill, which takes its place when all is well, and goes when not.
    What killed processes left there goes first.
    """
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.partial-*"):
        delete_unheld(left)
    partial = permissions.make_folder(folder.with_name(f".{folder.name}.partial-{os.getpid()}"))
    held = hold_folder(partial)
    try:
        yield partial
        if folder.exists():
            folder.rmdir()
        os.replace(partial, folder)
    finally:
        os.close(held)
        shutil.rmtree(partial, ignore_errors=True)

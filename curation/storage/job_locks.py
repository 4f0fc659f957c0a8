"""Lock the arrays of a bench, shared or alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

from assay.curation.errors import UserError
from assay.curation.storage.interface import Bench


def shared_lock(job: Callable) -> Callable:
    """Mark a job(bench, ...) that writes arrays as running while it does.

    A decorator. The kernel drops the mark with its process.
    """

    @wraps(job)
    def run_locked(bench, *args, **more):
        with _lock_folder(bench, fcntl.LOCK_SH):
            return job(bench, *args, **more)

    return run_locked


@contextmanager
def exclusive_lock(bench: Bench) -> Iterator[None]:
    """Keep imports, scans and runs away meanwhile.

    UserError where one is at work.
    """
    try:
        with _lock_folder(bench, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError:
        raise UserError(
            "expected nobody at work on the arrays, found an import, a scan or an experiment",
            "wait for its end",
        ) from None


@contextmanager
def _lock_folder(bench: Bench, how: int) -> Iterator[None]:
    # the folder itself is the lock: no file to leave behind
    folder = os.open(bench.path, os.O_RDONLY)
    try:
        fcntl.flock(folder, how)
        yield
    finally:
        os.close(folder)

"""Keep Python from looking for circles of objects where there are none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pause_collector() -> Iterator[None]:
    """Pause the garbage collector.

    Samples are millions of small objects without circles among them: to look through all of them
    again and again takes a third of the time of listing them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def keep_loaded() -> Iterator[None]:
    """Pause the garbage collector, and exclude what is loaded meanwhile from it.

    Modules stay until the program ends: to look through them takes a tenth of the CPU of
    `assay status`.
    """
    with pause_collector():
        yield
        if gc.get_freeze_count():  # by the program `assay` itself, and not by a test or notebook
            gc.freeze()

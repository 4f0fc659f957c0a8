"""How much memory threads may take together while decoding."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

BUDGET = 512 << 20  # bytes of all threads together; a larger image is decoded alone

_held, _freed = [0], threading.Condition()


@contextmanager
def reserve_memory(size: int) -> Iterator[None]:
    """Wait until `size` bytes fit beside what other threads hold.

    Or until nobody else holds any."""
    with _freed:
        _freed.wait_for(lambda: not _held[0] or _held[0] + size <= BUDGET)
        _held[0] += size
    try:
        yield
    finally:
        with _freed:
            _held[0] -= size
            _freed.notify_all()

"""Have a process keep the memory that it frees, for the next array."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# of mallopt(3)
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEPT = 2**30  # bytes


@cache
def keep_freed_memory() -> None:
    """Have glibc keep what is freed, a gigabyte at most; nothing where there is no glibc.

    It gives every array of more than 32 MB back to the kernel, which clears each page anew for the next: a quarter of
    the time of a search among neighbours' neighbours.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, KEPT)
        mallopt(M_TOP_PAD, KEPT // 16)

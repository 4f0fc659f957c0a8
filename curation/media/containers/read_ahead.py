"""Read the pieces of a file in order, small ones together."""

from __future__ import annotations

import os

AHEAD = 1 << 18  # bytes that are read at once, where small pieces follow one another
NEAR = 1 << 13  # bytes between two pieces, where reading them costs less than another call


class ReadAhead:
    """A file that is read forward: as os.pread, with fewer calls to the system."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.window, self.start = b"", 0  # what was read, and from where on
        self.last = -1  # where the last piece ended

    def read(self, size: int, at: int) -> bytes:
        """Read a piece; shorter where the file ends."""
        skip = at - self.start
        near, self.last = 0 <= at - self.last <= NEAR, at + size
        if 0 <= skip and skip + size <= len(self.window):
            return self.window[skip : skip + size]
        if not near or size > AHEAD // 4:
            return os.pread(self.fd, size, at)
        self.window, self.start = os.pread(self.fd, AHEAD, at), at
        return self.window[:size]

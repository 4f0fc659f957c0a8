"""Remember where the log ended, in the lock file.

A bench that comes back shorter than that has lost edits that were acknowledged.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

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

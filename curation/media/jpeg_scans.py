"""A JPEG's scans, read from its markers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# within entropy-coded data: stuffing, restarts and fill bytes are none
MARKER = re.compile(b"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


@dataclass(frozen=True)
class Scan:
    """One scan: which coefficients of which components it brings, and where its data lie."""

    components: list[int]
    all_components: list[int]  # of the frame
    first: int  # of the coefficients, 0 to 63
    last: int
    low_bit: int  # down to which it brings them
    start: int  # of its data in the file
    end: int
    flat: bool  # do zeros mean a flat area?


def read_scans(blob: bytes) -> Iterator[Scan]:
    """Read the scans of a JPEG's first image."""
    at, tables, frame = 2, {}, []
    while at + 4 <= len(blob) and blob[at] == 0xFF:
        kind, size = blob[at + 1], int.from_bytes(blob[at + 2 : at + 4], "big")
        body = blob[at + 4 : at + 2 + size]
        if kind == 0xFF:
            at += 1
            continue
        if kind == 0xD9:
            return
        if kind == 0xC4:
            tables |= first_symbols(body)
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC) and len(body) > 5:
            frame = [body[6 + 3 * i] for i in range(body[5]) if 6 + 3 * i < len(body)]
        at += 2 + size
        if kind == 0xDA and body and len(body) >= 4 + 2 * body[0]:
            end = found.start() if (found := MARKER.search(blob, at)) else len(blob)
            used = [body[2 + 2 * i] for i in range(body[0])]
            first, last, bits = body[-3:]
            yield Scan(
                components=[body[1 + 2 * i] for i in range(body[0])],
                all_components=frame,
                first=first,
                last=last,
                low_bit=bits & 15,
                start=at,
                end=end,
                flat=all(tables.get(t) == 0 for u in used for t in (u >> 4, 16 + (u & 15))),
            )
            at = end


def first_symbols(body: bytes) -> dict[int, int]:
    """Read which symbol has the code of all zeros, by table.

    body: a DHT segment. Tables 0 to 3 are for DC, 16 to 19 for AC."""
    out = {}
    while len(body) > 17:
        out[body[0]] = body[17]
        body = body[17 + sum(body[1:17]) :]
    return out

"""Where in a shard at an address a member lies, as its uri says.

s3://b/0.tar::1536+4096:ETAG:a/1.jpg lies at byte 1,536 and has 4,096. Of Parquet a uri tells the whole
file, whose footer says where a row lies.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from assay.curation.media.containers.base import Wanted

PLACED = re.compile(r"(\d+)\+(\d+):([\w.+=/-]*?):(.+)", re.DOTALL)


class Placed(NamedTuple):
    """A member of a shard, and where in it it lies."""

    start: int
    size: int
    stamp: str  # of the shard's state when it was read
    member: str
    number: int = -1  # under which it is answered


def read_place(wanted: Wanted) -> Placed | None:
    """Read where a member lies, None where its uri does not say so."""
    match = PLACED.fullmatch(wanted.member)
    return match and Placed(int(match[1]), int(match[2]), match[3], match[4], wanted.index)


def write_place(place: Placed) -> str:
    return f"{place.start}+{place.size}:{place.stamp}:{place.member}"

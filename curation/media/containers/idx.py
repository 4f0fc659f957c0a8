"""IDX: the files of MNIST and its relatives, gzipped or not."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from typing import IO, NamedTuple

from assay.curation.media.containers.stacks import Stack, Stacked, find_shape, read_rows_of
from assay.curation.media.files import BadMedia
from assay.curation.text import format_count

SUFFIXES = (
    *(f"{sep}idx{n}-ubyte{gz}" for sep in "-." for n in (1, 3, 4) for gz in ("", ".gz")),
    ".idx",
    ".idx.gz",
)
BYTE = 8  # the code of unsigned bytes
MOST_SIDES = 4


class IdxHeader(NamedTuple):
    shape: tuple[int, ...]
    kind: int  # the code of its values' type
    offset: int


def open_idx(path: str) -> IO[bytes]:
    return gzip.open(path, "rb") if path.lower().endswith(".gz") else open(path, "rb")


def read_idx_header(path: str) -> IdxHeader:
    """Read the head of an IDX file.

    Raises BadMedia where it is none, or of another size.
    """
    try:
        with open_idx(path) as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= MOST_SIDES:
                raise BadMedia("is no IDX file: it does not start with 0 0, a type and a dimension")
            sides = file.read(4 * magic[3])
    except (OSError, EOFError) as e:
        raise BadMedia(f"cannot be read ({str(e)[:100]})") from None
    if len(sides) < 4 * magic[3]:
        raise BadMedia("is cut short")
    shape = tuple(int.from_bytes(sides[i : i + 4], "big") for i in range(0, len(sides), 4))
    header = IdxHeader(shape, magic[2], 4 + len(sides))
    size = header.offset
    values = 1
    for n in shape:
        values *= n
    about = os.path.getsize(path)
    if path.lower().endswith(".gz"):
        if values > max(1 << 30, 1100 * about):  # gzip cannot shrink more
            raise BadMedia(
                f"says that it holds {format_count(values, 'value')}, in {format_count(about, 'byte')} of gzip"
            )
    elif magic[2] == BYTE and size + values != about:
        raise BadMedia(
            f"says that it holds {format_count(values, 'byte')}, and has {about - size:,}"
        )
    return header


class IdxFile:
    """One array of bytes."""

    def list_stacks(self, path: str) -> dict[str, Stack]:
        header = read_idx_header(path)
        shape = find_shape(header.shape) if len(header.shape) in (3, 4) else None
        if header.kind != BYTE or shape is None:
            return {}
        return {"": Stack(header.shape[0], shape, header.offset)}

    def read_rows(self, path: str, name: str, rows: list[int]) -> Iterator[bytes]:
        yield from read_rows_of(lambda: open_idx(path), self.list_stacks(path)[name], rows)


CONTAINER = Stacked("idx", SUFFIXES, IdxFile())

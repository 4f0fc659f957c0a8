"""What is kept of a tar at an address: where its files lie, and its texts.

A record has the name of its tar in a folder of this machine, and is read as the tar would be. Its
images alone are not there.
"""

from __future__ import annotations

import json
import os
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_records: set[str] = set()  # paths of records, which are no tars


class Member(NamedTuple):
    name: str
    start: int  # of its first header
    data: int  # of its bytes
    size: int  # of its bytes
    end: int  # of its last block


class TarIndex(NamedTuple):
    members: list[Member]  # its files, in order
    end: int  # of the last member; the rest is padding
    complete: bool  # whether it has the mark that ends a tar


class TarRecord(NamedTuple):
    """The index of a tar, and the bytes of its texts."""

    contents: TarIndex
    texts: dict[int, bytes]  # by where they begin in the tar

    def read(self, size: int, at: int) -> bytes:
        """Read a text; shorter where it was not kept."""
        return self.texts.get(at, b"")[:size]


def write_record(file: Path, record: TarRecord) -> None:
    """Write a record, in about a tenth of the bytes of its headers."""
    texts = {at: blob.decode("latin-1") for at, blob in record.texts.items()}
    told = json.dumps(dict(index=record.contents, texts=texts))
    file.write_bytes(zlib.compress(told.encode(), 1))


def mark_record(path: str) -> None:
    """Say that a path is a record, in this process."""
    _records.add(path)


def unmark_record(path: str) -> None:
    """Say that a path is a file of its own again."""
    _records.discard(path)


def is_record(path: str) -> bool:
    return path in _records


def load_record(path: str) -> TarRecord:
    about = os.stat(path)
    return _load_record(path, about.st_ino, about.st_mtime_ns)


@lru_cache(maxsize=2)  # its texts are read one by one
def _load_record(path: str, _number: int, _changed: int) -> TarRecord:
    told = json.loads(zlib.decompress(Path(path).read_bytes()))
    members, end, complete = told["index"]
    index = TarIndex([Member(*member) for member in members], end, complete)
    texts = {int(at): text.encode("latin-1") for at, text in told["texts"].items()}
    return TarRecord(index, texts)

"""What a tar holds, and at which bytes.

Python's tarfile takes 0.1 ms a member, as long as a small image takes to decode; and a patch needs the blocks as they
are.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from zlib import adler32

from assay.curation.media.containers.read_ahead import ReadAhead
from assay.curation.media.containers.tar_record import (
    Member,
    TarIndex,
    TarRecord,
    is_record,
    load_record,
)
from assay.curation.media.files import BadMedia
from assay.curation.text import format_count

BLOCK = 512
ZEROS = bytes(BLOCK)
MOST_MEMBERS = 1_000_000
MOST_KEPT = 200_000  # members whose places stay in memory, of all tars together
LONGEST = 1 << 16  # bytes of a long name, or of a member's extended header
KINDS = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe"}


def index_tar(path: str) -> TarIndex:
    """Find every file in a tar.

    Raises BadMedia where it is damaged, or holds what is no plain file of it: a link, a device, a
    name that leaves its folder, a name twice.
    """
    about = os.stat(path)
    return _kept.get((path, about.st_mtime_ns, about.st_size))


class _Kept:
    """The indexes that were used last."""

    def __init__(self) -> None:
        self.indexes: OrderedDict[tuple[str, int, int], TarIndex] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: tuple[str, int, int]) -> TarIndex:
        with self.lock:
            if key not in self.indexes:
                self.indexes[key] = read_index(key[0])
            self.indexes.move_to_end(key)
            held = sum(len(index.members) for index in self.indexes.values())
            while held > MOST_KEPT and len(self.indexes) > 1:
                held -= len(self.indexes.popitem(last=False)[1].members)
            return self.indexes[key]


_kept = _Kept()


@contextmanager
def open_tar(path: str) -> Iterator[ReadAhead | TarRecord]:
    """Open what reads the bytes of a tar, or those that were kept of one at an address."""
    if is_record(path):
        yield load_record(path)
        return
    with open(path, "rb", buffering=0) as opened:
        yield ReadAhead(opened.fileno())


def read_first_members(path: str, count: int) -> list[Member]:
    """Read the first files of a tar, and no more of it; raises BadMedia."""
    if is_record(path):
        return index_tar(path).members[:count]
    found = []
    with open(path, "rb", buffering=0) as opened:
        file, size, at = ReadAhead(opened.fileno()), os.fstat(opened.fileno()).st_size, 0
        for _ in range(count):
            if at >= size or not (member := read_member(file, at, size)):
                break
            at = member[0].end
            if member[1] == b"0":
                found.append(member[0])
    return found


def read_index(path: str) -> TarIndex:
    """Read the headers of a tar."""
    if is_record(path):
        return load_record(path).contents
    members: list[Member] = []
    names: set[str] = set()
    with open(path, "rb", buffering=0) as opened:
        file, size = ReadAhead(opened.fileno()), os.fstat(opened.fileno()).st_size
        at = 0
        while at + BLOCK <= size:
            found = read_member(file, at, size)
            if found is None:
                refuse_more(file.fd, at, size)
                return TarIndex(members, at, True)
            member, kind = found
            if wrong := find_harm(member.name, kind):
                raise BadMedia(f"holds {member.name[:200]!r}, which {wrong}")
            if kind == b"0":
                if member.name in names:
                    raise BadMedia(f"holds {member.name[:200]!r} twice")
                if len(names) == MOST_MEMBERS:
                    raise BadMedia(f"holds more than {format_count(MOST_MEMBERS, 'file')}")
                names.add(member.name)
                members.append(member)
            at = member.end
        if not members or at != size:
            raise BadMedia("is cut short" if members else "is no tar")
    return TarIndex(members, at, False)


def read_member(file: ReadAhead, at: int, size: int) -> tuple[Member, bytes] | None:
    """Read the headers of one member.

    Returns (member, its type), None at the end of the tar.
    """
    start, extended, blocks, skip = at, {}, file.read(4 * BLOCK, at), 0
    while True:
        head = blocks[skip : skip + BLOCK]
        if len(head) < BLOCK:
            head = file.read(BLOCK, at)
        if head == ZEROS and at == start:
            return None
        if len(head) < BLOCK or not is_header(head):
            raise BadMedia(f"is no tar, or damaged at byte {at:,}")
        kind, length = head[156:157], read_number(head[124:136], at)
        if kind not in b"xgXLK":
            break
        if length > LONGEST:
            raise BadMedia(f"has a header of {format_count(length, 'byte')} at byte {at:,}")
        body = blocks[skip + BLOCK : skip + BLOCK + length]
        if len(body) < length:
            body = file.read(length, at + BLOCK)
        if kind == b"L":
            extended["path"] = body.rstrip(b"\0").decode("utf-8", "surrogateescape")
        elif kind != b"K":
            extended |= read_extended(body, at)
        padded = BLOCK + -(-length // BLOCK) * BLOCK
        at, skip = at + padded, skip + padded
    name = ""
    if extended:
        if any(name.startswith("GNU.sparse") for name in extended):
            kind = b"S"
        length, name = int(extended.get("size", length)), extended.get("path", "")
    name = name or read_name(head)
    kind = b"5" if name.endswith("/") and kind in b"0\0" else b"0" if kind in b"\x007" else kind
    data = at + BLOCK
    end = data + (-(-length // BLOCK) * BLOCK if kind in b"0S" else 0)
    if data + length > size and kind == b"0":
        raise BadMedia(
            f"is cut short: {name[:200]!r} has {format_count(length, 'byte')}, and it ends before"
        )
    return Member(name.removeprefix("./"), start, data, length, min(end, size)), kind


@lru_cache(maxsize=16)  # the first of a member's two headers is often that of the one before
def is_header(head: bytes) -> bool:
    """Whether the checksum of a header is right."""
    try:
        told = int(head[148:156].partition(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        return False
    # adler32 adds up to 256 bytes exactly, in a tenth of the time of Python's sum
    first, second, last = adler32(head[:148]), adler32(head[156:400]), adler32(head[400:])
    return told == (first & 0xFFFF) + (second & 0xFFFF) + (last & 0xFFFF) - 3 + 8 * 32


def read_number(field: bytes, at: int) -> int:
    try:
        if field[0] == 0x80:  # too large for octal digits
            return int.from_bytes(field[1:], "big")
        return int(field.partition(b"\0")[0].strip() or b"0", 8)
    except ValueError:
        raise BadMedia(f"is damaged at byte {at:,}: a size is no number") from None


def read_name(head: bytes) -> str:
    name = head[:100].partition(b"\0")[0]
    if head[257:263] == b"ustar\0" and head[345]:
        name = head[345:500].partition(b"\0")[0] + b"/" + name
    return name.decode("utf-8", "surrogateescape")


def read_extended(body: bytes, at: int) -> dict[str, str]:
    """Read the records "LENGTH NAME=VALUE" of an extended header."""
    found = {}
    try:
        body = body.rstrip(b"\0")
        while body:
            told, blank, _ = body.partition(b" ")
            length = int(told)
            if not blank or length <= len(told):
                raise ValueError
            name, _, value = body[len(told) + 1 : length - 1].partition(b"=")
            found[name.decode()] = value.decode("utf-8", "surrogateescape")
            body = body[length:]
        if not found.get("size", "0").isdigit():
            raise ValueError
    except ValueError:
        raise BadMedia(f"is damaged at byte {at:,}: its extended header") from None
    return found


def find_harm(name: str, kind: bytes) -> str | None:
    """Say what makes a member no plain file of its tar."""
    if kind not in b"05":
        return f"is {KINDS.get(kind, 'a sparse file' if kind == b'S' else 'no file')}"
    if "\0" in name or "\\" in name or name.startswith("/"):
        return "leaves the folder that it would be unpacked into"
    if ".." in name and ".." in name.split("/"):
        return "leaves the folder that it would be unpacked into"
    if len(name) > 2_000:
        return "has too long a name"
    return None


def refuse_more(fd: int, at: int, size: int) -> None:
    """Refuse a tar that goes on after its end."""
    while at < size:
        piece = os.pread(fd, 1 << 20, at)
        if piece.strip(b"\0"):
            raise BadMedia(
                f"goes on after its end at byte {at:,}, as joined tars do:"
                " unpack it with tar --ignore-zeros"
            )
        at += len(piece)
        if not piece:
            return

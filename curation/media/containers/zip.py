"""Zip: an image in a member, read where it lies."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from assay.curation.media.containers.base import Wanted
from assay.curation.media.containers.read_ahead import ReadAhead
from assay.curation.media.files import MAX_BYTES, BadMedia

HEADER = 30  # bytes of a member's own header, before its name
ENCRYPTED = 1  # the flag of a member


class ZipMember(NamedTuple):
    """What the directory of a zip says of a file, by zipfile's names and in a tenth of its memory."""

    filename: str
    orig_filename: str  # before a NUL cuts it
    header_offset: int
    compress_size: int
    file_size: int
    compress_type: int
    CRC: int
    flag_bits: int
    external_attr: int

    def is_dir(self) -> bool:
        return self.filename.endswith("/")


class ZipDirectory(NamedTuple):
    members: list[ZipMember]  # folders too
    files: dict[str, ZipMember]  # those that can be read, by name


class Zip:
    """Members of a zip, stored or deflated."""

    name = "zip"
    suffixes = (".zip",)

    def list_members(self, path: str) -> list[str]:
        try:
            return list(index_zip(path))
        except (OSError, BadMedia):
            return []

    def read_members(
        self, path: str, wanted: list[Wanted]
    ) -> Iterator[tuple[int, bytes | BadMedia]]:
        try:
            members = index_zip(path)
            opened = open(path, "rb", buffering=0)
        except (OSError, BadMedia) as e:
            reason = f"{path} {e if isinstance(e, BadMedia) else 'cannot be read'}"
            yield from ((i, BadMedia(reason)) for _, i in wanted)
            return
        found = [
            (members[member].header_offset, member, i) for member, i in wanted if member in members
        ]
        with opened:
            file = ReadAhead(opened.fileno())
            for _, member, i in sorted(found):
                yield i, read_member(file, members[member])
        for member, i in wanted:
            if member not in members:
                yield i, BadMedia(f"{path} has no member {member[:200]}")


CONTAINER = Zip()


def index_zip(path: str) -> dict[str, ZipMember]:
    """Find every file in a zip by its name.

    Raises BadMedia where it is damaged.
    """
    try:
        return read_directory(path).files
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as e:
        raise BadMedia(f"is damaged ({str(e)[:100]})") from None


def read_directory(path: str) -> ZipDirectory:
    """Read what a zip says that it holds.

    Raises zipfile's errors where it is damaged.
    """
    about = os.stat(path)
    return _read_directory(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=2)
def _read_directory(path: str, changed: int, size: int) -> ZipDirectory:
    with zipfile.ZipFile(path) as archive:
        members = [
            ZipMember(
                i.filename,
                i.orig_filename,
                i.header_offset,
                i.compress_size,
                i.file_size,
                i.compress_type,
                i.CRC,
                i.flag_bits,
                i.external_attr,
            )
            for i in archive.infolist()
        ]
    plain = {m.filename: m for m in members if not m.is_dir() and not m.flag_bits & ENCRYPTED}
    return ZipDirectory(members, plain)


def read_member(file: ReadAhead, member: ZipMember) -> bytes | BadMedia:
    """Read a member, and no more than it says that it is."""
    if max(member.file_size, member.compress_size) > MAX_BYTES:
        return BadMedia(f"is larger than {MAX_BYTES >> 20} MB")
    try:
        head = file.read(HEADER, member.header_offset)
        skip = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        blob = file.read(member.compress_size, member.header_offset + HEADER + skip)
    except OSError as e:
        return BadMedia(f"cannot be read ({e.strerror})")
    if member.compress_type == zipfile.ZIP_DEFLATED:
        try:
            blob = zlib.decompressobj(-15).decompress(blob, member.file_size + 1)
        except zlib.error:
            return BadMedia("is damaged in its zip")
    elif member.compress_type != zipfile.ZIP_STORED:
        return BadMedia("is compressed in another way than zip programs do by default")
    if len(blob) != member.file_size or zlib.crc32(blob) != member.CRC:
        return BadMedia("is damaged in its zip: it is not what was packed")
    return blob

"""Write a tar again with some members changed."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import IO

from assay.curation.errors import UserError
from assay.curation.media.containers.tar_index import BLOCK, index_tar
from assay.curation.media.containers.tar_record import Member

PIECE = 1 << 20
RECORD = 20 * BLOCK  # most programs fill a tar up to a multiple of it


def rewrite_tar(
    source: str,
    target: Path,
    contents: dict[str, bytes | None],
    added: dict[str, list[tuple[str, bytes]]] | None = None,
    renamed: dict[str, str] | None = None,
) -> None:
    """Write `source` to `target` with changed members.

    contents: name -> its new bytes; None: the member goes. added: name -> the (name, bytes) that
    follow it. renamed: name -> its new name. Headers, order and times of all others stay.
    """
    index = index_tar(source)
    with open(source, "rb") as old, open(target, "wb") as new:
        done = 0
        for member in index.members:
            copy_range(old, new, done, member.start)
            done = member.end
            name = (renamed or {}).get(member.name)
            if name and contents.get(member.name, b"") is not None:
                new.write(make_header(old, member, name, member.size))
                copy_range(old, new, member.data, member.end)
            elif member.name not in contents:
                copy_range(old, new, member.start, member.end)
            elif (blob := contents[member.name]) is not None:
                new.write(resize_headers(old, member, len(blob), source))
                new.write(pad(blob))
            for name, blob in (added or {}).get(member.name, []):
                new.write(make_header(old, member, name, len(blob)))
                new.write(pad(blob))
        size = os.fstat(old.fileno()).st_size
        copy_range(old, new, index.end, size)
        if size % RECORD == 0 and index.complete:
            new.write(bytes(-new.tell() % RECORD))


def copy_range(old: IO[bytes], new: IO[bytes], start: int, stop: int) -> None:
    old.seek(start)
    while start < stop and (piece := old.read(min(PIECE, stop - start))):
        new.write(piece)
        start += len(piece)


def pad(blob: bytes) -> bytes:
    return blob + bytes(-len(blob) % BLOCK)


def resize_headers(old: IO[bytes], member: Member, size: int, source: str) -> bytes:
    """Copy the headers of a member, with another size."""
    old.seek(member.start)
    heads = bytearray(old.read(member.data - member.start))
    if len(heads) > BLOCK and b" size=" in heads[:-BLOCK]:
        raise UserError(
            f"expected plain sizes in {os.path.basename(source)}, found an extended one",
            f"unpack {member.name[:200]} and its tar, and import the folder",
        )
    at = len(heads) - BLOCK
    heads[at + 124 : at + 135] = f"{size:011o}".encode()
    heads[at + 148 : at + 156] = b" " * 8
    heads[at + 148 : at + 156] = f"{sum(heads[at:]):06o}\0 ".encode()
    return bytes(heads)


def make_header(old: IO[bytes], member: Member, name: str, size: int) -> bytes:
    """Make a header like another one, but for name and size."""
    old.seek(member.data - BLOCK)
    info = tarfile.TarInfo.frombuf(old.read(BLOCK), "utf-8", "surrogateescape")
    info.name, info.size, info.pax_headers, info.type = name, size, {}, tarfile.REGTYPE
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")

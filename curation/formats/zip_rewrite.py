"""Write a zip again with some members changed."""

from __future__ import annotations

import copy
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

PIECE = 1 << 20
LOCAL = "<4s2B4HL2L2H"  # the header before a member's bytes
DESCRIPTOR = 0x08  # a flag: the sizes stand behind the bytes
UNKNOWN = 0xFFFFFFFF


def rewrite_zip(
    source: str | Path,
    target: Path,
    contents: dict[str, bytes | None],
    renamed: dict[str, str] | None = None,
) -> None:
    """Write `source` to `target` with changed members.

    contents: name -> its new bytes; None: the member goes. renamed: name -> its new name. Order,
    times and compressed bytes of all others stay.
    """
    with (
        open(source, "rb") as old,
        zipfile.ZipFile(old) as archive,
        zipfile.ZipFile(target, "w") as new,
    ):
        new.comment = archive.comment
        assert new.fp
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
        for info, end in zip(infos, ends, strict=True):
            name, start = info.filename, info.header_offset
            if name in contents and contents[name] is None:
                continue
            info = copy.copy(info)
            info.header_offset = new.fp.tell()
            info.filename = (renamed or {}).get(name, name)
            if (blob := contents.get(name)) is not None:
                write_member(old, new.fp, info, start, blob)
            elif info.filename != name:
                old.seek(start)
                head = struct.unpack(LOCAL, old.read(struct.calcsize(LOCAL)))
                old.seek(head[-2], 1)
                text = info.filename.encode()
                info.flag_bits |= 0x800 if not info.filename.isascii() else 0
                head = (
                    *head[:3],
                    head[3] | info.flag_bits & 0x800,
                    *head[4:-2],
                    len(text),
                    head[-1],
                )
                new.fp.write(struct.pack(LOCAL, *head) + text)
                copy_bytes(old, new.fp, old.tell(), end)
            else:
                copy_bytes(old, new.fp, start, end)
            new.filelist.append(info)
            new.NameToInfo[info.filename] = info
        new.start_dir = new.fp.tell()
        new._didModify = True  # close() writes the directory


def copy_bytes(old: IO[bytes], new: IO[bytes], start: int, stop: int) -> None:
    old.seek(start)
    while start < stop and (piece := old.read(min(PIECE, stop - start))):
        new.write(piece)
        start += len(piece)


def write_member(
    old: IO[bytes], new: IO[bytes], info: zipfile.ZipInfo, start: int, blob: bytes
) -> None:
    """Write a member with new bytes, compressed as it was."""
    old.seek(start)
    head = list(struct.unpack(LOCAL, old.read(struct.calcsize(LOCAL))))
    packed = blob
    if info.compress_type == zipfile.ZIP_DEFLATED:
        deflate = zlib.compressobj(-1, zlib.DEFLATED, -15)
        packed = deflate.compress(blob) + deflate.flush()
    info.CRC, info.file_size, info.compress_size = zlib.crc32(blob), len(blob), len(packed)
    info.flag_bits &= ~DESCRIPTOR
    name = info.filename.encode()
    # a further size in 64 bits, as NumPy writes it, is not needed for so few bytes
    head[3] &= ~DESCRIPTOR
    head[7:] = info.CRC, info.compress_size, info.file_size, len(name), 0
    assert max(info.file_size, info.compress_size) < UNKNOWN
    new.write(struct.pack(LOCAL, *head) + name + packed)

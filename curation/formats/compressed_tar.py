"""Compressed tars: unpacked to one tar beside the bench, and read there."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import zlib
from pathlib import Path
from typing import IO, BinaryIO

from assay.curation.errors import UserError, shorten
from assay.curation.formats.base import Match
from assay.curation.formats.new_folder import fill_new_folder
from assay.curation.formats.tar_archive import is_tar
from assay.curation.media.containers.tar_index import BLOCK
from assay.curation.system import permissions

MOST_BYTES = 64 << 30  # of the tar
SPARE = 1 << 28  # bytes that stay free on the disk
PIECE = 1 << 20
OPENERS = {
    ".tar.gz": gzip.open,
    ".tgz": gzip.open,
    ".tar.bz2": bz2.open,
    ".tar.xz": lzma.open,
}


class CompressedTar:
    """A .tar.gz, .tar.bz2 or .tar.xz of shards, class folders or a table; unpacked to one tar."""

    name = "tar.gz"
    suffixes = tuple(OPENERS)

    def matches(self, path: Path) -> Match:
        if path.is_file() and path.name.lower().endswith(self.suffixes):
            return Match("sure", f"ends in {ending_of(path.name)}")
        return Match("no", f"expects a file that ends in {' '.join(self.suffixes)}")

    def unpack(self, file: BinaryIO, name: str, folder: Path, skip_bad: bool) -> Path:
        """Unpack to folder.tar; `folder.parent` is filled, whole or not at all.

        UserError where no tar comes out, or more than MOST_BYTES, or than the disk holds.
        """
        ending = ending_of(name)
        target = folder.with_name(f"{folder.name.removesuffix('.tar')}.tar")
        if target.exists():
            return target
        try:
            with OPENERS[ending](file) as tar:
                head = tar.read(BLOCK)
                if not is_tar(head):
                    raise UserError(
                        f"expected a tar in {name}, found another kind of file",
                        "unpack it, and import what it holds",
                    )
                with fill_new_folder(folder.parent, "free some space") as partial:
                    with open(partial / target.name, "xb", opener=permissions.opener) as out:
                        out.write(head)
                        copy_some(tar, out, name, folder.parent.parent)
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError) as e:
            raise refuse_damaged(name, e) from None
        except OSError as e:
            if e.errno is not None:
                raise
            raise refuse_damaged(name, e) from None  # bz2 says so
        return target


FORMAT = CompressedTar()


def ending_of(name: str) -> str:
    return next(ending for ending in OPENERS if name.lower().endswith(ending))


def refuse_damaged(name: str, e: Exception) -> UserError:
    return UserError(
        f"expected a sound {name}, found it damaged: {shorten(str(e), 200)}",
        "is the file complete? pack it again",
    )


def copy_some(tar: IO[bytes], out: IO[bytes], name: str, beside: Path) -> None:
    """Copy what is unpacked, while it is not too much."""
    size = 0
    while piece := tar.read(PIECE):
        size += len(piece)
        if size > MOST_BYTES:
            raise UserError(
                f"expected at most {MOST_BYTES >> 30} GB unpacked, found more in {name}",
                "unpack it yourself where you trust it, and import the folder",
            )
        if size % (64 * PIECE) < PIECE:
            while not beside.exists():
                beside = beside.parent
            if shutil.disk_usage(beside).free < SPARE:
                raise UserError(
                    f"expected room for what is in {name}, found the disk full", "free some space"
                )
        out.write(piece)

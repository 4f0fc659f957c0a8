"""NumPy: an image in a row of an array."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import numpy as np

from assay.curation.media.containers.stacks import (
    Stack,
    Stacked,
    find_flat,
    find_shape,
    read_rows_of,
)
from assay.curation.media.files import BadMedia
from assay.curation.text import format_count

MOST_HEADER = 10_000  # bytes of a header, as NumPy has it
MOST_RATIO, MUCH = 200, 1 << 30  # an array of more bytes does not shrink to so little


class Header(NamedTuple):
    """What the head of an .npy file says."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    offset: int  # of its first value

    @property
    def size(self) -> int:
        """Bytes of all values."""
        size = self.dtype.itemsize
        for n in self.shape:
            size *= n
        return size


def read_header(file: IO[bytes], size: int) -> Header:
    """Read the head of an .npy file of `size` bytes.

    Raises BadMedia where it holds another number of bytes than it says.
    """
    try:
        version = np.lib.format.read_magic(file)
        reader = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = reader[min(version[0], 2)](file, MOST_HEADER)
    except Exception as e:  # whatever a hostile header makes NumPy raise
        raise BadMedia(f"has no sound .npy header ({str(e).splitlines()[0][:100]})") from None
    header = Header(tuple(shape), dtype, fortran and len(shape) > 1, file.tell())
    # how many bytes Python objects take is not said; they are never loaded
    if not dtype.hasobject and header.offset + header.size != size:
        raise BadMedia(
            f"says that it holds {format_count(header.size, 'byte')}, and has {size - header.offset:,}"
        )
    return header


def read_headers(path: str) -> dict[str, Header]:
    """Read the heads of a file's arrays.

    Raises BadMedia where one is not sound.
    """
    with open(path, "rb") as file:
        if path.lower().endswith(".npy"):
            return {"": read_header(file, os.fstat(file.fileno()).st_size)}
        found = {}
        try:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if not info.filename.endswith(".npy"):
                        continue
                    if info.file_size > max(MUCH, MOST_RATIO * info.compress_size):
                        raise BadMedia(f"unpacks to {info.file_size / 2**30:,.0f} GB")
                    with archive.open(info) as member:
                        name = info.filename.removesuffix(".npy")
                        if name in found:
                            raise BadMedia(f"holds {name[:200]!r} twice")
                        found[name] = read_header(member, info.file_size)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as e:
            raise BadMedia(f"is damaged ({str(e)[:100]})") from None
        return found


@contextmanager
def open_array(path: str, name: str) -> Iterator[Any]:
    """Open the .npy file of an array."""
    if path.lower().endswith(".npy"):
        with open(path, "rb") as file:
            yield file
        return
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type == zipfile.ZIP_STORED:  # it can be read at any place
            file.seek(info.header_offset + 26)
            head = file.read(4)
            name_size, extra_size = (int.from_bytes(head[i : i + 2], "little") for i in (0, 2))
            yield Part(file, info.header_offset + 30 + name_size + extra_size)
        else:
            with archive.open(info) as member:
                yield member


class Part:
    """A file as seen from one of its bytes on."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        self.file, self.start = file, start
        self.seek(0)

    def seek(self, at: int) -> int:
        return self.file.seek(self.start + at)

    def read(self, size: int = -1) -> bytes:
        return self.file.read(size)

    def tell(self) -> int:
        return self.file.tell() - self.start


class NumpyFile:
    """Arrays of uint8 images."""

    def list_stacks(self, path: str) -> dict[str, Stack]:
        return {
            name: Stack(header.shape[0], shape, header.offset)
            for name, header in read_headers(path).items()
            if is_images(header) and (shape := find_shape(header.shape) or find_flat(header.shape))
        }

    def read_rows(self, path: str, name: str, rows: list[int]) -> Iterator[bytes]:
        stack = self.list_stacks(path)[name]
        yield from read_rows_of(lambda: open_array(path, name), stack, rows)


def is_images(header: Header) -> bool:
    deep = len(header.shape) in (3, 4) or find_flat(header.shape)
    return header.dtype == np.uint8 and bool(deep) and not header.fortran


CONTAINER = Stacked("npz", (".npz", ".npy"), NumpyFile())

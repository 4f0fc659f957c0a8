"""Images of one shape, one after the other in a file.

They become PGM or PPM files: a header and the bytes as they are, so that the same array gives the same bytes for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from math import isqrt
from typing import Any, NamedTuple, Protocol

from assay.curation.media.containers.base import Wanted
from assay.curation.media.files import MAX_PIXELS, BadMedia

FLAT = 8  # pixels of the smallest square that a row is taken for


class Stack(NamedTuple):
    """Where the images of an array lie."""

    count: int
    shape: tuple[int, ...]  # of one: (h, w), (h, w, c) or, with planes, (c, h, w)
    offset: int = 0  # bytes before the first
    skip: int = 0  # bytes before each, such as its label

    @property
    def size(self) -> int:
        """Bytes of one image."""
        size = 1
        for n in self.shape:
            size *= n
        return size


class StackFile(Protocol):
    """A file that holds stacks by name."""

    def list_stacks(self, path: str) -> dict[str, Stack]:
        """List the arrays that hold images; raises OSError, ValueError or BadMedia."""

    def read_rows(self, path: str, name: str, rows: list[int]) -> Iterator[bytes]:
        """Read the pixels of rows, in ascending order."""


class Stacked:
    """A container of stacks: the member NAME/17 is the 18th image of the array NAME."""

    def __init__(self, name: str, suffixes: tuple[str, ...], file: StackFile) -> None:
        self.name, self.suffixes, self.file = name, suffixes, file

    def list_members(self, path: str) -> list[str]:
        try:
            stacks = self.file.list_stacks(path)
        except (OSError, ValueError, BadMedia):
            return []
        return [join(name, i) for name, stack in stacks.items() for i in range(stack.count)]

    def read_members(
        self, path: str, wanted: list[Wanted]
    ) -> Iterator[tuple[int, bytes | BadMedia]]:
        asked: dict[str, list[tuple[int, int]]] = {}
        try:
            stacks = self.file.list_stacks(path)
        except (OSError, ValueError, BadMedia) as e:
            yield from ((i, BadMedia(f"{path} {describe(e)}")) for _, i in wanted)
            return
        for member, i in wanted:
            name, _, row = member.rpartition("/")
            if name in stacks and row.isdigit() and int(row) < stacks[name].count:
                asked.setdefault(name, []).append((int(row), i))
            else:
                yield i, BadMedia(f"{path} has no image {member[:200]}")
        for name, pairs in asked.items():
            yield from self.read_stack(path, name, stacks[name], sorted(pairs))

    def read_stack(
        self, path: str, name: str, stack: Stack, pairs: list[tuple[int, int]]
    ) -> Iterator[tuple[int, bytes | BadMedia]]:
        """Read (row, index) pairs, sorted by row."""
        rows = sorted({row for row, _ in pairs})
        done = 0
        try:
            for row, pixels in zip(rows, self.file.read_rows(path, name, rows)):
                blob: bytes | BadMedia = BadMedia("is cut short")
                if len(pixels) == stack.size:
                    blob = encode_netpbm(pixels, stack.shape)
                while done < len(pairs) and pairs[done][0] == row:
                    yield pairs[done][1], blob
                    done += 1
        except (OSError, ValueError, EOFError, BadMedia) as e:
            yield from ((i, BadMedia(f"{path} {describe(e)}")) for _, i in pairs[done:])
        except Exception as e:  # zlib.error and its like
            reason = f"{path} is damaged ({type(e).__name__})"
            yield from ((i, BadMedia(reason)) for _, i in pairs[done:])


def join(name: str, row: int) -> str:
    return f"{name}/{row}" if name else str(row)


def describe(e: Exception) -> str:
    return str(e) if isinstance(e, BadMedia) else f"cannot be read ({str(e)[:200]})"


def find_shape(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Find how one image of an array lies.

    None where it is no image.

    (h, w), (h, w, 1), (h, w, 3), or channels first: (1, h, w), (3, h, w).
    """
    one = shape[1:]
    fits = len(one) == 2 or len(one) == 3 and (one[2] in (1, 3) or one[0] in (1, 3))
    if not fits or not all(n > 0 for n in one):
        return None
    return one if one[0] * one[1] * (one[2] if len(one) == 3 else 1) <= 3 * MAX_PIXELS else None


def find_flat(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Find the square that each row of an array (n, 784) is.

    None where it is none.
    """
    side = isqrt(shape[1]) if len(shape) == 2 else 0
    return (side, side) if side >= FLAT and side * side == shape[1] else None


def has_planes(shape: tuple[int, ...]) -> bool:
    """Whether the channels of one image come first."""
    return len(shape) == 3 and shape[2] not in (1, 3)


def encode_netpbm(pixels: bytes, shape: tuple[int, ...]) -> bytes:
    """Encode uint8 pixels of `shape` as PGM or PPM."""
    if has_planes(shape):
        channels, height, width = shape
        if channels == 3:
            size = height * width
            mixed = bytearray(3 * size)
            for c in range(3):
                mixed[c::3] = pixels[c * size : (c + 1) * size]
            pixels = bytes(mixed)
    else:
        height, width = shape[:2]
        channels = shape[2] if len(shape) == 3 else 1
    return b"P%d\n%d %d\n255\n" % (6 if channels == 3 else 5, width, height) + pixels


def read_rows_of(
    open_file: Callable[[], AbstractContextManager[Any]], stack: Stack, rows: list[int]
) -> Iterator[bytes]:
    """Read rows out of a file, going forward alone."""
    stride = stack.size + stack.skip
    with open_file() as file:
        for row in rows:
            file.seek(stack.offset + row * stride + stack.skip)
            yield file.read(stack.size)

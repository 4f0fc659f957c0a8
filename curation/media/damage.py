"""Find incomplete images that decode without an error.

A copy that broke off, or an end that was put back.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from assay.curation.media.jpeg_damage import FILLED, SUMS, WHOLE, Damage, find_jpeg_damage

if TYPE_CHECKING:
    from PIL.Image import Image

FLAT = 0.004  # bytes a pixel: of a flat image, WebP and AVIF write fewer, and zeros among them


def find_damage(blob: bytes, image: Image) -> Damage:
    """Find what a loaded image lacks."""
    if image.format in ("JPEG", "MPO"):
        return find_jpeg_damage(blob, image)
    if image.format == "PNG":
        return find_png_damage(blob)
    if image.format in ("WEBP", "AVIF", "HEIF"):
        run = count_zeros_at_end(blob[: webp_length(blob)])
        if run > max(0.01 * len(blob), FLAT * image.width * image.height):
            return Damage(run / len(blob), FILLED)
    return WHOLE


def find_png_damage(blob: bytes) -> Damage:
    """Compare the checksums of a PNG's data.

    Pillow stops when it has all rows, and does not compare the checksums of what they were made of."""
    at, bad, whole = 8, 0, 1
    while at + 12 <= len(blob):
        size, kind = int.from_bytes(blob[at : at + 4], "big"), blob[at + 4 : at + 8]
        if kind == b"IDAT":
            whole += size
            written = int.from_bytes(blob[at + 8 + size : at + 12 + size], "big")
            bad += size * (zlib.crc32(memoryview(blob)[at + 4 : at + 8 + size]) != written)
        at += 12 + size
    return Damage(min(1.0, bad / whole), SUMS) if bad else WHOLE


def webp_length(blob: bytes) -> int:
    """Read where a WebP says that it ends.

    What comes after is none of it."""
    return 8 + int.from_bytes(blob[4:8], "little") if blob[:4] == b"RIFF" else len(blob)


def count_zeros_at_end(blob: bytes) -> int:
    """Count the longest run of zeros that at most 16 bytes follow."""
    ends = [
        n
        for n in range(max(1, len(blob) - 16), len(blob) + 1)
        if not blob[n - 1] and (n == len(blob) or blob[n])
    ]
    return max((n - len(blob[:n].rstrip(b"\0")) for n in ends), default=0)

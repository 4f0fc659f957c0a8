"""Find incomplete JPEGs that decode without an error."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.media.jpeg_scans import Scan, read_scans

if TYPE_CHECKING:
    from PIL.Image import Image


ZEROS = bytes(64)  # no encoder writes so many in compressed data, but for a flat image: see below
NOISE = bytes(range(1, 200))


def find_jpeg_damage(blob: bytes, image: Image) -> Damage:
    """Find what a loaded JPEG lacks."""
    corner = np.asarray(image.getpixel((image.width - 1, image.height - 1)))
    grey = ((corner >= 127) & (corner <= 129)).all()  # what libjpeg draws where it has no more data
    progressive = image.info.get("progressive")
    if not (grey or progressive or ZEROS in blob):
        return WHOLE
    scans = list(read_scans(blob))
    if not scans:
        return WHOLE
    for scan in scans:
        run = longest_zeros(blob[scan.start : scan.end])
        if run and is_meaningless(blob, image, scan, grey, run):
            return Damage((run[1] - run[0]) / sum(s.end - s.start for s in scans), FILLED)
    if missing := progressive and missing_detail(scans):
        return Damage(missing, SCANS)
    if grey or progressive:
        end = scans[-1].end
        more = decode_jpeg(blob[:end] + NOISE + blob[end:], image.size)
        # what was put behind its data is drawn: they did not reach to the end
        if more.tobytes() != image.tobytes():
            if progressive:
                return Damage(0.5 * differing_rows(image, more), SCANS)
            return Damage(max(grey_rows(image), 1 / image.height), ENDED)
    return WHOLE


def longest_zeros(data: bytes) -> tuple[int, int] | None:
    """Find the longest run of 64 zeros or more: (start, end)."""
    runs = [m.span() for m in re.finditer(rb"\0{64,}", data)] if ZEROS in data else []
    return max(runs, key=lambda r: r[1] - r[0], default=None)


def is_meaningless(blob: bytes, image: Image, scan: Scan, grey: bool, run: tuple[int, int]) -> bool:
    """Whether no encoder wrote this run of zeros.

    Where zeros could stand for a flat area, they mean something if the image is another without them; a grey one
    would not be."""
    if image.info.get("progressive"):
        # a flat area is one code there; the scan of the means may well be zeros
        return scan.first > 0
    if not scan.flat:
        return True
    end = scan.start + run[1]
    return not grey and (
        decode_jpeg(blob[: end - 32] + blob[end:], image.size).tobytes() == image.tobytes()
    )


def missing_detail(scans: list[Scan]) -> float:
    """Measure which share of the coefficients lacks bits in all scans."""
    left = {component: np.full(64, 99) for component in scans[0].all_components}
    for scan in scans:
        for component in scan.components:
            if component in left:
                left[component][scan.first : scan.last + 1] = scan.low_bit
    return float(np.mean([(bits > 0).mean() for bits in left.values()])) if left else 0.0


def decode_jpeg(blob: bytes, size: tuple[int, int]) -> Image:
    """Open a JPEG as Pillow decodes it for that size."""
    from PIL import Image

    image = Image.open(io.BytesIO(blob), formats=["JPEG"])
    image.draft(None, size)
    return image


def differing_rows(image: Image, other: Image) -> float:
    """Measure the share of rows from the first one that differs.

    The images have one size."""
    first = (np.asarray(image) != np.asarray(other)).reshape(image.height, -1).any(1).argmax()
    return 1 - float(first) / image.height


def grey_rows(image: Image) -> float:
    """Measure which share of rows at the bottom is an even grey."""
    even = (abs(np.asarray(image).reshape(image.height, -1).astype(int) - 128) <= 1).all(1)[::-1]
    return float(even.argmin() if not even.all() else len(even)) / len(even)


FILLED, ENDED, SCANS, SUMS = 1, 2, 3, 4
REASONS = {
    FILLED: "have zeros in place of data",
    ENDED: "end before their last row",
    SCANS: "lack the last scans of a progressive JPEG",
    SUMS: "fail the checksums in their file",
}
WHY = {
    FILLED: "about {:.0%} of its data are zeros: a copy that broke off?",
    ENDED: "its data end early: the last {:.0%} of it are an even grey",
    SCANS: "a progressive JPEG without its last scans: about {:.0%} of its detail is missing",
    SUMS: "about {:.0%} of its data fail the checksums in their file",
}


class Damage(NamedTuple):
    """How much of an image is missing, and which of REASONS says why."""

    missing: float
    reason: int


WHOLE = Damage(0, 0)

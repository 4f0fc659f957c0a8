"""How deep or transparent images become 8-bit RGB.

It is chosen once for all images of a source, and kept with each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

DECODER = 2  # counted up when decoding.py or damage.py would make something else of the same bytes
# what may lie behind a drawing on transparency, in the order of preference
BACKGROUNDS = dict(white=255, black=0, grey=128)
LEVELS = 32  # of 256: a declared range of which images use fewer is too wide for them
FAR = 48  # levels from which on a colour stands out from its background
DRAWN = 0.25  # of what is drawn must stand out, or the drawing counts as hidden


class Conversion(NamedTuple):
    """The values that become black and white, and the background of transparency.

    None: to be chosen."""

    low: float | None = None
    high: float | None = None
    background: str | None = None


UNDECIDED = Conversion()
LEGACY = Conversion(0, 65535, "white")  # of Assay before DECODER 2: the high byte, and white


class ImageTraits(NamedTuple):
    """What is worth knowing of an image beside its pixels.

    A row of arrays/decoded; all 0 for an ordinary image."""

    missing: float = 0  # share of the image that its damaged file no longer holds
    damage: float = 0  # which of damage.REASONS
    pages: float = 0  # further pages or frames in its file, which are not read
    deep: float = 0  # more than 8 bits a channel: 1 whole numbers, 2 floating point
    low: float = 0  # the value that .1 % of its pixels lie below, and
    high: float = 0  # above
    clear: float = 0  # 1 for transparency, 2 where nothing else is there
    white: float = 0  # 1 where a white background would hide what is drawn
    black: float = 0
    grey: float = 0
    read_low: float = 0  # the conversion that its pixels were made with
    read_high: float = 0
    background: float = 0  # its number in BACKGROUNDS

    def conversion(self) -> Conversion:
        """The conversion that the pixels were made with."""
        return Conversion(
            self.read_low if self.deep else None,
            self.read_high if self.deep else None,
            list(BACKGROUNDS)[int(self.background)] if self.clear else None,
        )

    def with_conversion(self, conversion: Conversion) -> ImageTraits:
        """Write a conversion into the traits."""
        low, high, background = conversion
        return self._replace(
            read_low=low if self.deep else 0,
            read_high=high if self.deep else 0,
            background=list(BACKGROUNDS).index(background) if self.clear else 0,
        )


def choose_conversion(traits: Iterable[ImageTraits], before: Conversion = UNDECIDED) -> Conversion:
    """Choose one conversion for images with these traits.

    What `before` says already stays."""
    traits = list(traits)
    low, high = choose_range([t for t in traits if t.deep]) if before.high is None else before[:2]
    clear = [t for t in traits if t.clear == 1]
    hidden = {name: sum(getattr(t, name) for t in clear) for name in BACKGROUNDS}
    return Conversion(low, high, before.background or min(BACKGROUNDS, key=hidden.get))


def choose_range(traits: list[ImageTraits]) -> tuple[float, float]:
    """Choose what becomes black and white in deep images.

    One range for all of more than 8 bits, so that a dark one stays darker than a bright one: as many bits as they
    use, or the values that they use where these are few of so many. One image in a hundred may reach beyond."""
    if not traits:
        return 0.0, 65535.0
    low = float(np.percentile([t.low for t in traits], 1, method="lower"))
    high = float(np.percentile([t.high for t in traits], 99, method="higher"))
    floats = any(t.deep == 2 for t in traits)
    tops = ([1.0] if floats else []) + [2.0**bits - 1 for bits in range(8, 33)]
    top = next((t for t in tops if high <= t), None)
    if low >= 0 and top and (high - low >= top * LEVELS / 256 or high == low):
        low, high = 0.0, top
    return float(np.float32(low)), float(np.float32(high)) if high > low else low + 1


def transparency_traits(pixels: np.ndarray, alpha: np.ndarray) -> dict[str, float]:
    """Find out which backgrounds would hide what is drawn.

    pixels (h, w, 3) and alpha (h, w), both uint8. The traits clear, white, black and grey."""
    drawn = alpha >= 128 if (alpha >= 128).any() else alpha > 0
    if not drawn.any():
        return dict(clear=2)
    colours = pixels[drawn].astype(int)
    hidden = {
        name: float((abs(colours - level).max(1) >= FAR).mean() < DRAWN)
        for name, level in BACKGROUNDS.items()
    }
    return dict(clear=1, **hidden)

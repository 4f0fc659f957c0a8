"""The media type of images.

PNG, JPEG, WebP, BMP, TIFF, GIF, PPM, AVIF and HEIC files.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.media import image_similarity, import_notes, stored_traits
from assay.curation.media.base import Decoded, DecodedSource, Similarities
from assay.curation.media.conversion import LEGACY, UNDECIDED, Conversion, choose_conversion
from assay.curation.media.decoding import STORED_SIDE, convert_to_rgb, open_image, plain_errors
from assay.curation.media.files import content_hash
from assay.curation.media.pixels import Pixels
from assay.curation.media.source_decoding import decode_source
from assay.curation.media.stored_traits import find_traits
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

SUFFIXES = tuple(
    (
        ".png .apng .jpg .jpeg .jpe .jfif .webp .bmp .dib .tif .tiff .gif .ppm .pgm .pbm .pnm "
        ".avif .heic .heif .hif"
    ).split()
)


class Images:
    """Images: stored as (height, width, 3) uint8, shown as JPEGs, compared by their slopes."""

    name, folder, column = "image", "pixels", None
    in_cell, has_words, sizes = False, False, ("width", "height")
    embedders = ("lite0", "lite2")

    def decode(
        self,
        raw: bytes,
        side: int | None = None,
        conversion: Conversion = UNDECIDED,
        stored: bool = False,
    ) -> Decoded:
        """Decode an image file to RGB.

        With `side`, each axis is reduced to it, never enlarged."""
        with plain_errors():
            opened = open_image(raw)
            if stored:
                return Decoded(opened.size)
            width, height = opened.image.size
            fit = (width, height) if side is None else (min(width, side), min(height, side))
            rgb, traits = convert_to_rgb(opened, raw, fit, conversion)
            return Decoded(opened.size, None if rgb is None else np.array(rgb), traits)

    def preview(self, raw: bytes, side: int, traits: Shards | None = None) -> bytes:
        """Make a JPEG of an image file, without its metadata.

        It is converted as its pixels were, if `traits` tell; else as a source of its own."""
        with plain_errors():
            out = io.BytesIO()
            convert_as_stored(raw, traits, side).save(out, "JPEG", quality=85)
            return out.getvalue()

    def read(self, shards: Shards, hashes: Iterable[str], side: int | None = None) -> Pixels:
        """Read pixels lazily, as squares of `side`."""
        return Pixels(shards, hashes, side)

    def give(self, shards: Shards, hashes: Iterable[str]) -> list[Any]:
        """Give PIL images, as they are stored."""
        from PIL import Image

        stored = Pixels(shards, hashes, 1)  # no size is asked: each comes as it is stored
        return [Image.fromarray(np.array(stored.read_stored(i))) for i in range(len(stored))]

    def store(
        self, bench: Bench, source: str, frame: pd.DataFrame, progress: Progress | None = None
    ) -> DecodedSource:
        """Decode the images of a source, as what it held before was decoded."""
        earlier = bench.query("select content_hash from samples where source = ?", [source])
        reading = stored_traits.earlier_conversion(bench, source, earlier.content_hash)
        shards = Shards(bench.arrays / self.folder)
        found = decode_source(frame, shards, STORED_SIDE, progress, reading)
        good = [h for h in found.hashes if h]
        traits = find_traits(stored_traits.load_traits(bench.arrays), dict.fromkeys(good))
        seen = [traits[h] for h in good if h in traits]
        return found._replace(notes=import_notes.describe_traits(seen, reading))

    def similarity(
        self, shards: Shards, hashes: np.ndarray, pairs: np.ndarray, neighbours: np.ndarray
    ) -> Similarities:
        """Compare pairs of images by the slopes of their brightness: see image_similarity."""
        pixels: Pixels | np.ndarray = Pixels(shards, hashes, image_similarity.SIDE)
        if len(pixels) <= 2 * image_similarity.SAMPLE:  # all are read, most of them several times
            pixels = pixels[:]
        common = image_similarity.common_slopes(pixels)
        return Similarities(
            image_similarity.compare_pairs(pixels, pairs, common),
            image_similarity.duplicate_limit(pixels, neighbours, common),
        )


MEDIA_TYPE = Images()


def convert_as_stored(raw: bytes, traits: Shards | None = None, side: int | None = None) -> Image:
    """Convert an image file to RGB as its pixels were.

    If `traits` tell how; else as a source of its own. side: the longest that its longer side may be; None: its own
    size."""
    opened = open_image(raw)
    scale = 1 if side is None else min(1, side / max(opened.image.size))
    fit = tuple(max(1, round(scale * n)) for n in opened.image.size)
    rgb, found = convert_to_rgb(opened, raw, fit, UNDECIDED)
    if rgb is None:
        before = UNDECIDED
        if traits is not None:
            kept = find_traits(traits, [content_hash(raw)])
            before = kept[content_hash(raw)].conversion() if kept else LEGACY
        conversion = choose_conversion([found], before)
        rgb, _ = convert_to_rgb(open_image(raw), raw, fit, conversion)
    return rgb


def open_original(raw: bytes, traits: Shards | None = None) -> Image:
    """Decode an image file at its own size; raises BadMedia."""
    with plain_errors():
        return convert_as_stored(raw, traits)


def decode_pixels(blob: bytes, side: int | None = None) -> np.ndarray:
    """Decode an image file, as a source of its own.

    Returns (height, width, 3) uint8; raises BadMedia."""
    found = MEDIA_TYPE.decode(blob, side)
    if found.array is None:
        found = MEDIA_TYPE.decode(blob, side, choose_conversion([found.traits]))
    return found.array

"""How an image file becomes upright 8-bit RGB."""

from __future__ import annotations

import ctypes
import io
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.curation.media.conversion import Conversion, ImageTraits, transparency_traits
from assay.curation.media.damage import find_damage
from assay.curation.media.deep_images import range_traits, read_deep, scale_values
from assay.curation.media.files import MAX_PIXELS, BadMedia

if TYPE_CHECKING:
    from PIL.Image import Image


# no others: Pillow also opens EPS, by running ghostscript
FORMATS = "PNG JPEG WEBP BMP TIFF GIF PPM AVIF HEIF".split()
STORED_SIDE = 128  # pixels are kept at the smaller of their own and this resolution
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose
# what Pillow dislikes reaches a person as BadMedia, not on stderr
logging.getLogger("PIL").setLevel(logging.CRITICAL)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what hostile files make Pillow raise into BadMedia."""
    from PIL import Image, UnidentifiedImageError

    _prepare_pillow()
    try:
        yield
    except BadMedia:
        raise
    except UnidentifiedImageError as e:
        raise BadMedia(
            "is not an image (PNG, JPEG, WebP, BMP, TIFF, GIF, PPM, AVIF, HEIC), or its header is damaged"
        ) from e
    except Image.DecompressionBombError as e:
        raise BadMedia(f"declares more than {MAX_PIXELS // 10**6} megapixels") from e
    except Exception as e:
        if "truncated" in str(e).lower():
            raise BadMedia("is truncated") from e
        raise BadMedia(f"is damaged or cut short ({type(e).__name__}: {e})") from e


def _prepare_pillow() -> None:
    from PIL import Image

    # catch_warnings would race between threads
    if ("ignore", None, Warning, re.compile("PIL"), 0) not in warnings.filters:
        warnings.filterwarnings("ignore", module="PIL")
        with suppress(AttributeError, OSError):  # libtiff writes to stderr by itself
            libtiff = ctypes.CDLL(Image.core.__file__)
            libtiff.TIFFSetErrorHandler(None), libtiff.TIFFSetWarningHandler(None)
        # so large that malloc gives memory back: threads would keep smaller blocks for ever
        Image.core.set_block_size(64 << 20)
    if "HEIF" not in Image.OPEN:
        from pillow_heif import register_heif_opener

        register_heif_opener()


class OpenImage(NamedTuple):
    """An image of which no pixel is decoded yet."""

    image: Image
    turn: int | None  # PIL.Image.Transpose that makes it upright, as its EXIF says
    size: tuple[int, int]  # (width, height) when upright


def open_image(blob: bytes) -> OpenImage:
    """Read the header of an image file; raises BadMedia."""
    from PIL import Image

    if not blob:
        raise BadMedia("is empty (0 bytes)")
    image = Image.open(io.BytesIO(blob), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:  # from the header: a zip bomb is never unpacked
        raise BadMedia(
            f"declares {image.width} x {image.height} pixels, more than {MAX_PIXELS // 10**6} megapixels"
        )
    turn = None
    if "exif" in image.info and image.format != "TIFF":  # Pillow turns TIFFs itself
        with suppress(Exception):  # damaged metadata do not spoil a good picture
            turn = TURNS.get(image.getexif().get(0x0112))
    return OpenImage(image, turn, image.size[::-1] if turn in (2, 4, 5, 6) else image.size)


def convert_to_rgb(
    opened: OpenImage, blob: bytes, size: tuple[int, int], conversion: Conversion
) -> tuple[Image | None, ImageTraits]:
    """Decode an image to upright RGB of `size`.

    The size is meant before turning. The image is None where the conversion that it needs is not chosen yet."""
    image = opened.image
    if image.size != size and image.format in ("JPEG", "MPO"):
        image.draft(None, (2 * size[0], 2 * size[1]))  # decode at 1/2, 1/4 or 1/8
    with reserve_memory(_needed_bytes(image)):
        image, traits = _load_pixels(image, blob, conversion)
        if image is not None and image.has_transparency_data:
            image, traits = _lay_on_background(image, size, conversion, traits)
        if image is None:
            return None, traits
        if image.mode not in ("L", "RGB"):
            image = image.convert("RGB")
        if image.size != size:
            from PIL.Image import Resampling

            image = image.resize(size, Resampling.BICUBIC, reducing_gap=2.0)
        if opened.turn is not None:
            image = image.transpose(opened.turn)
        rgb = image if image.mode == "RGB" else image.convert("RGB")
        return rgb, traits.with_conversion(conversion)


def _needed_bytes(image: Image) -> int:
    """Count the bytes that decoding and converting takes."""
    more = (
        image.has_transparency_data
        or image.mode not in ("L", "RGB", "P", "1")
        or image.format not in ("PNG", "JPEG", "BMP", "PPM")
    )
    return image.width * image.height * (14 if more else 5)


def _load_pixels(
    image: Image, blob: bytes, conversion: Conversion
) -> tuple[Image | None, ImageTraits]:
    """Load an image, a deep one scaled to 8 bits.

    None where its range is not chosen yet."""
    from PIL import Image

    traits = ImageTraits(pages=_count_further_pages(image, blob))
    if not (deep := read_deep(image, blob)):
        image.load()
        missing, damage = find_damage(blob, image)
        return image, traits._replace(missing=missing, damage=damage)
    values, alpha = deep
    traits = traits._replace(**range_traits(values))
    if conversion.high is None:
        return None, traits
    image = Image.fromarray(scale_values(values, conversion))
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    return image, traits


def _count_further_pages(image: Image, blob: bytes) -> int:
    from PIL import Image

    with suppress(Exception):  # a damaged list of pages does not spoil the first
        if image.format in ("GIF", "TIFF"):  # they are counted by going there
            image = Image.open(io.BytesIO(blob), formats=[image.format])
        return max(0, getattr(image, "n_frames", 1) - 1)
    return 0


def _lay_on_background(
    image: Image, size: tuple[int, int], conversion: Conversion, traits: ImageTraits
) -> tuple[Image | None, ImageTraits]:
    """Put a background behind transparency; None where it is not chosen yet."""
    from PIL import Image

    layer = image if image.mode == "RGBA" else image.convert("RGBA")
    if layer.getextrema()[3][0] == 255:
        return layer, traits
    few = min(size[0], STORED_SIDE), min(size[1], STORED_SIDE)
    small = np.asarray(layer.resize(few, Image.Resampling.BOX, reducing_gap=2.0))
    traits = traits._replace(**transparency_traits(small[..., :3], small[..., 3]))
    if conversion.background is None:
        return None, traits
    image = Image.new("RGB", layer.size, conversion.background)
    image.paste(layer, mask=layer)
    return image, traits


BUDGET = 512 << 20  # bytes of all threads together; a larger image is decoded alone

_held, _freed = [0], threading.Condition()


@contextmanager
def reserve_memory(size: int) -> Iterator[None]:
    """Wait until `size` bytes fit beside what other threads hold.

    Or until nobody else holds any."""
    with _freed:
        _freed.wait_for(lambda: not _held[0] or _held[0] + size <= BUDGET)
        _held[0] += size
    try:
        yield
    finally:
        with _freed:
            _held[0] -= size
            _freed.notify_all()

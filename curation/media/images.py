"""How an image file becomes pixels: found in a file or Parquet row, decoded once into flat uint8 shards, shown as a thumbnail."""

import ctypes
import io
import logging
import re
import threading
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np

from assay.curation.media.conversion import OPEN, Look, choose, hidden_by
from assay.curation.media.damage import find_damage
from assay.curation.media.files import MAX_PIXELS, BadImage

SIDE = 128  # pixels are kept at the smaller of their own and this resolution
FORMATS = [
    "PNG",
    "JPEG",
    "WEBP",
    "BMP",
    "TIFF",
    "GIF",
    "PPM",
    "AVIF",
    "HEIF",
]  # no others: Pillow also opens EPS, by running ghostscript
SUFFIXES = tuple(
    ".png .apng .jpg .jpeg .jpe .jfif .webp .bmp .dib .tif .tiff .gif .ppm .pgm .pbm .pnm .avif .heic .heif .hif".split()
)
ROOM = (
    512 << 20
)  # bytes that pictures take while they are decoded, all threads together; a larger one is decoded alone
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose
logging.getLogger("PIL").setLevel(
    logging.CRITICAL
)  # what Pillow dislikes reaches a person as BadImage, not on stderr


@dataclass
class Picture:
    """What `measure` finds: the (width, height) of the upright original, or BadImage; its pixels, or None; its Look."""

    size: tuple | BadImage
    pixels: np.ndarray | None = None
    look: Look = Look()


@contextmanager
def _plain_words():
    """Whatever a hostile file makes Pillow raise comes out as BadImage."""
    from PIL import Image, UnidentifiedImageError

    if (
        "ignore",
        None,
        Warning,
        re.compile("PIL"),
        0,
    ) not in warnings.filters:  # catch_warnings would race between threads
        warnings.filterwarnings("ignore", module="PIL")
        with suppress(AttributeError, OSError):  # libtiff writes to stderr by itself
            libtiff = ctypes.CDLL(Image.core.__file__)
            libtiff.TIFFSetErrorHandler(None), libtiff.TIFFSetWarningHandler(None)
        Image.core.set_block_size(
            64 << 20
        )  # so large that malloc gives memory back: threads would keep smaller blocks for ever
    if "HEIF" not in Image.OPEN:
        from pillow_heif import register_heif_opener

        register_heif_opener()
    try:
        yield
    except BadImage:
        raise
    except UnidentifiedImageError as e:
        raise BadImage(
            "is not an image (PNG, JPEG, WebP, BMP, TIFF, GIF, PPM, AVIF, HEIC), or its header is damaged"
        ) from e
    except Exception as e:
        reason = (
            "is truncated"
            if "truncated" in str(e).lower()
            else f"is damaged or cut short ({type(e).__name__}: {e})"
        )
        bomb = isinstance(e, Image.DecompressionBombError)
        raise BadImage(
            f"declares more than {MAX_PIXELS // 10**6} megapixels" if bomb else reason
        ) from e


def _open(blob):
    """The image of `blob`, no pixel decoded yet; how its EXIF says to turn it (or None); its (width, height) when turned."""
    from PIL import Image

    if not blob:
        raise BadImage("is empty (0 bytes)")
    image = Image.open(io.BytesIO(blob), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:  # from the header: a zip bomb is never unpacked
        raise BadImage(
            f"declares {image.width} x {image.height} pixels, more than {MAX_PIXELS // 10**6} megapixels"
        )
    turn = None
    if "exif" in image.info and image.format != "TIFF":  # Pillow turns TIFFs itself
        with suppress(Exception):  # damaged metadata do not spoil a good picture
            turn = TURNS.get(image.getexif().get(0x0112))
    return image, turn, image.size[::-1] if turn in (2, 4, 5, 6) else image.size


def _deep(image, blob):
    """(values (h, w) or (h, w, 3), alpha (h, w) or None) of a picture with more than 8 bits a channel; None for any other."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image)
        values = values.astype("u2", copy=False) if values.dtype.kind == "u" else values
        inverted = (
            values.dtype == "u2" and image.format == "TIFF" and image.tag_v2.get(262) == 0
        )  # 0 is white, and Pillow leaves it so
        return (65535 - values if inverted else values), None
    mode = next((t.args if isinstance(t.args, str) else t.args[0] for t in image.tile), "")
    if (
        image.format not in ("PNG", "TIFF")
        or image.mode not in ("RGB", "RGBA")
        or ";16" not in mode
    ):
        return None
    # Pillow keeps the high byte of each channel; asked for the other byte order, it keeps the low one
    other = "RGBA" if mode == "LA;16B" else mode[:-1] + ("L" if mode[-1] == "B" else "B")
    again = Image.open(io.BytesIO(blob), formats=[image.format])
    again.tile = [
        t._replace(args=other if isinstance(t.args, str) else (other, *t.args[1:]))
        for t in again.tile
    ]
    low = np.asarray(again)
    if mode == "LA;16B":  # read as four bytes: grey high and low, alpha high and low
        return low[..., 0].astype("u2") << 8 | low[..., 1], low[..., 2]
    high = np.asarray(image)
    return high[..., :3].astype("u2") << 8 | low[..., :3], high[
        ..., 3
    ] if image.mode == "RGBA" else None


def _scale(values, reading):
    """(h, w, 3) uint8 of `values`, of which reading.low is black and reading.high white."""
    whole = values.dtype.kind != "f"
    low, span = reading.low, reading.high - reading.low + whole
    if values.dtype == np.uint16:
        values = ((np.arange(65536) - low) * 256 // span).clip(0, 255).astype("u1")[values]
    else:
        values = np.nan_to_num((values.astype("f8") - low) * 256 // span).clip(0, 255).astype("u1")
    return values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)


def _range(values):
    """(1 for whole numbers or 2, the values that .1 % of pixels lie below and above), from a million pixels at most."""
    step = max(1, int((values.shape[0] * values.shape[1] / 1e6) ** 0.5))
    few = values[::step, ::step].ravel()
    few = few[np.isfinite(few)]
    low, high = np.quantile(few, (0.001, 0.999), method="nearest") if few.size else (0, 0)
    return 2 if values.dtype.kind == "f" else 1, float(np.float32(low)), float(np.float32(high))


def _room(image):
    """Bytes that it takes to decode and convert an image."""
    more = (
        image.has_transparency_data
        or image.mode not in ("L", "RGB", "P", "1")
        or image.format not in ("PNG", "JPEG", "BMP", "PPM")
    )
    return image.width * image.height * (14 if more else 5)


_held, _freed = [0], threading.Condition()


@contextmanager
def _take(size):
    """Wait until `size` bytes fit in ROOM beside what other threads decode, or nobody else does."""
    with _freed:
        _freed.wait_for(lambda: not _held[0] or _held[0] + size <= ROOM)
        _held[0] += size
    try:
        yield
    finally:
        with _freed:
            _held[0] -= size
            _freed.notify_all()


def _pages(image, blob):
    """Further pages or frames in the file."""
    from PIL import Image

    with suppress(Exception):  # a damaged list of pages does not spoil the first
        if image.format in ("GIF", "TIFF"):  # they are counted by going there
            image = Image.open(io.BytesIO(blob), formats=[image.format])
        return max(0, getattr(image, "n_frames", 1) - 1)
    return 0


def _rgb(image, blob, turn, size, reading):
    """(RGB image, Look) of `image` reduced to `size` (as stored, before turning) and upright. The image is None where the reading that it
    needs is not chosen yet."""
    from PIL import Image

    if image.size != size and image.format in ("JPEG", "MPO"):
        image.draft(None, (2 * size[0], 2 * size[1]))  # decode at 1/2, 1/4 or 1/8
    with _take(_room(image)):
        look = Look(pages=_pages(image, blob))
        if deep := _deep(image, blob):
            values, alpha = deep
            kind, low, high = _range(values)
            look = look._replace(deep=kind, low=low, high=high)
            if reading.high is None:
                return None, look
            image = Image.fromarray(_scale(values, reading))
            if alpha is not None:
                image.putalpha(Image.fromarray(alpha))
        else:
            image.load()
            missing, damage = find_damage(blob, image)
            look = look._replace(missing=missing, damage=damage)
        if image.has_transparency_data:
            layer = image if image.mode == "RGBA" else image.convert("RGBA")
            image = layer
            if layer.getextrema()[3][0] < 255:
                small = np.asarray(
                    layer.resize(
                        (min(size[0], SIDE), min(size[1], SIDE)),
                        Image.Resampling.BOX,
                        reducing_gap=2.0,
                    )
                )
                clear, *hidden = hidden_by(small[..., :3], small[..., 3])
                look = look._replace(clear=clear, white=hidden[0], black=hidden[1], grey=hidden[2])
                if reading.ground is None:
                    return None, look
                image = Image.new("RGB", layer.size, reading.ground)
                image.paste(layer, mask=layer)
        if image.mode not in ("L", "RGB"):
            image = image.convert("RGB")
        if image.size != size:
            image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        if turn is not None:
            image = image.transpose(turn)
        return (image if image.mode == "RGB" else image.convert("RGB")), look.read_with(reading)


def decode(blob, side=None):
    """Pixels (height, width, 3) uint8 of an image; with `side`, each axis is reduced to it, never enlarged. Read as a source of its own.
    Raises BadImage."""
    found = measure(blob, side)
    if isinstance(found.size, BadImage):
        raise found.size
    return (
        found.pixels
        if found.pixels is not None
        else measure(blob, side, choose([found.look])).pixels
    )


def measure(blob, side, reading=OPEN, stored=False):
    """The Picture of `blob`: without pixels if they are `stored`, cannot be had, or need what `reading` does not say."""
    try:
        with _plain_words():
            image, turn, size = _open(blob)
            if stored:
                return Picture(size)
            fit = image.size if side is None else (min(image.width, side), min(image.height, side))
            rgb, look = _rgb(image, blob, turn, fit, reading)
            return Picture(size, None if rgb is None else np.array(rgb), look)
    except BadImage as e:
        return Picture(e)

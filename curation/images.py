"""How an image file becomes pixels: found in a file or Parquet row, decoded once into flat uint8 shards, shown as a thumbnail."""

import ctypes
import io
import logging
import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from hashlib import blake2b
from itertools import islice, repeat

import numpy as np

from curation.errors import UserError

SIDE = 128  # pixels are kept at the smaller of their own and this resolution
FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"]  # no others: Pillow also opens EPS, by running ghostscript
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
MAX_PIXELS, MAX_BYTES = 100_000_000, 1 << 30
CHUNK = 64 << 20  # bytes read ahead, and bytes in a shard: what a killed import loses
IN_PARQUET = re.compile(r"(.+)::(\d+)(?:::(.+))?", re.DOTALL)  # file::row, and ::column where image_column would not guess it
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what Pillow dislikes reaches a person as BadImage, not on stderr


class BadImage(Exception):
    """Why a file is not an image that can be used, in plain words."""


def content_hash(blob):
    return blake2b(blob, digest_size=16).hexdigest()


def image_column(schema):
    """The column of a Parquet schema that holds image bytes: the only one that could, or the one named so; else None."""
    held = byte_columns(schema)
    named = [c for c in held if c.lower() in ("image", "img")]
    return held[0] if len(held) == 1 else named[0] if len(named) == 1 else None


def byte_columns(schema):
    """Columns of bytes, plain or as Hugging Face has them: a struct with a field `bytes`."""
    binary = re.compile(r"(large_)?binary(_view)?|struct<(.*, )?bytes: (large_)?binary.*")
    return [field.name for field in schema if binary.fullmatch(str(field.type))]


def read_bytes(uri):
    _, blob = next(iter_bytes([uri]))
    if isinstance(blob, BadImage):
        raise blob
    return blob


def iter_bytes(uris):
    """(index, bytes or BadImage) for every uri: files first, then Parquet files from first row to last, a batch at a time."""
    in_parquet = {}
    for i, uri in enumerate(uris):
        if (match := IN_PARQUET.fullmatch(uri)) and not os.path.isfile(uri):
            in_parquet.setdefault((match[1], match[3]), []).append((int(match[2]), i))
        else:
            yield i, _read_file(uri)
    for (path, column), wanted in in_parquet.items():
        yield from _iter_parquet(path, column, sorted(wanted))


def _read_file(path):
    try:
        if not os.path.isfile(path):  # nor a pipe, which would wait for ever
            return BadImage("there is no such file")
        if os.path.getsize(path) > MAX_BYTES:
            return BadImage(f"is larger than {MAX_BYTES >> 20} MB")
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        return BadImage(f"cannot be read ({e.strerror})")


def _iter_parquet(path, column, wanted):
    import pyarrow as pa
    import pyarrow.parquet as pq

    done = start = 0
    reason = f"{path} has no such row"
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:  # or a whole row group is held in memory
            column = column or image_column(file.schema_arrow)
            if column not in byte_columns(file.schema_arrow):
                raise OSError(f"no column {column or ''} of image bytes")
            for group in range(file.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                if done < len(wanted) and wanted[done][0] < stop:  # row groups that nobody asked for are not read
                    for batch in file.iter_batches(256, row_groups=[group], columns=[column]):
                        cells = batch.column(0)
                        cells = cells.field("bytes") if pa.types.is_struct(cells.type) else cells
                        while done < len(wanted) and wanted[done][0] < start + len(cells):
                            (row, i), done = wanted[done], done + 1
                            blob = cells[row - start].as_py() if row >= start else None  # else its group was cut short
                            yield i, BadImage("its row has no image bytes") if blob is None else blob
                        start += len(cells)
                        if done == len(wanted):
                            return
                start = stop
    except (OSError, ValueError, pa.ArrowException) as e:
        reason = f"{path} cannot be read ({str(e).splitlines()[0]})"
    for _, i in wanted[done:]:
        yield i, BadImage(reason)


@contextmanager
def _plain_words():
    """Whatever a hostile file makes Pillow raise comes out as BadImage."""
    from PIL import Image, UnidentifiedImageError

    if ("ignore", None, Warning, re.compile("PIL"), 0) not in warnings.filters:  # catch_warnings would race between threads
        warnings.filterwarnings("ignore", module="PIL")
        with suppress(AttributeError, OSError):  # libtiff writes to stderr by itself
            libtiff = ctypes.CDLL(Image.core.__file__)
            libtiff.TIFFSetErrorHandler(None), libtiff.TIFFSetWarningHandler(None)
    try:
        yield
    except BadImage:
        raise
    except UnidentifiedImageError as e:
        raise BadImage("is not an image (PNG, JPEG, WebP, BMP, TIFF, GIF, PPM), or its header is damaged") from e
    except Exception as e:
        reason = "is truncated" if "truncated" in str(e).lower() else f"is damaged or cut short ({type(e).__name__}: {e})"
        bomb = isinstance(e, Image.DecompressionBombError)
        raise BadImage(f"declares more than {MAX_PIXELS // 10**6} megapixels" if bomb else reason) from e


def _open(blob):
    """The image of `blob`, no pixel decoded yet; how its EXIF says to turn it (or None); its (width, height) when turned."""
    from PIL import Image

    if not blob:
        raise BadImage("is empty (0 bytes)")
    image = Image.open(io.BytesIO(blob), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:  # from the header: a zip bomb is never unpacked
        raise BadImage(f"declares {image.width} x {image.height} pixels, more than {MAX_PIXELS // 10**6} megapixels")
    turn = None
    if "exif" in image.info and image.format != "TIFF":  # Pillow turns TIFFs itself
        with suppress(Exception):  # damaged metadata do not spoil a good picture
            turn = TURNS.get(image.getexif().get(0x0112))
    return image, turn, image.size[::-1] if turn in (2, 4, 5, 6) else image.size


def _rgb(image, turn, size):
    """`image` reduced to `size` (as stored, before turning), upright, RGB, transparency on white."""
    from PIL import Image

    if image.size != size:
        image.draft(None, (2 * size[0], 2 * size[1]))  # JPEG: decode at 1/2, 1/4 or 1/8
    if image.mode.startswith("I;16") or image.mode == "I" and image.format in ("PNG", "PPM"):
        # the high byte, the same for every file: stretching each image by its own range would hide that one is dark
        image = Image.fromarray((np.asarray(image) >> 8).astype("u1"))
    elif image.mode in "IF":
        raise BadImage("has 32-bit pixels of unknown range: save it with 8 or 16 bits")
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(layer, mask=layer)
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    if turn is not None:
        image = image.transpose(turn)
    return image if image.mode == "RGB" else image.convert("RGB")


def decode(blob, side=None):
    """Pixels (height, width, 3) uint8 of an image; with `side`, each axis is reduced to it, never enlarged. Raises BadImage."""
    size, decoded = measure(blob, side)
    if decoded is None:
        raise size
    return decoded


def measure(blob, side, stored=False):
    """(width, height) of the upright original, or BadImage; its pixels, or None if they are `stored` or cannot be had."""
    try:
        with _plain_words():
            image, turn, size = _open(blob)
            fit = image.size if side is None else (min(image.width, side), min(image.height, side))
            return size, None if stored else np.array(_rgb(image, turn, fit))
    except BadImage as e:
        return e, None


def thumbnail(uri, side=160):
    """A JPEG of the original, its longer edge at most `side`, without its metadata. Raises BadImage."""
    with _plain_words():
        image, turn, _ = _open(read_bytes(uri))
        scale = min(1, side / max(image.size))
        out = io.BytesIO()
        _rgb(image, turn, tuple(max(1, round(scale * n)) for n in image.size)).save(out, "JPEG", quality=85)
        return out.getvalue()


def decode_source(frame, shards, side, progress=None):
    """Read every row of a source frame, and append to `shards` the pixels of those images that it does not have yet.

    -> hashes [str or None], sizes [(width, height) of the upright original, or None], bad [(key, reason)]. A killed run keeps the
    shards it finished. `progress(done, total)` is called after every chunk."""
    hashes, bad, known = [None] * len(frame), {}, {}  # known: hash -> size or BadImage, so that equal bytes are decoded once
    reads, fresh, done = iter_bytes(frame["uri"]), [], 0  # fresh: (hash, pixels) not yet on disk
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
        while chunk := _read_ahead(reads, min(1024, 1 + CHUNK // (3 * side * side))):
            for i, blob in chunk:
                if isinstance(blob, BadImage):
                    bad[i] = blob
                else:
                    hashes[i] = content_hash(blob)
            new = {hashes[i]: blob for i, blob in chunk if hashes[i] and hashes[i] not in known}
            tasks = new.values(), repeat(side), shards.find(list(new)) >= 0
            spread = pool.map if sum(map(len, new.values())) > 4096 * len(new) else map  # tiny ones are mostly Python
            for h, (size, decoded) in zip(new, spread(measure, *tasks), strict=True):
                known[h] = size
                fresh += [] if decoded is None else [(h, decoded)]
            done += len(chunk)
            if fresh and (len(fresh) >= 4096 or sum(p.nbytes for _, p in fresh) >= CHUNK or done == len(frame)):
                _store(shards, *zip(*fresh, strict=True))
                fresh = []
            if progress:
                progress(done, len(frame))
    for i, h in enumerate(hashes):
        if isinstance(known.get(h), BadImage):
            bad[i], hashes[i] = known[h], None
    return hashes, [known.get(h) for h in hashes], [(frame["key"].iloc[i], str(bad[i])) for i in sorted(bad)]


def _store(shards, hashes, images):
    heights, widths = zip(*(image.shape[:2] for image in images), strict=True)
    starts = np.cumsum([0] + [image.size for image in images[:-1]])
    shards.append(hashes, np.concatenate([image.ravel() for image in images]), heights, widths, starts)


def _read_ahead(reads, count):
    """The next (index, blob) pairs: at most `count`, and about CHUNK bytes."""
    chunk, held = [], 0
    for i, blob in islice(reads, count):
        chunk.append((i, blob))
        held += 0 if isinstance(blob, BadImage) else len(blob)
        if held >= CHUNK:
            break
    return chunk


def pixels(shards, hashes, size=None):
    """(n, size, size, 3) uint8, all at once."""
    return Pixels(shards, hashes, size)[:]


class Pixels:
    """A read-only (n, size, size, 3) uint8 array gathered on demand: `pixels[index]` is a fresh ndarray, `take` stays lazy.

    An image stored in another shape is resized (bilinear); without `size` all must share one shape."""

    def __init__(self, shards, hashes, size=None):
        at = shards.find(hashes)
        if (at < 0).any():
            raise UserError(
                f"expected the pixels of every image, found {(at < 0).sum():,} of {len(at):,} missing in {shards.folder}",
                "run: assay check --repair, which decodes them again",
            )
        self.arrays, self.shard, self.index = shards.arrays, shards.shard[at], shards.index[at]
        stored = {(int(h), int(w)) for h, w in np.unique(self.index[["height", "width"]])}
        assert size or len(stored) < 2, f"images of {len(stored)} shapes need a size"
        self.shape = (len(at), *((size, size) if size else stored.pop() if stored else (0, 0)), 3)

    def __len__(self):
        return len(self.shard)

    def take(self, keep):
        part = copy(self)
        part.shard, part.index = self.shard[keep], self.index[keep]
        part.shape = (len(part.shard), *self.shape[1:])
        return part

    def __getitem__(self, keep):
        if np.ndim(keep) == 0 and not isinstance(keep, slice):
            return self[[keep]][0]
        part = self.take(keep)
        height, width = part.shape[1:3]
        out = np.empty(part.shape, "u1")
        ready = (part.index["height"] == height) & (part.index["width"] == width)
        for s in np.unique(part.shard[ready]):
            mine = np.flatnonzero(ready & (part.shard == s))
            windows = np.lib.stride_tricks.sliding_window_view(self.arrays[s], height * width * 3)  # an image may start anywhere
            out.reshape(len(out), -1)[mine] = windows[part.index["row"][mine]]
        for i in np.flatnonzero(~ready):
            row, h, w = (int(part.index[name][i]) for name in ("row", "height", "width"))
            out[i] = _resize(self.arrays[part.shard[i]][row : row + h * w * 3].reshape(h, w, 3), height, width)
        return out

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or "u1", copy=False)


def _resize(stored, height, width):
    from PIL import Image

    return np.asarray(Image.fromarray(stored).resize((width, height), Image.Resampling.BILINEAR))

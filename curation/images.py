"""How an image file becomes pixels: found in a file or Parquet row, decoded once into flat uint8 shards, shown as a thumbnail."""

import ctypes
import io
import logging
import os
import re
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice, repeat

import numpy as np

from curation.arrays import Shards
from curation.damage import find_damage
from curation.errors import UserError
from curation.readings import OLD, OPEN, Look, choose, find_looks, hidden_by, load_looks

SIDE = 128  # pixels are kept at the smaller of their own and this resolution
FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "HEIF"]  # no others: Pillow also opens EPS, by running ghostscript
SUFFIXES = tuple(".png .apng .jpg .jpeg .jpe .jfif .webp .bmp .dib .tif .tiff .gif .ppm .pgm .pbm .pnm .avif .heic .heif .hif".split())
MAX_PIXELS, MAX_BYTES = 100_000_000, 1 << 30
ROOM = 512 << 20  # bytes that pictures take while they are decoded, all threads together; a larger one is decoded alone
CHUNK = 64 << 20  # bytes read ahead, and bytes in a shard: what a killed import loses
IN_PARQUET = re.compile(r"(.+)::(\d+)(?:::(.+))?", re.DOTALL)  # file::row, and ::column where image_column would not guess it
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what Pillow dislikes reaches a person as BadImage, not on stderr


class BadImage(Exception):
    """Why a file is not an image that can be used, in plain words."""


@dataclass
class Picture:
    """What `measure` finds: the (width, height) of the upright original, or BadImage; its pixels, or None; its Look."""

    size: tuple | BadImage
    pixels: np.ndarray | None = None
    look: Look = Look()


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
        Image.core.set_block_size(64 << 20)  # so large that malloc gives memory back: threads would keep smaller blocks for ever
    if "HEIF" not in Image.OPEN:
        from pillow_heif import register_heif_opener

        register_heif_opener()
    try:
        yield
    except BadImage:
        raise
    except UnidentifiedImageError as e:
        raise BadImage("is not an image (PNG, JPEG, WebP, BMP, TIFF, GIF, PPM, AVIF, HEIC), or its header is damaged") from e
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


def _deep(image, blob):
    """(values (h, w) or (h, w, 3), alpha (h, w) or None) of a picture with more than 8 bits a channel; None for any other."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image)
        values = values.astype("u2", copy=False) if values.dtype.kind == "u" else values
        inverted = values.dtype == "u2" and image.format == "TIFF" and image.tag_v2.get(262) == 0  # 0 is white, and Pillow leaves it so
        return (65535 - values if inverted else values), None
    mode = next((t.args if isinstance(t.args, str) else t.args[0] for t in image.tile), "")
    if image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA") or ";16" not in mode:
        return None
    # Pillow keeps the high byte of each channel; asked for the other byte order, it keeps the low one
    other = "RGBA" if mode == "LA;16B" else mode[:-1] + ("L" if mode[-1] == "B" else "B")
    again = Image.open(io.BytesIO(blob), formats=[image.format])
    again.tile = [t._replace(args=other if isinstance(t.args, str) else (other, *t.args[1:])) for t in again.tile]
    low = np.asarray(again)
    if mode == "LA;16B":  # read as four bytes: grey high and low, alpha high and low
        return low[..., 0].astype("u2") << 8 | low[..., 1], low[..., 2]
    high = np.asarray(image)
    return high[..., :3].astype("u2") << 8 | low[..., :3], high[..., 3] if image.mode == "RGBA" else None


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
    more = image.has_transparency_data or image.mode not in ("L", "RGB", "P", "1") or image.format not in ("PNG", "JPEG", "BMP", "PPM")
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
                small = np.asarray(layer.resize((min(size[0], SIDE), min(size[1], SIDE)), Image.Resampling.BOX, reducing_gap=2.0))
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
    return found.pixels if found.pixels is not None else measure(blob, side, choose([found.look])).pixels


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


def thumbnail(uri, side=160, looks=None):
    """A JPEG of the original, its longer edge at most `side`, without its metadata; read as its pixels were, if `looks` (shards) tell.
    Raises BadImage."""
    with _plain_words():
        blob = read_bytes(uri)
        image, turn, _ = _open(blob)
        scale = min(1, side / max(image.size))
        fit = tuple(max(1, round(scale * n)) for n in image.size)
        shown, look = _rgb(image, blob, turn, fit, OPEN)
        if shown is None:
            kept = find_looks(looks, [content_hash(blob)]).get(content_hash(blob)) if looks is not None else None
            reading = choose([look], kept.reading() if kept else OLD if looks is not None else OPEN)
            shown, _ = _rgb(_open(blob)[0], blob, turn, fit, reading)
        out = io.BytesIO()
        shown.save(out, "JPEG", quality=85)
        return out.getvalue()


def decode_source(frame, shards, side, progress=None, reading=OPEN):
    """Read every row of a source frame, and append to `shards` the pixels of those images that it does not have yet, all read alike: as
    `reading` says and, where it leaves that open, as all of them together need. Beside the shards, decoded/ keeps their looks.

    -> hashes [str or None], sizes [(width, height) of the upright original, or None], bad [(key, reason)]. A killed run keeps the
    shards it finished. `progress(done, total)` is called after every chunk."""
    known, looks = {}, {}  # hash -> size or BadImage, so that equal bytes are decoded once; hash -> Look
    hashes, bad, waiting = _decode(frame["uri"], shards, side, reading, known, looks, progress)
    if waiting:  # pictures that must all be seen before one of them can be read
        reading = choose(looks.values(), reading)
        again = [i for i, h in enumerate(hashes) if h in waiting]
        _decode(frame["uri"].iloc[again], Shards(shards.folder), side, reading, {}, {}, progress)
    for i, h in enumerate(hashes):
        if isinstance(known.get(h), BadImage):
            bad[i], hashes[i] = known[h], None
    return hashes, [known.get(h) for h in hashes], [(frame["key"].iloc[i], str(bad[i])) for i in sorted(bad)]


def _decode(uris, shards, side, reading, known, looks, progress):
    """One pass over `uris`, into `shards`, `known` and `looks`. -> hashes, {index: BadImage} of what is no file, hashes that need a reading."""
    hashes, bad, waiting = [None] * len(uris), {}, set()
    told = load_looks(shards.folder.parent)
    reads, fresh, done = iter_bytes(uris), [], 0  # fresh: (hash, Picture) not yet on disk
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
        while chunk := _read_ahead(reads, min(1024, 1 + CHUNK // (3 * side * side))):
            for i, blob in chunk:
                if isinstance(blob, BadImage):
                    bad[i] = blob
                else:
                    hashes[i] = content_hash(blob)
            new = {hashes[i]: blob for i, blob in chunk if hashes[i] and hashes[i] not in known}
            looks |= find_looks(told, new)
            tasks = new.values(), repeat(side), repeat(reading), shards.find(list(new)) >= 0
            spread = pool.map if sum(map(len, new.values())) > 4096 * len(new) else map  # tiny ones are mostly Python
            for h, found in zip(new, spread(measure, *tasks), strict=True):
                known[h] = found.size
                if any(found.look):
                    looks[h] = found.look
                if found.pixels is not None:
                    fresh.append((h, found))
                elif any(found.look):
                    waiting.add(h)
            done += len(chunk)
            if fresh and (len(fresh) >= 4096 or sum(p.pixels.nbytes for _, p in fresh) >= CHUNK or done == len(uris)):
                _store(shards, *zip(*fresh, strict=True))
                fresh = []
            if progress:
                progress(done, len(uris))
    return hashes, bad, waiting


def _store(shards, hashes, pictures):
    if telling := [i for i, picture in enumerate(pictures) if any(picture.look)]:  # first: pixels that are there were told of
        looks = np.array([pictures[i].look for i in telling], "f4")
        load_looks(shards.folder.parent).append([hashes[i] for i in telling], looks)
    images = [picture.pixels for picture in pictures]
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

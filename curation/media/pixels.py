"""The bench's own small copies of its images, for training and thumbnails."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from itertools import islice, repeat

import numpy as np

from assay.curation.errors import UserError
from assay.curation.media.conversion import OLD, OPEN, choose, find_looks, load_looks
from assay.curation.media.files import CHUNK, BadImage, content_hash, iter_bytes, read_bytes
from assay.curation.media.images import _open, _plain_words, _rgb, measure
from assay.curation.storage.arrays import Shards


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
            kept = (
                find_looks(looks, [content_hash(blob)]).get(content_hash(blob))
                if looks is not None
                else None
            )
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
    known, looks = (
        {},
        {},
    )  # hash -> size or BadImage, so that equal bytes are decoded once; hash -> Look
    hashes, bad, waiting = _decode(frame["uri"], shards, side, reading, known, looks, progress)
    if waiting:  # pictures that must all be seen before one of them can be read
        reading = choose(looks.values(), reading)
        again = [i for i, h in enumerate(hashes) if h in waiting]
        _decode(frame["uri"].iloc[again], Shards(shards.folder), side, reading, {}, {}, progress)
    for i, h in enumerate(hashes):
        if isinstance(known.get(h), BadImage):
            bad[i], hashes[i] = known[h], None
    return (
        hashes,
        [known.get(h) for h in hashes],
        [(frame["key"].iloc[i], str(bad[i])) for i in sorted(bad)],
    )


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
            spread = (
                pool.map if sum(map(len, new.values())) > 4096 * len(new) else map
            )  # tiny ones are mostly Python
            for h, found in zip(new, spread(measure, *tasks), strict=True):
                known[h] = found.size
                if any(found.look):
                    looks[h] = found.look
                if found.pixels is not None:
                    fresh.append((h, found))
                elif any(found.look):
                    waiting.add(h)
            done += len(chunk)
            if fresh and (
                len(fresh) >= 4096
                or sum(p.pixels.nbytes for _, p in fresh) >= CHUNK
                or done == len(uris)
            ):
                _store(shards, *zip(*fresh, strict=True))
                fresh = []
            if progress:
                progress(done, len(uris))
    return hashes, bad, waiting


def _store(shards, hashes, pictures):
    if telling := [
        i for i, picture in enumerate(pictures) if any(picture.look)
    ]:  # first: pixels that are there were told of
        looks = np.array([pictures[i].look for i in telling], "f4")
        load_looks(shards.folder.parent).append([hashes[i] for i in telling], looks)
    images = [picture.pixels for picture in pictures]
    heights, widths = zip(*(image.shape[:2] for image in images), strict=True)
    starts = np.cumsum([0] + [image.size for image in images[:-1]])
    shards.append(
        hashes, np.concatenate([image.ravel() for image in images]), heights, widths, starts
    )


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
            windows = np.lib.stride_tricks.sliding_window_view(
                self.arrays[s], height * width * 3
            )  # an image may start anywhere
            out.reshape(len(out), -1)[mine] = windows[part.index["row"][mine]]
        for i in np.flatnonzero(~ready):
            row, h, w = (int(part.index[name][i]) for name in ("row", "height", "width"))
            out[i] = _resize(
                self.arrays[part.shard[i]][row : row + h * w * 3].reshape(h, w, 3), height, width
            )
        return out

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or "u1", copy=False)


def _resize(stored, height, width):
    from PIL import Image

    return np.asarray(Image.fromarray(stored).resize((width, height), Image.Resampling.BILINEAR))


def side_of(bench, state):
    """The square that images are trained at: the largest stored side, so that nothing is enlarged beyond its neighbours."""
    index = Shards(bench.arrays / "pixels")
    at = index.find(state.content_hash)
    return int(max(index.index["height"][at].max(), index.index["width"][at].max()))

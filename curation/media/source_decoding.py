"""Decode a source once, into shards of pixels.

Shards say for which images there are pixels already; a run that was killed keeps those that it finished.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, repeat
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.media import files
from assay.curation.media.base import Decoded, DecodedSource, MediaType, media_type
from assay.curation.media.conversion import UNDECIDED, Conversion, ImageTraits, choose_conversion
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.originals import iter_bytes
from assay.curation.media.stored_traits import find_traits, load_traits
from assay.curation.storage.interface import Progress
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import pandas as pd

MANY = 4096  # small images are stored so many at a time


def decode_source(
    frame: pd.DataFrame,
    shards: Shards,
    side: int,
    progress: Progress | None = None,
    conversion: Conversion = UNDECIDED,
) -> DecodedSource:
    """Decode the rows of a source into `shards`.

    What these have already is not decoded again. All images are converted alike: as `conversion` says and,
    where it leaves that open, as all of them together need. Beside the shards, decoded/ keeps their traits.
    `progress(done, total)` is called after every chunk."""
    first = _Pass(shards, side, conversion, progress)
    first.decode(frame["uri"], fresh=True)
    if first.waiting:  # images that must all be seen before one of them can be converted
        chosen = choose_conversion(first.traits.values(), conversion)
        again = [i for i, h in enumerate(first.hashes) if h in first.waiting]
        _Pass(Shards(shards.folder), side, chosen, progress).decode(frame["uri"].iloc[again])
    hashes, bad = first.hashes, first.bad
    for i, h in enumerate(hashes):
        if isinstance(first.known.get(h), BadMedia):
            bad[i], hashes[i] = first.known[h], None
    sizes = [first.known.get(h) for h in hashes]
    return DecodedSource(hashes, sizes, [(frame["key"].iloc[i], str(bad[i])) for i in sorted(bad)])


class _Pass:
    """One pass over the files of a source."""

    def __init__(
        self, shards: Shards, side: int, conversion: Conversion, progress: Progress | None
    ):
        self.shards, self.side, self.conversion = shards, side, conversion
        self.progress = progress
        self.media: MediaType = media_type()
        self.stored_traits = load_traits(shards.folder.parent)
        self.hashes: list[str | None] = []  # of each file
        self.bad: dict[int, BadMedia] = {}  # of what is no file
        # by hash, so that equal bytes are decoded once
        self.known: dict[str, tuple[int, int] | BadMedia] = {}
        self.traits: dict[str, ImageTraits] = {}
        self.waiting: set[str] = set()  # hashes of what needs a conversion that is not chosen

    def decode(self, uris: pd.Series, fresh: bool = False) -> None:
        """Decode the files, storing arrays as they come; fresh: see iter_bytes."""
        self.hashes = [None] * len(uris)
        reads, decoded, done = iter_bytes(uris, fresh), {}, 0  # decoded: not yet on disk, by hash
        most = min(1024, 1 + files.CHUNK // (3 * self.side * self.side))
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
            while chunk := read_ahead(reads, most):
                decoded |= self._decode_chunk(pool, chunk)
                done += len(chunk)
                size = sum(found.array.nbytes for found in decoded.values())
                if decoded and (len(decoded) >= MANY or size >= files.CHUNK or done == len(uris)):
                    store_decoded(self.shards, decoded)
                    decoded = {}
                if self.progress:
                    self.progress(done, len(uris))

    def _decode_chunk(
        self, pool: ThreadPoolExecutor, chunk: list[tuple[int, bytes | BadMedia]]
    ) -> dict[str, Decoded]:
        """Decode the new files of a chunk; return them by hash."""
        new, fresh = {}, {}
        for i, blob in chunk:
            if isinstance(blob, BadMedia):
                self.bad[i] = blob
                continue
            self.hashes[i] = content_hash(blob)
            if self.hashes[i] not in self.known:
                new[self.hashes[i]] = blob
        self.traits |= find_traits(self.stored_traits, new)
        stored = self.shards.find(list(new)) >= 0
        tasks = repeat(self.media), new.values(), repeat(self.side), repeat(self.conversion), stored
        # tiny ones are mostly Python
        spread = pool.map if sum(map(len, new.values())) > 4096 * len(new) else map
        for h, found in zip(new, spread(_decode_or_refuse, *tasks), strict=True):
            if isinstance(found, BadMedia):
                self.known[h] = found
                continue
            self.known[h] = found.size
            if any(found.traits):
                self.traits[h] = found.traits
            if found.array is not None:
                fresh[h] = found
            elif any(found.traits):
                self.waiting.add(h)
        return fresh


def _decode_or_refuse(
    media: MediaType, blob: bytes, side: int, conversion: Conversion, stored: bool
) -> Decoded | BadMedia:
    try:
        return media.decode(blob, side, conversion, stored)
    except BadMedia as e:
        return e


def store_decoded(shards: Shards, fresh: dict[str, Decoded]) -> None:
    """Append decoded images, by their hashes, to `shards`."""
    telling = {h: found.traits for h, found in fresh.items() if any(found.traits)}
    if telling:  # first: pixels that are there were told of
        rows = np.array(list(telling.values()), "f4")
        load_traits(shards.folder.parent).append(list(telling), rows)
    images = [found.array for found in fresh.values()]
    heights, widths = zip(*(image.shape[:2] for image in images), strict=True)
    starts = np.cumsum([0] + [image.size for image in images[:-1]])
    flat = np.concatenate([image.ravel() for image in images])
    shards.append(list(fresh), flat, heights, widths, starts)


def read_ahead(
    reads: Iterable[tuple[int, bytes | BadMedia]] | Iterator, count: int
) -> list[tuple[int, bytes | BadMedia]]:
    """Take the next files: at most `count`, and about CHUNK bytes."""
    chunk, held = [], 0
    for i, blob in islice(reads, count):
        chunk.append((i, blob))
        held += 0 if isinstance(blob, BadMedia) else len(blob)
        if held >= files.CHUNK:
            break
    return chunk

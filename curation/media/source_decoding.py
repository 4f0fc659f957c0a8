"""Decode a source once, into shards of pixels.

Shards say for which images there are pixels already; a run that was killed keeps those that it finished.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, repeat
from typing import TYPE_CHECKING, NamedTuple

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
    `progress(done, total)` is called after every chunk. A column `read` holds what came of rows whose images were
    decoded as their shard came (a ReadImage or BadMedia), None for the others."""
    first = DecodingPass(shards, side, conversion)
    first.decode(frame["uri"], progress, fresh=True, read=frame.get("read"))
    if first.waiting:  # images that must all be seen before one of them can be converted
        chosen = choose_conversion(first.traits.values(), conversion)
        again = [i for i, h in enumerate(first.hashes) if h in first.waiting]
        DecodingPass(Shards(shards.folder), side, chosen).decode(frame["uri"].iloc[again], progress)
    hashes, bad = first.hashes, first.bad
    for i, h in enumerate(hashes):
        if isinstance(first.known.get(h), BadMedia):
            bad[i], hashes[i] = first.known[h], None
    sizes = [first.known.get(h) for h in hashes]
    return DecodedSource(hashes, sizes, [(frame["key"].iloc[i], str(bad[i])) for i in sorted(bad)])


class ReadImage(NamedTuple):
    """What came of an image that was decoded as its shard came."""

    content: str  # hash of its bytes
    size: tuple[int, int]
    traits: ImageTraits | None = None  # None for an ordinary image


class DecodingPass:
    """One pass over the files of a source."""

    def __init__(self, shards: Shards, side: int, conversion: Conversion) -> None:
        self.shards, self.side, self.conversion = shards, side, conversion
        self.media: MediaType = media_type()
        self.stored_traits = load_traits(shards.folder.parent)
        self.hashes: list[str | None] = []  # of each file
        self.bad: dict[int, BadMedia] = {}  # of what is no file
        # by hash, so that equal bytes are decoded once
        self.known: dict[str, tuple[int, int] | BadMedia] = {}
        self.traits: dict[str, ImageTraits] = {}
        self.waiting: set[str] = set()  # hashes of what needs a conversion that is not chosen
        self.decoded: dict[str, Decoded] = {}  # not yet on disk, by hash

    def decode(
        self,
        uris: pd.Series,
        progress: Progress | None = None,
        fresh: bool = False,
        read: Iterable[ReadImage | BadMedia | None] | None = None,
    ) -> None:
        """Decode the files, storing arrays as they come; fresh: see iter_bytes."""
        self.hashes = [None] * len(uris)
        left = list(range(len(uris))) if read is None else self.adopt(list(read))
        reads = iter_bytes(uris.iloc[left], fresh)
        done = len(uris) - len(left)
        for n in self.decode_reads((left[i], blob) for i, blob in reads):
            done += n
            if progress:
                progress(done, len(uris))
        self.flush()

    def adopt(self, read: list[ReadImage | BadMedia | None]) -> list[int]:
        """Take over what was decoded already; returns the rows that were not."""
        found = {i: image for i, image in enumerate(read) if isinstance(image, ReadImage)}
        self.bad |= {i: image for i, image in enumerate(read) if isinstance(image, BadMedia)}
        stored = self.shards.find([image.content for image in found.values()]) >= 0
        for (i, image), there in zip(found.items(), stored, strict=True):
            self.hashes[i], self.known[image.content] = image.content, image.size
            if image.traits:
                self.traits[image.content] = image.traits
            if not there:
                self.waiting.add(image.content)
        return [i for i, image in enumerate(read) if image is None]

    def decode_reads(self, reads: Iterator[tuple[int, bytes | BadMedia]]) -> Iterator[int]:
        """Decode files as they come, each with its number; yields how many of them at a time."""
        most = min(1024, 1 + files.CHUNK // (3 * self.side * self.side))
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes without the GIL
            while chunk := read_ahead(reads, most):
                self.decoded |= self._decode_chunk(pool, chunk)
                size = sum(found.array.nbytes for found in self.decoded.values())
                if len(self.decoded) >= MANY or size >= files.CHUNK:
                    self.flush()
                yield len(chunk)

    def flush(self) -> None:
        """Store what was decoded."""
        if self.decoded:
            store_decoded(self.shards, self.decoded)
            self.decoded = {}

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

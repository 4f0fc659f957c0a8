"""Pictures for the browser: JPEGs of bounded size, each made once; texts as they are."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

from cachetools import LRUCache
from PIL import Image

from assay.curation.media import relocation
from assay.curation.media.base import media_of
from assay.curation.media.decoding import STORED_SIDE
from assay.curation.media.files import BadMedia
from assay.curation.media.pixels import Pixels, make_thumbnail
from assay.curation.media.stored_traits import load_traits
from assay.curation.storage.arrays import file_stamp
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.media.base import MediaType
    from assay.curation.storage.interface import Bench

MOST = 4000  # pictures kept: 100 MB of small ones
KEPT_SIDE = 1024  # pixels; a larger one is one that somebody looks at closely, once


class Thumbnails:
    """The pictures of one bench."""

    def __init__(self, bench: Bench):
        self.bench, self.made, self.shards = bench, None, None
        self.kind: MediaType | None = None
        self.kept, self.lock, self.reading = LRUCache(MOST), threading.Lock(), threading.Lock()

    def load(self, row: pd.Series, side: int) -> bytes | None:
        """Make the JPEG of a row of a state.

        Its longer side is at most `side`. It comes from the pixels that are held, or else from the
        image's file. None where the image cannot be read.
        """
        key = row.content_hash, side
        with self.lock:
            if key in self.kept:
                return self.kept[key]
        try:
            if self.media.column:
                jpeg = self.media.preview(self.read_text(row.content_hash).encode(), side)
            elif max(row.width, row.height) <= min(STORED_SIDE, side):
                jpeg = self.encode_stored(row)
            else:
                uri = relocation.current_uri(self.bench, row.name, row.uri)
                jpeg = make_thumbnail(uri, side, load_traits(self.bench.arrays))
        except BadMedia:
            return None  # not remembered: an image that has moved may be found again
        if side <= KEPT_SIDE:
            with self.lock:
                self.kept[key] = jpeg
        return jpeg

    def load_shards(self) -> Shards:
        """Open the shards of pixels, or of texts.

        Their index is read once, by one for all: of a million images that takes a second.
        """
        folder = self.bench.arrays / self.media.folder
        made = file_stamp(folder)
        with self.reading:
            if made != self.made:
                self.shards, self.made = Shards(folder), made
            return self.shards

    @property
    def media(self) -> MediaType:
        """The media type of the bench: an import decides it, maybe while this is open."""
        if self.kind is None:
            found = media_of(self.bench)
            if not len(self.bench.rows("select 1 from samples limit 1")):
                return found
            self.kind = found
        return self.kind

    def read_text(self, content_hash: str) -> str:
        """Read a stored text, whole."""
        return self.media.read(self.load_shards(), [content_hash])[0]

    def encode_stored(self, row: pd.Series) -> bytes:
        """Encode an image that the pixel shards hold as it is."""
        out, pixels = io.BytesIO(), Pixels(self.load_shards(), [row.content_hash])[0]
        Image.fromarray(pixels).save(out, "JPEG", quality=95, subsampling=0)
        return out.getvalue()

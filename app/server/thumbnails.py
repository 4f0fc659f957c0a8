"""How an image reaches a browser: a JPEG of bounded size, made once, of the pixels that are held or else of its file."""

import io
import threading
from collections import OrderedDict

from PIL import Image

from assay.curation.media import locations
from assay.curation.media.conversion import load_looks
from assay.curation.media.files import BadImage
from assay.curation.media.images import SIDE as STORED
from assay.curation.media.pixels import Pixels, thumbnail
from assay.curation.storage.arrays import Shards, written

MOST = 4000  # pictures kept: 100 MB of small ones


class Pictures:
    """The pictures of one bench."""

    def __init__(self, bench):
        self.bench, self.folder, self.made, self.shards = bench, bench.arrays / "pixels", None, None
        self.kept, self.lock, self.reading = OrderedDict(), threading.Lock(), threading.Lock()

    def of(self, row, side):
        """The JPEG of a row of a state, its longer side at most `side`; None where the image cannot be read."""
        key = row.content_hash, side
        with self.lock:
            if key in self.kept:
                self.kept.move_to_end(key)
                return self.kept[key]
        try:
            jpeg = (
                self.whole(row)
                if max(row.width, row.height) <= min(STORED, side)
                else thumbnail(
                    locations.now(self.bench, row.name, row.uri),
                    side,
                    load_looks(self.bench.arrays),
                )
            )
        except BadImage:
            return None  # not remembered: an image that has moved may be found again
        with self.lock:
            self.kept[key] = jpeg
            while len(self.kept) > MOST:
                self.kept.popitem(last=False)
        return jpeg

    def held(self):
        """The pixel shards. Their index is read once, by one for all: of a million images that takes a second."""
        made = written(self.folder)
        with self.reading:
            if made != self.made:
                self.shards, self.made = Shards(self.folder), made
            return self.shards

    def whole(self, row):
        """An image that the pixel shards hold as it is."""
        out = io.BytesIO()
        Image.fromarray(Pixels(self.held(), [row.content_hash])[0]).save(
            out, "JPEG", quality=95, subsampling=0
        )
        return out.getvalue()

"""Read the bench's own small copies of its images.

For training and finders.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.media.base import media_type
from assay.curation.media.originals import read_bytes
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards, fetch_arrays

if TYPE_CHECKING:
    import pandas as pd


class Pixels:
    """A read-only array (n, size, size, 3) uint8, gathered on demand.

    `pixels[index]` is a fresh ndarray, `take` stays lazy. An image stored in another shape is resized (bilinear);
    without `size` all must share one shape."""

    def __init__(self, shards: Shards, hashes: Iterable[str], size: int | None = None):
        at = shards.find_all(hashes)
        if (at < 0).any():
            raise UserError(
                "expected the pixels of every image, "
                f"found {(at < 0).sum():,} of {len(at):,} missing in {shards.folder}",
                "run: assay check --repair, which decodes them again",
            )
        self.arrays, self.shard, self.index = shards.arrays, shards.shard[at], shards.index[at]
        stored = {(int(h), int(w)) for h, w in np.unique(self.index[["height", "width"]])}
        assert size or len(stored) < 2, f"images of {len(stored)} shapes need a size"
        self.shape = (len(at), *((size, size) if size else stored.pop() if stored else (0, 0)), 3)

    def __len__(self) -> int:
        return len(self.shard)

    def take(self, keep: np.ndarray) -> Pixels:
        """Choose some images, by rows or a mask."""
        part = copy(self)
        part.shard, part.index = self.shard[keep], self.index[keep]
        part.shape = (len(part.shard), *self.shape[1:])
        return part

    def __getitem__(self, keep: Any) -> np.ndarray:
        if np.ndim(keep) == 0 and not isinstance(keep, slice):
            return self[[keep]][0]
        part = self.take(keep)
        height, width = part.shape[1:3]
        out = np.empty(part.shape, "u1")
        ready = (part.index["height"] == height) & (part.index["width"] == width)
        fetch_arrays(self.arrays, np.unique(part.shard))
        for s in np.unique(part.shard[ready]):
            mine = np.flatnonzero(ready & (part.shard == s))
            # an image may start anywhere
            windows = np.lib.stride_tricks.sliding_window_view(self.arrays[s], height * width * 3)
            out.reshape(len(out), -1)[mine] = windows[part.index["row"][mine]]
        for i in np.flatnonzero(~ready):
            out[i] = resize_pixels(part.read_stored(i), height, width)
        return out

    def read_stored(self, i: int) -> np.ndarray:
        """Read an image in the shape in which it is stored."""
        row, h, w = (int(self.index[name][i]) for name in ("row", "height", "width"))
        return self.arrays[self.shard[i]][row : row + h * w * 3].reshape(h, w, 3)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or "u1", copy=False)


def resize_pixels(stored: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image (h, w, 3) as the bench does: bilinear."""
    from PIL import Image

    return np.asarray(Image.fromarray(stored).resize((width, height), Image.Resampling.BILINEAR))


def load_pixels(shards: Shards, hashes: Iterable[str], size: int | None = None) -> np.ndarray:
    """Read pixels (n, size, size, 3) uint8, all at once."""
    return Pixels(shards, hashes, size)[:]


def training_side(bench: Bench, state: pd.DataFrame) -> int:
    """Find the square that images are trained at.

    It is the largest stored side, so that nothing is enlarged beyond its neighbours."""
    index = Shards(bench.arrays / "pixels")
    at = index.find(state.content_hash)
    return int(max(index.index["height"][at].max(), index.index["width"][at].max()))


def make_thumbnail(uri: str, side: int = 160, traits: Shards | None = None) -> bytes:
    """Make a small JPEG of the original at `uri`.

    side: the longest that its longer edge may be. It is converted as its stored pixels were, if `traits` (see
    load_traits) tell. Raises BadMedia."""
    return media_type().preview(read_bytes(uri), side, traits)

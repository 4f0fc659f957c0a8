"""A version as a torch Dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assay.curation.media.pixels import Pixels
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class TorchDataset:
    """Kept, labelled samples for a torch DataLoader.

    An item is (uint8 image (h, w, 3), or transform(image); index of its class in `classes`).
    """

    def __init__(
        self,
        bench: Bench,
        frame: pd.DataFrame,
        transform: Callable[[np.ndarray], Any] | None = None,
        size: int | None = None,
    ) -> None:
        """Choose the samples of a state.

        size: the side of all images in pixels; None: the longest side of any.
        """
        frame = frame[frame.label.notna()]
        self.classes = sorted(set(frame.label))
        self.samples = list(frame.index)
        self.labels = [self.classes.index(c) for c in frame.label]
        shards = Shards(bench.arrays / "pixels")
        at = shards.find(frame.content_hash)
        side = size or int(max(shards.index["height"][at].max(), shards.index["width"][at].max()))
        self.pixels, self.transform = Pixels(shards, frame.content_hash, side), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        image = self.pixels[i]
        return (self.transform(image) if self.transform else image), self.labels[i]

"""The pixels themselves as a vector.

Fast, and enough for small drawings and tests.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


class PixelEmbedder:
    """Images of 16 x 16 pixels, flat: (b, 768)."""

    name, media, side, own_process = "pixels", "image", 16, False

    def engine(self) -> None:
        return None

    def version(self) -> str:
        return "pixels-16"

    def load(self) -> Callable[[np.ndarray], np.ndarray]:
        return lambda images: images.reshape(len(images), -1).astype("f4")


EMBEDDER = PixelEmbedder()

"""An embedder that the user wrote: `package.module:function`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

SIDE = 128  # pixels, where the function has no attribute `side`


class CustomEmbedder:
    """A function of uint8 (b, side, side, 3) or a list of texts -> float32 (b, d), imported by its name.

    Raises ValueError, ImportError or AttributeError where the name leads to no function.
    """

    media, own_process = None, True  # for whatever the bench holds

    def __init__(self, name: str):
        self.name = name
        self.module, self.function = name.split(":")
        module = importlib.import_module(self.module)
        self.embed = getattr(module, self.function)
        self.side = getattr(self.embed, "side", SIDE)
        self.file = getattr(module, "__file__", None)

    def engine(self) -> None:
        return None

    def version(self) -> str:
        """Name the folder by the function and its code.

        The hash of the file stands for the code: changed code is another embedder.
        """
        code = Path(self.file).read_bytes() if self.file else b""
        return f"{self.module}-{self.function}-{sha256(code).hexdigest()[:8]}"

    def load(self) -> Callable[[np.ndarray], np.ndarray]:
        return self.embed

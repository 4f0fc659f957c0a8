"""The list of embedders: what describes an image or a text by a vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from assay.curation.errors import UnknownEmbedder
from assay.curation.plugins import discover
from assay.pipelines.embedders.custom import CustomEmbedder


class Embedder(Protocol):
    """Vectors of samples. A module of this package offers one as `EMBEDDER`.

    `side`: images arrive as squares of so many pixels. `own_process`: it may crash or hang, so it runs in a
    process of its own. A version names the folder of vectors: count it up when the vectors change. One that learns from
    a bench first has `fit(bench)` as well, which returns the embedder that embeds its samples. `batch`: how many it
    takes at once, where that is not 32.
    """

    name: str  # what --embedder takes
    media: str | None  # the media type that it is for; None: any
    side: int | None
    own_process: bool

    def engine(self) -> str | None:
        """Name what runs it on this machine, or None."""

    def version(self) -> str:
        """Name the folder of its vectors."""

    def load(self) -> Callable[[Any], np.ndarray]:
        """Load the function from samples to vectors.

        It takes images, uint8 (b, side, side, 3), or a list of b texts, and returns float32 (b, d).
        """


def list_embedders() -> list[Embedder]:
    """List the embedders that come with Assay or are installed beside it."""
    modules = discover("assay.pipelines.embedders")
    return [module.EMBEDDER for module in modules if hasattr(module, "EMBEDDER")]


def known_embedder(name: str) -> Embedder | None:
    """Return the listed embedder called `name`, or None.

    Nobody's own module is imported.
    """
    return next((embedder for embedder in list_embedders() if embedder.name == name), None)


def find_embedder(name: str) -> Embedder:
    """Return the embedder called `name`, or one of the user's own: `package.module:function`."""
    if known := known_embedder(name):
        return known
    names = ", ".join(sorted(embedder.name for embedder in list_embedders()))
    if ":" not in name:
        raise UnknownEmbedder(
            f"expected an embedder, found {name!r}",
            f"there are {names} and package.module:function",
            name,
            names.split(", "),
        )
    try:
        return CustomEmbedder(name)
    except (ValueError, ImportError, AttributeError) as e:
        raise UnknownEmbedder(
            f"expected {names} or package.module:function, found {name!r} ({e})",
            "is the module on PYTHONPATH?",
            name,
            names.split(", "),
        ) from None

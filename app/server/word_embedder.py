"""Read words as the last scan read the texts, so that texts are found by meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from assay.curation.errors import NotScanned, UserError
from assay.curation.features.scan_settings import read_settings, rescan_command
from assay.curation.media.base import media_of
from assay.curation.storage.interface import Bench
from assay.pipelines.embedders.base import known_embedder
from assay.pipelines.embedders.text import TextEmbedder

Embed = Callable[[list[str]], np.ndarray]  # texts to vectors (n, d)


class WordEmbedder:
    """The embedder of a bench's own texts, loaded when words are first looked for."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.loaded: tuple[str, Embed] | None = None  # the folder of its vectors, and the function

    def find(self) -> TextEmbedder | None:
        """Find what reads words; None for other media, before a scan, and for vectors of one's own."""
        if not media_of(self.bench).has_words:
            return None
        try:
            asked = read_settings(self.bench)
        except NotScanned:
            return None
        if known_embedder(asked["embedder"]) is None or asked["folder"].startswith("own"):
            return None
        return TextEmbedder(partial(self.embed_texts, asked), asked["embedder"])

    def embed_texts(self, asked: dict[str, Any], texts: Sequence[str]) -> np.ndarray:
        """Embed texts, (n, d); UserError for words that say nothing here."""
        if self.loaded is None or self.loaded[0] != asked["folder"]:
            self.loaded = asked["folder"], self.load(asked)
        X = self.loaded[1](list(texts))
        if not X.any():
            raise UserError(
                "expected words that texts of this bench use, found none of them", "use other words"
            )
        return X

    def load(self, asked: dict[str, Any]) -> Embed:
        """Load the embedder of the last scan; UserError where it gives other vectors today."""
        found: Any = known_embedder(asked["embedder"])
        ready = found.fit(self.bench) if hasattr(found, "fit") else found
        if ready.version() != asked["folder"]:
            raise UserError(
                f"expected vectors of {ready.version()}, found a scan by {asked['folder']}",
                f"run: {rescan_command(self.bench)}",
            )
        return ready.load()

"""WordLlama: the mean of its words' vectors describes a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from assay.curation.system.extras import require

BATCH = 64  # texts at once
LONGEST = 20_000  # characters of a text that are read: its subject is clear by then


class WordLlamaEmbedder:
    """Texts as the mean of 256 numbers for each token; the weights come from a wheel."""

    name, media, side, own_process = "wordllama", "text", None, False

    def engine(self) -> None:
        return None

    def version(self) -> str:
        return "wordllama-256"

    def load(self) -> Callable[[list[str]], np.ndarray]:
        require("train", "wordllama", "tokenizers", "safetensors", "toml")
        import wordllama

        # nothing is ever fetched: file and tokenizer are in its own package
        model = wordllama.WordLlama.load(
            cache_dir=Path(wordllama.__file__).parent, disable_download=True
        )

        def embed(texts: list[str]) -> np.ndarray:
            X = model.embed([text[:LONGEST] for text in texts], batch_size=BATCH)
            return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)

        return embed


EMBEDDER = WordLlamaEmbedder()

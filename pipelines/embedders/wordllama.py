"""WordLlama: the mean of its tokens' vectors describes a text."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from assay.curation.system.extras import require

NAME = "l2_supercat_256"
LONGEST = 20_000  # characters of a text that are read: its subject is clear by then


class WordLlamaEmbedder:
    """Texts as the mean of 256 numbers for each token; the weights come from a wheel."""

    name, media, side, own_process = "wordllama", "text", None, False
    batch = 4096  # texts are cut into tokens on all cores

    def engine(self) -> None:
        return None

    def version(self) -> str:
        return "wordllama-256"

    def load(self) -> Callable[[list[str]], np.ndarray]:
        require("text", "wordllama", "tokenizers", "safetensors")
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        # files of its package, which need not run: it would set up logging, and may fetch
        folder = Path(find_spec("wordllama").origin).parent
        vectors = load_file(folder / "weights" / f"{NAME}.safetensors")["embedding.weight"]
        vectors = vectors.astype("f4")
        tokenizer = Tokenizer.from_file(
            str(folder / "tokenizers" / f"{NAME.removesuffix('_256')}_tokenizer_config.json")
        )
        tokenizer.no_padding()
        tokenizer.no_truncation()

        def embed(texts: list[str]) -> np.ndarray:
            cut = [text[:LONGEST] for text in texts]
            encoded = tokenizer.encode_batch_fast(cut, add_special_tokens=False)
            X = np.stack([mean_of(vectors, np.array(tokens.ids)) for tokens in encoded])
            return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)

        return embed


EMBEDDER = WordLlamaEmbedder()


def mean_of(vectors: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Average the vectors (v, d) of tokens; zeros for a text without any."""
    if not len(ids):
        return np.zeros(vectors.shape[1], "f4")
    return vectors[np.minimum(ids, len(vectors) - 1)].mean(0)

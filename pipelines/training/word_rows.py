"""Texts as rows of numbers: each word, and each pair of neighbours, by its hash."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np

from assay.curation.media.texts import PIECE, Texts

BUCKETS = 1 << 16  # hashes; float32 holds each exactly
WORDS = 256  # of a text are read; the same again are for pairs


class WordRows:
    """Rows (n, 2 * WORDS) int32 of n texts, hashed when asked for.

    A number from 1 is the hash of a word or of a pair of words, 0 fills up.
    """

    def __init__(self, texts: Texts):
        self.texts, self.shape = texts, (len(texts), 2 * WORDS)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, rows: Any) -> np.ndarray:
        texts = self.texts[rows]
        out = np.zeros((len(texts), 2 * WORDS), "i4")
        for row, text in zip(out, texts):
            numbers = hash_words(text)
            row[: len(numbers)] = numbers
        return out


def hash_words(text: str) -> list[int]:
    """Hash the first words of a text, and the pairs of neighbours, each to 1..BUCKETS - 1."""
    words = [found[0] for _, found in zip(range(WORDS), PIECE.finditer(text.casefold()))]
    pairs = map(" ".join, zip(words, words[1:]))
    return [1 + crc32(piece.encode()) % (BUCKETS - 1) for piece in (*words, *pairs)]

"""TF-IDF, reduced by SVD: the words of a text describe it, without any weights.

Vocabulary and axes are fitted once and kept in the bench, so that one new text costs one text; they are
fitted anew when the bench has doubled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.media.base import load_stored, media_of
from assay.curation.splits import LOCKED
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

FILE = "tfidf.npz"  # in arrays/
CODE = 1  # counted up when the same texts would get other vectors
NUMBERS = 200  # of a vector
FITTED_ON = 20_000  # texts, at most: drawn by content alone
GROWTH = 2
WORD = r"(?u)\b\w+\b"


@dataclass(frozen=True)
class FittedTfidf:
    """Words, their weights, and the axes that they are reduced to."""

    words: np.ndarray  # (w,) in the order of `idf`
    idf: np.ndarray  # (w,)
    axes: np.ndarray  # (w, d) float32
    fitted_on: np.ndarray  # () how many texts there were

    name, media, side, own_process = "tfidf", "text", None, False
    batch = 4096

    def engine(self) -> None:
        return None

    def version(self) -> str:
        made = "\n".join(self.words.tolist()).encode() + self.axes.tobytes()
        return f"tfidf-{CODE}-{sha256(made).hexdigest()[:12]}"

    def load(self) -> Callable[[list[str]], np.ndarray]:
        vectorizer = make_vectorizer(
            vocabulary=dict(zip(self.words.tolist(), range(len(self.words))))
        )
        vectorizer.idf_ = self.idf

        def embed(texts: list[str]) -> np.ndarray:
            X = vectorizer.transform(texts) @ self.axes
            return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)

        return embed


class TfidfEmbedder:
    """TF-IDF as the texts of a bench need it."""

    name, media, side, own_process = "tfidf", "text", None, False

    def engine(self) -> None:
        return None

    def fit(self, bench: Bench) -> FittedTfidf:
        """Fit to the texts outside of test and guard, or take what was fitted."""
        state = bench.state()
        hashes = np.unique(state.content_hash[state.keep & ~state.split.isin(LOCKED)])
        kept = load_arrays(bench.arrays / FILE)
        if kept is not None and len(hashes) < GROWTH * kept["fitted_on"]:
            return FittedTfidf(**kept)
        lots = [sha256(b"tfidf" + h.encode()).hexdigest() for h in hashes]
        drawn = hashes[np.sort(np.argsort(lots)[:FITTED_ON])]
        texts = list(media_of(bench).read(load_stored(bench), drawn))
        fitted = fit_tfidf(texts, len(hashes))
        save_arrays(bench.arrays / FILE, **vars(fitted))
        return fitted


EMBEDDER = TfidfEmbedder()


def make_vectorizer(**options: Any) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, token_pattern=WORD, dtype=np.float32, **options)


def fit_tfidf(texts: list[str], n: int) -> FittedTfidf:
    """Fit words and axes to texts, out of n."""
    from sklearn.decomposition import TruncatedSVD

    vectorizer = make_vectorizer(stop_words="english", min_df=2 if len(texts) > 100 else 1)
    try:
        X = vectorizer.fit_transform(texts)
    except ValueError:  # not one word in all of them
        return FittedTfidf(np.array(["?"]), np.ones(1), np.ones((1, 1), "f4"), np.array(n))
    words = vectorizer.get_feature_names_out().astype(str)
    d = min(NUMBERS, X.shape[1] - 1, X.shape[0] - 1)
    if d < 1:
        return FittedTfidf(words, vectorizer.idf_, np.ones((len(words), 1), "f4"), np.array(n))
    svd = TruncatedSVD(d, random_state=0).fit(X)
    return FittedTfidf(words, vectorizer.idf_, svd.components_.T.astype("f4"), np.array(n))

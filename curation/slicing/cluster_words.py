"""Words tell what a cluster of texts is about."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.media.base import load_stored, media_of
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 60  # texts of a cluster that are read
LONGEST = 2_000  # characters of each
WORDS = 3  # of a name
WORD = r"(?u)\b[^\W\d_][\w'-]+\b"
KEPT = 8  # names of so many clusterings are remembered

_made: dict[str, list[str]] = {}


def describe_words(bench: Bench, state: pd.DataFrame, at: np.ndarray, k: int) -> list[str]:
    """Say which words tell each cluster (k,) of texts from the others, as the end of a name.

    at (n,): the cluster of each row. "" where media have no words, and for what test and guard alone hold.
    """
    media = media_of(bench)
    if not media.has_words or not k:
        return [""] * k
    open_rows = np.flatnonzero(~state.split.isin(LOCKED).to_numpy() & (at >= 0))
    order = open_rows[np.argsort(at[open_rows], kind="stable")]
    cluster = at[order]
    # the first of each: samples come in no order that says anything
    place = np.arange(len(order)) - np.searchsorted(cluster, cluster)
    rows = order[place < SAMPLE]
    hashes = state.content_hash.to_numpy()[rows]
    key = sha256(at[rows].tobytes() + "".join(hashes).encode()).hexdigest()
    if key not in _made:
        texts = [text[:LONGEST] for text in media.read(load_stored(bench), hashes)]
        while len(_made) >= KEPT:
            _made.pop(next(iter(_made)))
        _made[key] = [
            f": {', '.join(words)}" if words else "" for words in find_words(texts, at[rows], k)
        ]
    return _made[key]


def find_words(texts: list[str], at: np.ndarray, k: int) -> list[list[str]]:
    """Find the words that most texts of a cluster have, and few others: a list for each (k,)."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(binary=True, stop_words="english", token_pattern=WORD, min_df=2)
    try:
        has = counter.fit_transform(texts)
    except ValueError:  # not one word that comes twice
        return [[] for _ in range(k)]
    names, everywhere = counter.get_feature_names_out(), np.asarray(has.sum(0)).ravel()
    out = []
    for c in range(k):
        mine = np.flatnonzero(at == c)
        inside = np.asarray(has[mine].sum(0)).ravel()
        share = inside / max(1, len(mine))
        # how much likelier inside, where a few texts prove nothing
        gain = share * np.log((share + 0.01) / ((everywhere + 1) / len(texts)))
        best = np.argsort(-gain, kind="stable")[:WORDS]
        out.append([str(names[i]) for i in best if inside[i] >= 2 and gain[i] > 0])
    return out

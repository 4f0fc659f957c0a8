"""Score how much every sample looks like given ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph, reduction
from assay.curation.features.scan_settings import read_settings
from assay.curation.selection.similarity import (
    fit_discriminant,
    mean_and_covariance,
    resolve_seeds,
)
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Rows, Shards
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 65_536  # rows at a time
Embed = Callable[[bytes], np.ndarray]  # a picture's bytes to a vector (d,) of the last scan
EmbedText = Callable[[str], np.ndarray]  # words to a vector (d,), in the space of the last scan
NO_TEXT = "name the text half of an image-text model: --text-embedder package.module:function"


@dataclass(frozen=True)
class Words:
    """What to look for in words, and the model that reads them."""

    text: str
    embed: EmbedText | None = None  # None where no model is configured


@dataclass(frozen=True)
class LikenessSpace:
    """What likeness is measured with, remembered between questions."""

    key: str  # of the graph whose nodes these are
    vectors: np.ndarray  # (n, p) unit vectors, half precision where mapped from a file
    mean: np.ndarray  # (p,)
    covariance: np.ndarray  # (p, p)


@dataclass(frozen=True)
class WordSpace:
    """What words are compared with, remembered between questions."""

    key: str  # of the graph whose nodes these are
    rows: Rows  # (n, d) the vectors of the last scan, mapped from their files
    lengths: np.ndarray  # (n,) of them


Like = Sequence["str | bytes | Words"]  # samples, pictures, or words


def score_likeness(
    bench: Bench, state: pd.DataFrame, like: Like, embed: Embed | None = None
) -> np.ndarray:
    """Score each sample's (n,) likeness to given samples, pictures or words.

    1 is as these are on average, 0 as all are; of words it is the cosine. like: ids or keys, or bytes of pictures,
    which `embed` makes vectors of. As similarity.score_similarity does, of every sample. UserError for test and guard
    samples, and before a scan.
    """
    asked = [one for one in like if isinstance(one, Words)]
    if asked and len(like) > 1:
        raise UserError(
            "expected words alone, found samples or pictures beside them",
            "look for one or for the other",
        )
    if asked:
        return score_words(bench, state, asked[0])
    graph, node = neighbor_graph.load_nodes(bench, state)
    space = load_space(bench, graph)
    chosen = find_vectors(bench, state, like, space.vectors, node, graph, embed)
    w = fit_discriminant(space.mean, space.covariance, chosen)
    one = max((chosen.mean(0, dtype="f8") - space.mean) @ w, 1e-12)
    scores = np.empty(len(space.vectors))
    for i in range(0, len(scores), BLOCK):  # in half precision, which is slow to multiply
        scores[i : i + BLOCK] = space.vectors[i : i + BLOCK].astype("f4") @ w.astype("f4")
    return ((scores - space.mean @ w) / one)[node]


def add_words(like: Any, words: str, embed: EmbedText | None) -> Any:
    """Add words to what is looked for; no words add nothing."""
    if not words.strip():
        return like
    others = [like] if isinstance(like, str | bytes | Path) else list(like)
    return [*others, Words(words.strip(), embed)]


def load_space(bench: Bench, graph: neighbor_graph.Graph) -> LikenessSpace:
    """Load what likeness is measured with: read for the first question alone."""
    last = bench.likeness.get("pictures")
    if last is None or last.key != graph.key:
        vectors = neighbor_graph.load_vectors(bench, graph)
        last = LikenessSpace(graph.key, vectors, *mean_and_covariance(vectors))
        bench.likeness["pictures"] = last
    return last


def load_word_space(bench: Bench, graph: neighbor_graph.Graph) -> WordSpace:
    """Load what words are compared with: measured for the first question alone."""
    last = bench.likeness.get("words")
    if last is None or last.key != graph.key:
        folder = bench.arrays / "embeddings" / read_settings(bench)["folder"]
        rows = Shards(folder).rows(graph.hashes)
        lengths = np.empty(len(rows))
        for i in range(0, len(rows), BLOCK):
            block = rows[i : i + BLOCK]
            lengths[i : i + BLOCK] = np.sqrt(np.einsum("ij,ij->i", block, block, dtype="f8"))
        last = WordSpace(graph.key, rows, np.maximum(lengths, 1e-12))
        bench.likeness["words"] = last
    return last


def score_words(bench: Bench, state: pd.DataFrame, words: Words) -> np.ndarray:
    """Score all samples (n,) by cosine with the vector of some words."""
    if words.embed is None:
        raise UserError("expected an image-text model to look by words, found none", NO_TEXT)
    graph, node = neighbor_graph.load_nodes(bench, state)
    space = load_word_space(bench, graph)
    wanted = np.asarray(words.embed(words.text), "f4")
    if wanted.shape != space.rows.shape[1:]:
        raise UserError(
            f"expected a vector of {format_count(space.rows.shape[1], 'number')} for words, as the last "
            f"scan gave each picture, found {' x '.join(map(str, wanted.shape)) or 'one number'}",
            "the text embedder must be the other half of the model that the bench was scanned with: "
            "assay scan --embedder package.module:function",
        )
    wanted = wanted / np.linalg.norm(wanted)
    return ((space.rows @ wanted[:, None])[:, 0] / space.lengths)[node]


def find_vectors(
    bench: Bench,
    state: pd.DataFrame,
    like: Like,
    vectors: np.ndarray,
    node: np.ndarray,
    graph: neighbor_graph.Graph,
    embed: Embed | None,
) -> np.ndarray:
    """Find the unit vectors (s, p) of what is looked for."""
    pictures = [picture for picture in like if isinstance(picture, bytes)]
    named = [name for name in like if isinstance(name, str)]
    out = []
    if named:
        seeds = resolve_seeds(bench, named, state)
        out.append(vectors[node[state.index.get_indexer(seeds)]].astype("f4"))
    if pictures:
        if embed is None:
            raise UserError("expected samples to look for, found a picture", "give an id or a key")
        X = np.stack([embed(picture) for picture in pictures])
        mean, axes = load_basis(bench, graph)
        out.append(reduction.project_vectors(X, mean, axes))
    return np.concatenate(out)


def load_basis(bench: Bench, graph: neighbor_graph.Graph) -> tuple[np.ndarray, np.ndarray]:
    """Read the basis (d,), (d, p) of the graph's vectors.

    Of a small bench it is made anew.
    """
    kept = load_arrays(bench.arrays / "lists.npz", ["hashes", "mean", "axes"])
    if kept is not None and np.array_equal(kept["hashes"], graph.hashes):
        return kept["mean"], kept["axes"]
    folder = read_settings(bench)["folder"]
    basis = reduction.fit_basis(Shards(bench.arrays / "embeddings" / folder).rows(graph.hashes))
    return basis.mean, basis.axes

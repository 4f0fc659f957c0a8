"""Find the samples nearest to a picture that was dropped in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features import neighbor_graph
from assay.curation.features.scan_settings import read_settings
from assay.curation.media.decoding import STORED_SIDE
from assay.curation.media.files import BadMedia
from assay.curation.media.images import decode_pixels
from assay.curation.splits import LOCKED
from assay.curation.storage.shards import Rows, Shards
from assay.pipelines.embedders.base import find_embedder, known_embedder
from assay.pipelines.jobs import isolated

if TYPE_CHECKING:
    from collections.abc import Callable

    from assay.curation.storage.interface import Bench

NEAREST = 3  # samples that stand for the picture
PATIENCE = 60.0  # seconds
BLOCK = 65_536  # rows at a time


def find_nearest(bench: Bench, blob: bytes) -> list[str]:
    """Find the ids of the samples nearest to an image file, the nearest first.

    None of test and guard, and none that was dropped. UserError where it is no image, or nothing was scanned.
    """
    settings, state = read_settings(bench), bench.state()
    try:
        pixels = decode_pixels(blob, STORED_SIDE)
    except BadMedia as e:
        raise UserError(f"expected a picture, found one that {e}", "drop in another") from None
    vector = embed_picture(bench, settings["embedder"], pixels)
    graph, node = neighbor_graph.load_nodes(bench, state)
    rows = Shards(bench.arrays / "embeddings" / settings["folder"]).rows(graph.hashes)
    if rows.shape[1] != len(vector):
        raise UserError(
            f"expected a vector of {rows.shape[1]} numbers, found {len(vector)}",
            "the embedder has changed since: scan again",
        )
    usable = (state.keep & ~state["split"].isin(LOCKED)).to_numpy(bool)
    at = neighbor_graph.rows_on_nodes(graph, node, usable)
    likeness = np.where(at >= 0, cosines(rows, vector), -np.inf)
    best = np.argsort(-likeness, kind="stable")[:NEAREST]
    return [state.index[at[b]] for b in best if at[b] >= 0]


def cosines(rows: Rows, vector: np.ndarray) -> np.ndarray:
    """The cosine of each row with a vector: (n,)."""
    out = np.empty(len(rows), "f4")
    for start in range(0, len(rows), BLOCK):
        part = np.asarray(rows[start : start + BLOCK], "f4")
        out[start : start + BLOCK] = part @ vector / np.maximum(np.linalg.norm(part, axis=1), 1e-12)
    return out


def embed_picture(bench: Bench, embedder: str, pixels: np.ndarray) -> np.ndarray:
    """Embed one image's pixels: (d,); what may crash does so in a process of its own."""
    known = known_embedder(embedder)
    if known is not None and not known.own_process:
        return np.asarray(embed_pixels(bench, print, embedder, pixels.tolist()), "f4")
    engine = known.engine() if known else None
    asked = dict(embedder=embedder, pixels=pixels.tolist())
    env = dict(ASSAY_ENGINE=engine) if engine else {}
    return np.asarray(isolated.run_isolated(embed_pixels, bench, asked, PATIENCE, **env), "f4")


def embed_pixels(bench: Bench, tell: Callable, embedder: str, pixels: list) -> list[float]:
    """Embed pixels (h, w, 3), as lists, in the child process of `embed_picture`."""
    from PIL import Image

    found = find_embedder(embedder)
    picture = Image.fromarray(np.asarray(pixels, "u1"))
    square = picture.resize((found.side, found.side), Image.Resampling.BILINEAR)
    return np.asarray(found.load()(np.asarray(square)[None])[0], "f8").tolist()

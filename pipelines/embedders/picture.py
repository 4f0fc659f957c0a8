"""Embed a picture from outside, to find samples like it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import numpy as np

from assay.curation.errors import UserError
from assay.curation.features.scan_settings import read_settings
from assay.curation.media.files import BadMedia
from assay.curation.media.images import decode_pixels
from assay.curation.media.pixels import resize_pixels
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.system import processes
from assay.pipelines.embedders.base import find_embedder, known_embedder
from assay.pipelines.jobs import isolated

MOST_BYTES = 100 << 20  # of a picture


def embed_picture(bench: Bench, raw: bytes) -> np.ndarray:
    """Embed a picture as the last scan would have.

    Returns a vector (d,). UserError for what is no picture, before a scan, and where the vectors are a person's own.
    """
    settings = read_settings(bench)
    if settings["folder"].startswith("own-"):
        raise UserError(
            "expected an embedder to embed the picture, found vectors of your own",
            "look for samples like one that is in the bench: its id or key",
        )
    if len(raw) > MOST_BYTES:
        raise UserError(
            f"expected a picture of at most {MOST_BYTES >> 20} MB, found {len(raw) >> 20}",
            "make it smaller",
        )
    name = settings["embedder"]
    known = known_embedder(name)
    if known and not known.own_process:
        return embed_raw(bench, raw, name, settings["folder"])
    asked = dict(raw=base64.b64encode(raw).decode(), embedder=name, folder=settings["folder"])
    env = dict(ASSAY_ENGINE=known.engine()) if known and known.engine() else {}
    try:
        found = isolated.run_isolated(embed_in_child, bench, asked, processes.PATIENCE, **env)
    except processes.ChildLost as e:
        raise UserError(
            f"expected {name} to embed the picture, found that its process {e}",
            "try another picture",
        ) from None
    return np.asarray(found, "f4")


def embed_in_child(
    bench: Bench, tell: Callable, raw: str, embedder: str, folder: str
) -> list[float]:
    """Embed in the child process of `embed_picture`."""
    return embed_raw(bench, base64.b64decode(raw), embedder, folder).tolist()


def embed_raw(bench: Bench, raw: bytes, name: str, folder: str) -> np.ndarray:
    """Decode a picture as the bench's were, and embed it."""
    embedder = find_embedder(name)
    if embedder.version() != folder:
        raise UserError(
            f"expected {name} as it was at the last scan, found another version of it",
            f"run: assay scan --embedder {name} -b {bench.given}",
        )
    index = Shards(bench.arrays / "pixels").index
    # as large as the bench's own are stored
    side = int(max(index["height"].max(initial=1), index["width"].max(initial=1)))
    try:
        pixels = decode_pixels(raw, side)
    except BadMedia as e:
        raise UserError(
            f"expected a picture to look for, found: {e}", "give another file"
        ) from None
    if pixels.shape[:2] != (embedder.side, embedder.side):
        pixels = resize_pixels(pixels, embedder.side, embedder.side)
    vector = np.asarray(embedder.load()(pixels[None]), "f4")
    return vector[0]

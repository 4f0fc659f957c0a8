"""Sprites: many small pictures as one JPEG, for grids of small tiles."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import pandas as pd

    from assay.app.server.thumbnails import Thumbnails

SIDE = 64  # pixels of a cell
ACROSS, DOWN = 16, 8
CELLS = ACROSS * DOWN
GROUND = (22, 24, 28)  # as the grid's own ground, so that nothing is seen around a picture


def make_sprite(thumbnails: Thumbnails, rows: pd.DataFrame) -> tuple[bytes, list[int]]:
    """Draw pictures of some rows, each whole in its cell.

    rows: of a state. Returns the JPEG, and the cells whose image cannot be read.
    """
    sheet = Image.new("RGB", (ACROSS * SIDE, -(-max(1, len(rows)) // ACROSS) * SIDE), GROUND)
    unreadable = []
    shards = thumbnails.load_shards()
    at = shards.find(rows.content_hash) if len(rows) else []
    for cell, found in enumerate(at):
        if found >= 0:
            index = shards.index[found]
            start, h, w = (int(index[name]) for name in ("row", "height", "width"))
            flat = shards.arrays[shards.shard[found]][start : start + h * w * 3]
            picture = Image.fromarray(np.asarray(flat).reshape(h, w, 3))
        else:
            jpeg = thumbnails.load(rows.iloc[cell], SIDE)
            if jpeg is None:
                unreadable.append(cell)
                continue
            picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        paste_whole(sheet, picture, cell)
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=88)
    return out.getvalue(), unreadable


def paste_whole(sheet: Image.Image, picture: Image.Image, cell: int) -> None:
    """Paste a picture into its cell, as large as fits, uncropped."""
    scale = SIDE / max(picture.size)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    small = picture.resize(size, Image.Resampling.BILINEAR)
    left = cell % ACROSS * SIDE + (SIDE - size[0]) // 2
    top = cell // ACROSS * SIDE + (SIDE - size[1]) // 2
    sheet.paste(small, (left, top))

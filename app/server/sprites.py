"""Sprites: many pictures as one JPEG, for grids of tiles."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import pandas as pd

    from assay.app.server.thumbnails import Thumbnails

SIDES = (32, 64, 128)  # pixels of a cell
WIDTH, HEIGHT = 1024, 512
MOST = 128  # cells of a sprite
GROUND = (22, 24, 28)  # as the grid's own ground, so that nothing is seen around a picture


def count_cells(side: int) -> int:
    """Count the cells of a sprite."""
    return min(MOST, (WIDTH // side) * (HEIGHT // side))


def make_sprite(
    thumbnails: Thumbnails, rows: pd.DataFrame, side: int = 64
) -> tuple[bytes, list[int]]:
    """Draw pictures of some rows, each whole in its cell.

    rows: of a state. side: pixels of a cell; of one with stored pixels no file is read. Returns the JPEG, and the
    cells whose image cannot be read.
    """
    across = WIDTH // side
    sheet = Image.new("RGB", (WIDTH, -(-max(1, len(rows)) // across) * side), GROUND)
    unreadable = []
    shards = thumbnails.load_shards()
    at = shards.find(rows.content_hash) if len(rows) else []
    for cell, found in enumerate(at):
        if found >= 0 and thumbnails.media.column is None:
            index = shards.index[found]
            start, h, w = (int(index[name]) for name in ("row", "height", "width"))
            flat = shards.arrays[shards.shard[found]][start : start + h * w * 3]
            picture = Image.fromarray(np.asarray(flat).reshape(h, w, 3))
        else:
            jpeg = thumbnails.load(rows.iloc[cell], side)
            if jpeg is None:
                unreadable.append(cell)
                continue
            picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        place = cell % across * side, cell // across * side
        paste_whole(sheet, picture, place, side)
    out = io.BytesIO()
    # colours at full resolution: a picture of 28 pixels has none to spare
    sheet.save(out, "JPEG", quality=95 if side == SIDES[0] else 88, subsampling=0)
    return out.getvalue(), unreadable


def paste_whole(
    sheet: Image.Image, picture: Image.Image, place: tuple[int, int], side: int
) -> None:
    """Paste a picture into its cell, as large as fits, uncropped."""
    scale = side / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = place
    sheet.paste(picture, (left + (side - width) // 2, top + (side - height) // 2))

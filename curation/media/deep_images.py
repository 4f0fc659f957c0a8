"""Images of more than 8 bits a channel."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.media.conversion import Conversion

if TYPE_CHECKING:
    from PIL.Image import Image


def read_deep(image: Image, blob: bytes) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Read the values and alpha of a deep image.

    None for any other image; values (h, w) or (h, w, 3), alpha (h, w) or None."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image)
        values = values.astype("u2", copy=False) if values.dtype.kind == "u" else values
        # 0 is white, and Pillow leaves it so
        inverted = values.dtype == "u2" and image.format == "TIFF" and image.tag_v2.get(262) == 0
        return (65535 - values if inverted else values), None
    mode = next((t.args if isinstance(t.args, str) else t.args[0] for t in image.tile), "")
    if image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA"):
        return None
    if ";16" not in mode:
        return None
    # Pillow keeps the high byte of each channel; asked for the other byte order, it keeps the low one
    other = "RGBA" if mode == "LA;16B" else mode[:-1] + ("L" if mode[-1] == "B" else "B")
    again = Image.open(io.BytesIO(blob), formats=[image.format])
    again.tile = [
        t._replace(args=other if isinstance(t.args, str) else (other, *t.args[1:]))
        for t in again.tile
    ]
    low = np.asarray(again)
    if mode == "LA;16B":  # read as four bytes: grey high and low, alpha high and low
        return low[..., 0].astype("u2") << 8 | low[..., 1], low[..., 2]
    high = np.asarray(image)
    alpha = high[..., 3] if image.mode == "RGBA" else None
    return high[..., :3].astype("u2") << 8 | low[..., :3], alpha


def scale_values(values: np.ndarray, conversion: Conversion) -> np.ndarray:
    """Scale values to (h, w, 3) uint8: `conversion.low` is black, `conversion.high` white."""
    whole = values.dtype.kind != "f"
    low, span = conversion.low, conversion.high - conversion.low + whole
    if values.dtype == np.uint16:
        values = ((np.arange(65536) - low) * 256 // span).clip(0, 255).astype("u1")[values]
    else:
        values = np.nan_to_num((values.astype("f8") - low) * 256 // span).clip(0, 255).astype("u1")
    return values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)


def range_traits(values: np.ndarray) -> dict[str, float]:
    """Measure the range of an image's values.

    As the traits deep, low and high; low, high: what .1 % of the pixels lie below and above, from a million
    pixels at most."""
    step = max(1, int((values.shape[0] * values.shape[1] / 1e6) ** 0.5))
    few = values[::step, ::step].ravel()
    few = few[np.isfinite(few)]
    low, high = np.quantile(few, (0.001, 0.999), method="nearest") if few.size else (0, 0)
    kind = 2 if values.dtype.kind == "f" else 1
    return dict(deep=kind, low=float(np.float32(low)), high=float(np.float32(high)))

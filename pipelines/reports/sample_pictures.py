"""Load small JPEGs of samples for a page: images, or cards of texts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from assay.curation.media import files, pixels
from assay.curation.media.base import media_of, read_texts
from assay.curation.media.stored_traits import load_traits

if TYPE_CHECKING:
    import pandas as pd

    from assay.curation.storage.interface import Bench

SHEET = 24  # pictures of a section at most
SIDE = 128  # pixels of the longer side


def load_pictures(
    frame: pd.DataFrame, bench: Bench, side: int = SIDE, most: int = SHEET
) -> list[dict]:
    """Load the pictures of the first rows of a frame.

    frame: uri, key, was, now, text, perhaps sample. side: pixels of the longer side. most: rows at
    most. Returns dicts jpeg (None where it cannot be read now), name, was, now, text, sample.
    """
    if "sample" not in frame:
        frame = frame.assign(sample=None)
    out, traits = [], load_traits(bench.arrays)
    cards = draw_texts(frame.head(most), bench, side)
    for row in frame.head(most).itertuples():
        jpeg = None
        if cards is not None:
            jpeg = cards.get(row.sample)
        elif isinstance(row.uri, str):  # else the bench does not have the sample
            with suppress(files.BadMedia):  # gone or damaged since it was imported
                jpeg = pixels.make_thumbnail(row.uri, side, traits)
        about = dict(name=row.key, was=row.was, now=row.now, text=row.text)
        out.append(about | dict(jpeg=jpeg, sample=row.sample))
    return out


def draw_texts(frame: pd.DataFrame, bench: Bench, side: int) -> dict[str, bytes] | None:
    """Draw the texts of samples as cards: {sample: JPEG}; None where the bench holds images."""
    media = media_of(bench)
    if media.column is None:
        return None
    hashes = bench.state().content_hash.reindex(frame["sample"]).dropna()
    texts = read_texts(bench, hashes) or []
    return {sample: media.preview(text.encode(), side) for sample, text in zip(hashes.index, texts)}


def picture_frame(state: pd.DataFrame, now: object = "", text: object = "") -> pd.DataFrame:
    """Make the frame that load_pictures takes of rows of a state.

    Under each picture stands its label.
    """
    label = state.label.where(state.label.notna(), "unlabelled")
    frame = state.assign(sample=state.index, was=label, now=now, text=text)
    return frame[["sample", "uri", "key", "was", "now", "text"]]

"""Checks of the images: they are what was imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.curation.maintenance.array_checks import make_finding
from assay.curation.media.addresses import is_address
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.originals import iter_bytes
from assay.curation.storage.interface import Progress
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd


def compare_originals(
    frame: pd.DataFrame, progress: Progress | None = None
) -> tuple[dict[int, str], list[int]]:
    """Compare images with what was imported; frame: uri, content_hash.

    Returns ({row: why it cannot be read}, rows whose bytes have another hash). One image is held at a time.
    """
    gone, changed = {}, []
    for done, (i, blob) in enumerate(iter_bytes(frame.uri)):
        if isinstance(blob, BadMedia):
            gone[i] = str(blob)
        elif content_hash(blob) != frame.content_hash.iloc[i]:
            changed.append(i)
        if progress and (done % 256 == 255 or done == len(frame) - 1):
            progress(done + 1, len(frame))
    return gone, changed


def check_images(state: pd.DataFrame, progress: Progress | None = None) -> Iterator[dict]:
    """Check that the kept images are what was imported.

    No image is fetched from an address for it.
    """
    away = state.keep & state.uri.map(is_address).astype(bool)
    if n := int(away.sum()):
        yield make_finding(
            "elsewhere",
            f"{format_count(n, 'image')} at addresses were not fetched to look at them",
            n,
        )
    kept = state[state.keep & ~away]
    gone, changed = compare_originals(kept, progress)
    if gone:
        some = ", ".join(f"{kept.uri.iloc[i]} ({gone[i]})" for i in sorted(gone)[:3])
        what = f"{format_count(len(gone), 'image')} cannot be read: {some}"
        yield make_finding(
            "image",
            what,
            len(gone),
            hint="put them back, or say where they are now: assay relocate FOLDER",
        )
    if changed:
        some = ", ".join(kept.uri.iloc[i] for i in sorted(changed)[:3])
        what = f"{format_count(len(changed), 'image', 'has', 'have')} other bytes than were imported: {some}"
        hint = (
            "put the old files back, or import their source again, which makes new samples of them"
        )
        yield make_finding("image", what, len(changed), hint=hint)

"""Small JPEGs of original files, for browser and report."""

from __future__ import annotations

from assay.curation.media.base import media_type
from assay.curation.media.files import read_bytes
from assay.curation.storage.shards import Shards


def make_thumbnail(uri: str, side: int = 160, traits: Shards | None = None) -> bytes:
    """Make a small JPEG of the original at `uri`.

    side: the longest that its longer edge may be. It is converted as its stored pixels were, if `traits` (see
    load_traits) tell. Raises BadMedia."""
    return media_type().preview(read_bytes(uri), side, traits)

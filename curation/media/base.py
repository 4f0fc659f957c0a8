"""What a media type is: it decodes, shows and compares samples.

A member of this extension point is one module with a `MEDIA_TYPE`: of this package, or of an entry point of the
group `assay.curation.media`. Today images.py is the only one, so every sample is an image. The other modules of
the package are what it is made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from assay.curation.media.conversion import UNDECIDED, Conversion, ImageTraits
from assay.curation.plugins import discover
from assay.curation.storage.shards import Shards


@dataclass(frozen=True)
class Decoded:
    """A decoded sample: its size, and the array that is stored for training and finders."""

    size: tuple[int, int]  # (width, height) of the upright original
    # uint8; None if it is stored already, or waits for a conversion
    array: np.ndarray | None = None
    traits: ImageTraits = ImageTraits()


class Similarities(NamedTuple):
    """How alike pairs of samples are, and from where on they are near duplicates."""

    of_pairs: np.ndarray  # (m,)
    limit: float


class MediaType(Protocol):
    """A kind of data that a sample can be."""

    name: str

    def decode(
        self,
        raw: bytes,
        side: int | None = None,
        conversion: Conversion = UNDECIDED,
        stored: bool = False,
    ) -> Decoded:
        """Decode a file's bytes; raises BadMedia, in plain words.

        side: the longest that a side of the array may be. conversion: what was chosen for all of its source; where
        that leaves open what this sample needs, the result has traits and no array. stored: only the size is asked.
        """

    def preview(self, raw: bytes, side: int, traits: Shards | None = None) -> bytes:
        """Make the JPEG to show; raises BadMedia.

        side: the longest that its longer side may be. traits: shards of the bench's traits, which say how the
        sample was converted."""

    def similarity(
        self, shards: Shards, hashes: np.ndarray, pairs: np.ndarray, neighbours: np.ndarray
    ) -> Similarities:
        """Compare pairs of samples as they are stored.

        pairs (m, 2): rows of `hashes` (n,), of which `shards` hold arrays. neighbours (n, k): each row's
        neighbours, nearest first, which say how alike two samples usually are."""


def media_types() -> dict[str, MediaType]:
    """List every media type by its name."""
    modules = discover("assay.curation.media")
    members = [module.MEDIA_TYPE for module in modules if hasattr(module, "MEDIA_TYPE")]
    return {member.name: member for member in members}


def media_type(name: str = "image") -> MediaType:
    """Look up a media type.

    A bench does not name one yet, since all samples are images."""
    return media_types()[name]

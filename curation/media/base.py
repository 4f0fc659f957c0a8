"""What a media type is: it decodes, shows and compares samples.

A member of this extension point is one module with a `MEDIA_TYPE`: of this package, or of an entry point of the
group `assay.curation.media`. A bench has one, which its first import decides. The other modules of the package are
what they are made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from assay.curation.errors import UnknownName
from assay.curation.media.conversion import UNDECIDED, Conversion, ImageTraits
from assay.curation.plugins import discover
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.shards import Shards

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Decoded:
    """A decoded sample: its size, and the array that is stored for training and finders."""

    # (width, height) of the upright original; of a text (characters, lines)
    size: tuple[int, int]
    # uint8; None if it is stored already, or waits for a conversion
    array: np.ndarray | None = None
    traits: ImageTraits = ImageTraits()


class DecodedSource(NamedTuple):
    """What came of each row of a source."""

    hashes: list[str | None]  # None for a row that cannot be used
    sizes: list[tuple[int, int] | None]  # of each sample: see Decoded
    bad: list[tuple[str, str]]  # (key, reason)
    notes: Sequence[str] = ()  # worth printing


class Similarities(NamedTuple):
    """How alike pairs of samples are, and from where on they are near duplicates."""

    of_pairs: np.ndarray  # (m,)
    limit: float


class MediaType(Protocol):
    """A kind of data that a sample can be."""

    name: str  # the noun for one of it, as in "2 images"
    folder: str  # of arrays/, where its samples are stored
    column: str | None  # of a table of ours, that holds a sample as text; None: samples are files
    in_cell: bool  # whether a cell of somebody's table holds one; else files do, or whole rows
    has_words: bool  # whether people read it: its words are searched, weighed and name clusters
    sizes: tuple[str, str]  # what the two numbers of its size are
    embedders: tuple[str, ...]  # what a scan embeds by, and what it adds from --effort 2 on

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

    def read(self, shards: Shards, hashes: Iterable[str], side: int | None = None) -> Any:
        """Read stored samples lazily: something whose rows are chosen as those of an array.

        side: of the squares that images are read as."""

    # optional: def give(shards, hashes) -> list[Any]
    # stored samples as a person's function takes them, such as PIL images; else what `read` reads

    def store(
        self, bench: Bench, source: str, frame: pd.DataFrame, progress: Progress | None = None
    ) -> DecodedSource:
        """Decode and store what the rows of a source name, where it is new.

        source: its name in the bench. frame: key, uri, and text where rows hold the text itself."""

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
    """Look up a media type."""
    known = media_types()
    if name not in known:
        some = ", ".join(known)
        raise UnknownName(
            f"expected a medium {some}, found {name!r}", f"--media {some}", name, [*known]
        )
    return known[name]


def media_of(bench: Bench) -> MediaType:
    """Look up the media type of a bench, which its first import decided."""
    return media_type(dict(bench.rows("select key, value from meta")).get("media", "image"))


def give_samples(bench: Bench, hashes: Iterable[str]) -> list[Any]:
    """Give stored samples as a person's function takes them: PIL images, texts, or rows as dicts."""
    media, shards = media_of(bench), load_stored(bench)
    hashes = np.asarray(hashes, "S32")
    give = getattr(media, "give", None)
    return give(shards, hashes) if give else list(media.read(shards, hashes))


def stored_folders() -> list[str]:
    """List the folders of arrays/ that hold samples, one of each medium."""
    return [member.folder for member in media_types().values()]


def read_texts(bench: Bench, hashes: Iterable[str]) -> list[str] | None:
    """Read the texts of a bench, or its rows as JSON, by their hashes; None where it holds files."""
    media = media_of(bench)
    if media.column is None:
        return None
    return list(media.read(Shards(bench.arrays / media.folder), np.asarray(hashes, "S32")))


def load_stored(bench: Bench) -> Shards:
    """Open the shards of a bench's stored samples."""
    return Shards(bench.arrays / media_of(bench).folder)

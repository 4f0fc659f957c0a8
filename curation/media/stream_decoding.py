"""Decode the images of shards while these are fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from assay.curation.media import stored_traits
from assay.curation.media.conversion import ImageTraits
from assay.curation.media.decoding import STORED_SIDE
from assay.curation.media.files import BadMedia
from assay.curation.media.source_decoding import DecodingPass, ReadImage
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.shards import Shards

ReadImages = dict[str, ReadImage | BadMedia]  # by member


class StreamDecoder:
    """Stores the pixels of a bench, as decode_source does with images that lie still."""

    def __init__(self, bench: Bench, source: str, progress: Progress | None = None) -> None:
        self.progress = progress  # of shards
        earlier = bench.query("select content_hash from samples where source = ?", [source])
        reading = stored_traits.earlier_conversion(bench, source, earlier.content_hash)
        self.running = DecodingPass(Shards(bench.arrays / "pixels"), STORED_SIDE, reading)

    def holds(self, images: ReadImages) -> bool:
        """Whether the pixels are stored of all that need no more than their file."""
        plain = [i for i in images.values() if isinstance(i, ReadImage) and not i.traits]
        return bool((self.running.shards.find([i.content for i in plain]) >= 0).all())

    def decode(self, reads: Iterable[tuple[str, bytes | BadMedia]]) -> ReadImages:
        """Decode the images of a shard, by their members."""
        run, names = self.running, []

        def number_reads() -> Iterator[tuple[int, bytes | BadMedia]]:
            for name, blob in reads:
                names.append(name)
                run.hashes.append(None)
                yield len(names) - 1, blob

        run.hashes, run.bad = [], {}
        for _ in run.decode_reads(number_reads()):
            pass
        return {name: self.tell(n) for n, name in enumerate(names)}

    def tell(self, n: int) -> ReadImage | BadMedia:
        run, content = self.running, self.running.hashes[n]
        if content is None:
            return run.bad[n]
        size = run.known[content]
        if isinstance(size, BadMedia):
            return size
        traits = run.traits.get(content)
        return ReadImage(content, size, traits if traits and any(traits) else None)

    def finish(self) -> None:
        """Store what was decoded last."""
        self.running.flush()


def encode_images(images: ReadImages) -> list:
    """Write what came of images as JSON values."""
    return [
        [name, str(image)] if isinstance(image, BadMedia) else [name, *image]
        for name, image in images.items()
    ]


def parse_images(told: list) -> ReadImages:
    """Read what encode_images wrote."""
    return {
        name: BadMedia(rest[0])
        if len(rest) == 1
        else ReadImage(rest[0], tuple(rest[1]), rest[2] and ImageTraits(*rest[2]))
        for name, *rest in told
    }

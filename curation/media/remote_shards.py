"""Read the shards of a source at addresses, each by one request and without keeping it.

A shard lies on this machine while it is read. What stays of it, in the user's cache, is a record: where
its members lie, its texts and its columns, and what came of its images.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from assay.curation.media.containers.base import Wanted, find_container
from assay.curation.media.containers.parquet_ranges import list_images
from assay.curation.media.containers.tar_index import index_tar
from assay.curation.media.containers.tar_record import TarRecord, write_record
from assay.curation.media.conversion import DECODER
from assay.curation.media.files import BadMedia, byte_columns, image_column
from assay.curation.media.images import SUFFIXES as IMAGES
from assay.curation.media.remote_cache import Kept, RemoteCache
from assay.curation.media.remote_disk import check_size, copy_hollow
from assay.curation.media.remote_parts import fetch_whole, map_ahead
from assay.curation.media.remote_stream import Unchanged, Unreadable
from assay.curation.media.remote_tables import SUFFIXES as TABLES
from assay.curation.media.remote_tables import fetch_table
from assay.curation.media.stream_decoding import (
    ReadImages,
    StreamDecoder,
    encode_images,
    parse_images,
)
from assay.curation.system.scratch import scratch_folder

if TYPE_CHECKING:
    import pyarrow.parquet as pq

SUFFIXES = (".tar", *TABLES)
RECORD = 1  # counted up when a record would be another of the same bytes
MOST_TEXT = 64 << 20  # bytes of a text in a tar that is kept
AHEAD = ((64 << 20, 8), (512 << 20, 4))  # shards of at most so many bytes: so many lie here at once


class ShardPlace(NamedTuple):
    """A shard, and what its storage says of it."""

    name: str  # as seen from its source
    address: str
    size: int | None = None
    stamp: str = ""


class ShardRecord(NamedTuple):
    """What is kept of a shard."""

    place: ShardPlace
    file: Path  # the record of a tar; a Parquet file without the bytes of images
    images: ReadImages


class BadShard(NamedTuple):
    place: ShardPlace
    reason: Unreadable


class Fetched(NamedTuple):
    """A shard on this machine."""

    place: ShardPlace
    file: Path


class ShardReader:
    """Reads shards.

    texts: the endings of files in a tar that a format may open. column: the column or ending of the images, where it
    was named. decoder: decodes them; None: nobody needs them.
    """

    def __init__(
        self,
        texts: tuple[str, ...],
        column: str | None = None,
        decoder: StreamDecoder | None = None,
    ) -> None:
        self.texts, self.column, self.decoder = texts, column, decoder
        self.cache = RemoteCache()
        self.folder = Path()  # where shards lie while they are read
        self.stopped = Event()  # set when nobody needs what is still fetched

    def read(self, places: list[ShardPlace]) -> Iterator[ShardRecord | BadShard]:
        """Read shards in their order, some being fetched ahead.

        One that is the same as when it was read before is not fetched.
        """
        largest = max((place.size or AHEAD[0][0] for place in places), default=0)
        count = next((n for size, n in AHEAD if largest <= size), 2)
        with TemporaryDirectory(dir=scratch_folder(), prefix="shards-") as folder:
            self.folder = Path(folder)
            shards = map_ahead(self.fetch, places, count)
            try:
                for found in shards:
                    yield self.keep(found) if isinstance(found, Fetched) else found
            finally:
                self.stopped.set()
                shards.close()
                if self.decoder:
                    self.decoder.finish()

    def fetch(self, place: ShardPlace) -> Fetched | ShardRecord | BadShard:
        """Fetch a shard, or find its record."""
        known = self.find_record(place)
        if known and known.place.stamp == place.stamp:
            return known
        unless = known.place.stamp if known and not place.stamp else ""
        file = self.folder / sha256(place.address.encode()).hexdigest()
        try:
            file.touch()
            if place.size is not None:
                check_size(place.size, file)
            if place.address.lower().endswith(TABLES):
                columns = {self.column} if self.column else set()
                size, stamp = fetch_table(place.address, file, columns, unless, self.stopped)
            else:
                size, stamp = fetch_whole(place.address, file, unless, self.stopped)
        except Unchanged:
            assert known
            return known
        except Unreadable as e:
            return BadShard(place, e)
        return Fetched(place._replace(size=size, stamp=stamp), file)

    # ---- what is kept

    def keys(self, address: str) -> tuple[str, str]:
        """Name what is kept of a shard, and of its images, among the addresses of the cache."""
        return (
            f"{address}\nshard {RECORD}",
            f"{address}\nimages {RECORD}.{DECODER}\n{self.column or ''}",
        )

    def find_record(self, place: ShardPlace) -> ShardRecord | None:
        """Find what was kept of a shard, with the images that are needed."""
        shard, images = self.keys(place.address)
        kept = self.cache.find([shard, images])
        if shard not in kept or not kept[shard].stamp:
            return None
        read: ReadImages = {}
        size, _, stamp = kept[shard].stamp.partition(" ")
        if self.decoder:
            if images not in kept or kept[images].stamp != kept[shard].stamp:
                return None
            read = parse_images(json.loads(zlib.decompress(kept[images].file.read_bytes())))
            if not self.decoder.holds(read):
                return None
        return ShardRecord(place._replace(size=int(size), stamp=stamp), kept[shard].file, read)

    def keep(self, fetched: Fetched) -> ShardRecord | BadShard:
        """Decode the images of a shard, keep its record, and delete it."""
        place, file = fetched
        try:
            return self.read_fetched(place, file)
        except BadMedia as e:
            return BadShard(place, Unreadable(str(e)))
        finally:
            file.unlink()

    def read_fetched(self, place: ShardPlace, file: Path) -> ShardRecord:
        is_table = place.address.lower().endswith(TABLES)
        images = self.list_cells(file) if is_table else self.list_members(file)
        read: ReadImages = {}
        container = find_container(place.address)
        if self.decoder and container:
            wanted = [Wanted(member, n) for n, member in enumerate(images)]
            reads = container.read_members(str(file), wanted)
            read = self.decoder.decode((images[n], blob) for n, blob in reads)
        shard, of_images = self.keys(place.address)
        stamp = f"{place.size} {place.stamp}" if place.stamp else ""
        new = {shard: self.keep_file(shard, stamp, file, is_table)}
        if self.decoder:
            with self.cache.new_file() as told:
                told.write_bytes(zlib.compress(json.dumps(encode_images(read)).encode(), 1))
                new[of_images] = self.cache.keep(of_images, told, stamp)
        self.cache.write(new)
        self.cache.trim_after(new.values())
        return ShardRecord(place, new[shard].file, read)

    def keep_file(self, key: str, stamp: str, file: Path, is_table: bool) -> Kept:
        with self.cache.new_file() as kept:
            if is_table:
                copy_hollow(file, kept, list_images(read_metadata(file)))
            else:
                write_record(kept, TarRecord(index_tar(str(file)), self.read_texts(file)))
            return self.cache.keep(key, kept, stamp)

    def read_texts(self, file: Path) -> dict[int, bytes]:
        """Read what a format may open in a tar."""
        texts = {}
        with open(file, "rb") as opened:
            for member in index_tar(str(file)).members:
                if member.size <= MOST_TEXT and member.name.lower().endswith(self.texts):
                    opened.seek(member.data)
                    texts[member.data] = opened.read(member.size)
        return texts

    def list_members(self, file: Path) -> list[str]:
        """List the images of a tar."""
        names = [member.name for member in index_tar(str(file)).members]
        asked = f".{self.column}".lower() if self.column else IMAGES
        found = [name for name in names if name.lower().endswith(asked)]
        # of a tar with a table, the column of the images is the table's
        return found or [name for name in names if name.lower().endswith(IMAGES)]

    def list_cells(self, file: Path) -> list[str]:
        """List the images of a Parquet file: those of the column that is named or likely."""
        table = read_metadata(file)
        schema = table.schema.to_arrow_schema()
        guessed = image_column(schema)
        column = self.column or guessed
        if column not in byte_columns(schema):
            return []
        ending = "" if column == guessed else f"::{column}"
        return [f"{row}{ending}" for row in range(table.num_rows)]


def read_metadata(file: Path) -> pq.FileMetaData:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(file)
    except (OSError, ValueError, pa.ArrowException) as e:
        raise BadMedia(f"cannot be read as Parquet ({str(e).splitlines()[0][:200]})") from None

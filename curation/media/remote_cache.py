"""Files of addresses, kept on this machine by their content.

Every bench of a user shares them, in the folder `remote` of the user's cache. It is bounded: what was
not used for longest goes first.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from assay.curation.errors import UserError
from assay.curation.media.addresses import suffix_of
from assay.curation.system.user_cache import cache_folder

MOST = 10  # GB, unless ASSAY_REMOTE_CACHE_GB says otherwise
ROOM = 0.9  # of it is used after a trim
USED = 3600  # seconds after which a use is written down again
PIECE = 1 << 20
TRIM_EVERY = 1 << 28  # bytes fetched between two looks at how much is there
TABLE = """create table if not exists addresses (
    address text primary key, content text, suffix text, stamp text, fetched real)"""


class Kept(NamedTuple):
    """The file of an address, as it was fetched."""

    file: Path
    content: str  # hash of its bytes, as media.files.content_hash
    suffix: str
    stamp: str  # what its server said to tell it from others: "" where nothing
    fetched: float  # when


class RemoteCache:
    """What was fetched; safe among threads and processes."""

    since_trim = TRIM_EVERY  # bytes that this process fetched: its first file is a reason to look

    def __init__(self) -> None:
        self.folder = cache_folder("remote")
        (self.folder / "objects").mkdir(exist_ok=True)
        with self.connect() as con:
            con.execute("pragma journal_mode = wal")
            con.execute(TABLE)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Open the list of addresses for one transaction."""
        try:
            con = sqlite3.connect(self.folder / "addresses.sqlite", timeout=60)
            try:
                with con:
                    yield con
            finally:
                con.close()
        except sqlite3.Error as e:
            raise UserError(
                f"expected to keep what is fetched in {self.folder}, found: {e}",
                "free some space there or delete that folder: all of it can be fetched again",
            ) from None

    def find(self, addresses: list[str]) -> dict[str, Kept]:
        """Find the files of addresses that are here."""
        out = {}
        with self.connect() as con:
            for start in range(0, len(addresses), 500):
                some = addresses[start : start + 500]
                marks = ",".join("?" * len(some))
                query = f"select * from addresses where address in ({marks})"
                for address, content, suffix, stamp, fetched in con.execute(query, some):
                    file = self.place(content, suffix)
                    if file.is_file():
                        out[address] = Kept(file, content, suffix, stamp, fetched)
        return out

    def place(self, content: str, suffix: str) -> Path:
        return self.folder / "objects" / content[:2] / f"{content}{suffix}"

    @contextmanager
    def new_file(self) -> Iterator[Path]:
        """Yield a file to fetch into; it goes unless it is kept."""
        with NamedTemporaryFile(dir=self.folder, prefix="fetching-", delete=False) as file:
            path = Path(file.name)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def keep(self, address: str, fetched: Path, stamp: str) -> Kept:
        """Keep a fetched file as what lies at an address."""
        digest = hashlib.blake2b(digest_size=16)
        with open(fetched, "rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        content, suffix = digest.hexdigest(), suffix_of(address)
        place = self.place(content, suffix)
        place.parent.mkdir(exist_ok=True)
        os.replace(fetched, place)
        return Kept(place, content, suffix, stamp, time.time())

    def write(self, kept: dict[str, Kept]) -> None:
        """Write down what lies at addresses, all at once."""
        rows = [(a, k.content, k.suffix, k.stamp, k.fetched) for a, k in kept.items()]
        with self.connect() as con:
            con.executemany("insert or replace into addresses values (?, ?, ?, ?, ?)", rows)

    def mark_used(self, file: Path) -> None:
        """Mark a file as just used, so that it is deleted last."""
        with suppress(OSError):
            if file.stat().st_mtime < time.time() - USED:
                os.utime(file)

    def list_files(self) -> list[tuple[Path, os.stat_result]]:
        return [(file, file.stat()) for file in (self.folder / "objects").glob("*/*")]

    def measure(self) -> dict:
        """Measure it: {folder, files, bytes, most}."""
        sizes = [disk_size(found) for _, found in self.list_files()]
        return dict(folder=str(self.folder), files=len(sizes), bytes=sum(sizes), most=most_bytes())

    def trim_after(self, fetched: Collection[Kept]) -> None:
        """Trim now and then, as files come."""
        for kept in fetched:
            with suppress(OSError):
                RemoteCache.since_trim += disk_size(kept.file.stat())
        if fetched and RemoteCache.since_trim >= TRIM_EVERY:
            RemoteCache.since_trim = 0
            self.trim()

    def trim(self, dry_run: bool = False) -> int:
        """Delete what was not used for longest; returns bytes.

        What a killed process was fetching goes too.
        """
        freed = 0
        for left in self.folder.glob("fetching-*"):
            with suppress(OSError):
                if left.stat().st_mtime < time.time() - 3600:
                    freed += left.stat().st_size
                    dry_run or left.unlink()
        files = self.list_files()
        held = sum(disk_size(found) for _, found in files)
        if held <= most_bytes():
            return freed
        for file, found in sorted(files, key=lambda pair: pair[1].st_mtime):
            if held <= ROOM * most_bytes():
                break
            held, freed = held - disk_size(found), freed + disk_size(found)
            if not dry_run:
                file.unlink(missing_ok=True)
        return freed


def disk_size(found: os.stat_result) -> int:
    """How many bytes a file takes: of a shard without its images, few."""
    return min(found.st_size, 512 * found.st_blocks)


def most_bytes() -> int:
    """How much the cache may hold."""
    given = os.environ.get("ASSAY_REMOTE_CACHE_GB") or MOST
    try:
        return int(float(given) * 1e9)
    except (ValueError, OverflowError):
        raise UserError(
            f"expected a number of gigabytes in ASSAY_REMOTE_CACHE_GB, found {given!r}",
            f"leave it out for {MOST}",
        ) from None

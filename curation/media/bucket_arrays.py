"""Keep a bench's arrays in object storage, by fsspec: one request a file, and its name says what is in it."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from assay.curation.errors import DamagedFile, DiskFull, UserError
from assay.curation.media import remote
from assay.curation.media.addresses import (
    WEB,
    check_scheme,
    clean_address,
    host_of,
    is_address,
    scheme_of,
    whole_address,
)
from assay.curation.media.base import media_of
from assay.curation.media.remote_client import open_filesystem
from assay.curation.media.remote_faults import describe_fault, is_local
from assay.curation.media.remote_parts import map_ahead
from assay.curation.media.remote_stream import RemotePart, Unreadable
from assay.curation.storage.array_stores import Check, connect_store
from assay.curation.storage.interface import Bench
from assay.curation.system.permissions import make_folder, opener
from assay.curation.system.user_cache import cache_folder

AT_ONCE = 16  # files on their way
# the first object of a bench there: who may not write is told before the work
MARK = "assay-arrays"
# there a name may appear before its file is whole
NEVER = ("ftp", "sftp", "ssh", "smb", "webhdfs", "memory")

T = TypeVar("T")


class BucketArrays:
    """The arrays of a bench in object storage: see `array_stores.ArrayStore`."""

    def __init__(self, arrays: Path, address: str) -> None:
        """arrays: the folder that is their cache here. address: of the bench's own arrays."""
        self.arrays, self.address = arrays, address
        self.sizes: dict[Path, dict[str, int]] = {}  # of the folders that were looked at
        self.fetched = self.put = 0  # files

    def locate(self, file: Path) -> str:
        """Give the address of a file of arrays; UserError for one that leads elsewhere."""
        inside = file.relative_to(self.arrays)
        if ".." in inside.parts:  # what stages read is named by what others wrote
            raise UserError(
                f"expected a file of arrays, found {file}", "who else may write there? Scan again"
            )
        return f"{self.address}/{inside.as_posix()}"

    def look(self, folder: Path) -> None:
        """List what there is of a folder, and of the folders in it."""
        address = self.locate(folder)
        files = open_filesystem(address)
        found = self.ask(lambda: files.find(whole_address(address), detail=True), address, "listed")
        root = files._strip_protocol(address).rstrip("/") + "/"
        inside = {known for known in self.sizes if known.is_relative_to(folder)}
        sizes: dict[Path, dict[str, int]] = {known: {} for known in {folder, *inside}}
        for path, told in found.items():
            if path.startswith(root) and told.get("type") == "file" and ".." not in path.split("/"):
                file = folder / path[len(root) :]
                sizes.setdefault(file.parent, {})[file.name] = int(told.get("size") or 0)
        self.sizes |= sizes

    def list_sizes(self, folder: Path) -> dict[str, int] | None:
        """Give the names and sizes that a folder had; None where it was not looked at."""
        looked = any(folder.is_relative_to(known) for known in self.sizes)
        return self.sizes.get(folder, {}) if looked else None

    def keep(self, files: Iterable[Path]) -> int:
        """Put the files that were not there, indexes last: whoever finds one finds its array."""
        todo = [file for file in dict.fromkeys(files) if self.is_missing(file)]
        last = [file.name.endswith(".index.npy") for file in todo]
        for indexes in (False, True):
            some = [file for file, is_index in zip(todo, last) if is_index == indexes]
            for file, size in map_ahead(self.put_file, some, AT_ONCE):
                if file.parent in self.sizes:
                    self.sizes[file.parent][file.name] = size
                self.put += 1
        return len(todo)

    def replace(self, file: Path) -> None:
        """Put a file whose content changes under its name."""
        self.put_file(file)
        self.put += 1

    def is_missing(self, file: Path) -> bool:
        try:
            return self.sizes.get(file.parent, {}).get(file.name) != file.stat().st_size
        except FileNotFoundError:  # nothing of it is here
            return False

    def put_file(self, file: Path) -> tuple[Path, int]:
        address = self.locate(file)
        files, size = open_filesystem(address), file.stat().st_size
        self.ask(lambda: files.put_file(str(file), whole_address(address)), address, "written")
        return file, size

    def fetch(self, files: Iterable[Path], check: Check) -> None:
        """Fetch the files that are missing here and not there; DamagedFile where one is another."""
        todo = [file for file in dict.fromkeys(files) if not file.exists()]
        self.fetched += sum(map_ahead(lambda file: self.fetch_file(file, check), todo, AT_ONCE))

    def fetch_file(self, file: Path, check: Check) -> bool:
        """Fetch a file; False where there is none."""
        address = self.locate(file)
        for _ in range(2):  # once more, if it was damaged on its way
            tmp = make_folder(file.parent) / f"{file.name}.{uuid.uuid4().hex[:8]}.tmp"
            try:
                if not copy_here(address, tmp):
                    return False
                if check(file, tmp):
                    os.replace(tmp, file)
                    return True
            finally:
                tmp.unlink(missing_ok=True)
        raise DamagedFile(
            f"expected {file.name} at {address}, found something else, twice",
            "delete it there: what it held is derived, and made again by the next scan"
            " (pixels by assay check --repair)",
            "is not what was put there",
        )

    def discard(self, files: Iterable[Path]) -> None:
        """Delete files there."""

        def delete(file: Path) -> None:
            address = self.locate(file)
            with suppress(FileNotFoundError):
                storage = open_filesystem(address)
                self.ask(lambda: storage.rm_file(whole_address(address)), address, "deleted")
            self.sizes.get(file.parent, {}).pop(file.name, None)

        for _ in map_ahead(delete, files, AT_ONCE):
            pass

    def list_old(self, folder: Path, seconds: float) -> list[Path]:
        """List the files of a folder that were put there over so many seconds ago, by the clock that is there."""
        self.write_mark()
        address, mark = self.locate(folder), f"{self.address}/{MARK}"
        files = open_filesystem(address)
        told = self.ask(lambda: files.info(whole_address(mark)), mark, "read")
        found = self.ask(lambda: files.find(whole_address(address), detail=True), address, "listed")
        now = time_of(told)
        ages = {folder / path.rpartition("/")[2]: now - time_of(found[path]) for path in found}
        return sorted(file for file, age in ages.items() if age > seconds)

    def write_mark(self) -> None:
        """Write what says that there are arrays of a bench; UserError where that may not be."""
        place = f"{self.address}/{MARK}"
        files = open_filesystem(place)
        content = b"arrays of a bench\n"
        self.ask(lambda: files.pipe_file(whole_address(place), content), place, "written")

    def ask(self, call: Callable[[], T], address: str, done: str) -> T:
        """Ask storage for something, again where that may help; UserError says why it does not."""
        for attempt in range(1, remote.ATTEMPTS + 1):
            try:
                return call()
            except UserError:  # no library reads it
                raise
            except FileNotFoundError:
                if done == "deleted":
                    raise
                raise no_bucket(address) from None
            except Exception as e:  # of any of fsspec's libraries
                fault = describe_fault(e, address, done)
            if not fault.passing:
                break
            if attempt < remote.ATTEMPTS:
                remote.wait_before(attempt)
        times = f", {attempt} times" if attempt > 1 else ""
        raise UserError(
            f"expected {address} to be {done}, found that it {fault.reason}{times}",
            "what is done is kept: scan again",
        )


def copy_here(address: str, tmp: Path) -> bool:
    """Copy a file at an address, whole; False where there is none."""
    part = RemotePart(address)
    try:
        with explain_full_disk(tmp.parent), open(tmp, "wb", opener=opener) as out:
            while piece := part.read():
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        return True
    except Unreadable as e:
        if e.missing:
            return False
        raise UserError(
            f"expected to fetch {address}, found that it {e}", "what is done is kept: try again"
        ) from None
    finally:
        part.close()


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Say whose disk is full where arrays are written; this machine may be one of many."""
    try:
        yield
    except OSError as e:
        if not is_local(e):
            raise
        raise DiskFull(
            f"expected room in {folder} on {socket.gethostname()} for arrays, found none",
            "free some space there and scan again: nothing half is kept, and what is done is",
        ) from None


def no_bucket(address: str) -> UserError:
    return UserError(
        f"expected a bucket at {host_of(address)}, found none by that name",
        "make it, or mend the address: assay scan --arrays s3://BUCKET/PREFIX",
    )


def time_of(told: dict) -> float:
    """Read when a file was put where it lies, in seconds; NaN where storage does not say."""
    found = next((told[name] for name in remote.TIMES if told.get(name)), None)
    if isinstance(found, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(found)
    seconds = found.timestamp() if hasattr(found, "timestamp") else found
    return float(seconds) if isinstance(seconds, int | float) else float("nan")


# ---- which a bench has


def shard_places(bench: Bench) -> list[Path]:
    """List the folders below which a bench's shards lie."""
    names = (media_of(bench).folder, "decoded", "embeddings", "quality")
    return [bench.arrays / name for name in names]


def read_arrays_address(text: str) -> str:
    """Read where arrays shall lie; UserError where that is no object storage that can be written."""
    if not is_address(text):
        raise UserError(
            f"expected an address for --arrays, such as s3://bucket/prefix, found {text}",
            "on a shared file system put the whole bench there; --arrays local takes them back",
        )
    address = clean_address(text).rstrip("/")
    check_scheme(address)
    if scheme_of(address) in (*WEB, *NEVER):
        raise UserError(
            f"expected object storage for --arrays, found {scheme_of(address)}://",
            "give an address such as s3://bucket/prefix or gs://bucket/prefix",
        )
    return address


def open_bucket(bench: Bench, address: str) -> BucketArrays:
    """Open what holds the arrays of a bench at an address: in a folder of its own, that copies of it share."""
    ((first,),) = bench.rows("select uid from edits order by seq limit 1")
    return BucketArrays(bench.arrays, f"{address}/{first[:16]}")


def connect_arrays(bench: Bench) -> BucketArrays | None:
    """Connect a bench to its arrays in object storage; None where it has none.

    A bench that somebody sends may name any bucket: none, too, where nobody said on this machine that they lie there.
    """
    store = open_bucket(bench, bench.arrays_address) if bench.arrays_address else None
    if store and not trust_file(store.address).exists():
        store = None
    connect_store(bench.arrays, store)
    return store


def trust_file(address: str) -> Path:
    """Name the file that says that this user's arrays may go to an address."""
    name = sha256(address.encode()).hexdigest()[:32]
    return cache_folder("array-stores") / name


def store_address(bench: Bench, address: str | None) -> None:
    """Remember in the bench where its arrays lie; None: here alone."""
    with bench.transaction() as con:
        if address:
            con.execute("insert or replace into meta values ('arrays', ?)", [address])
        else:
            con.execute("delete from meta where key = 'arrays'")
    bench.arrays_address = address


def begin_store(bench: Bench, address: str) -> BucketArrays:
    """Make an address the place of a bench's arrays; UserError where it cannot be written."""
    store = open_bucket(bench, address)
    store.write_mark()
    trust_file(store.address).touch()
    store_address(bench, address)
    connect_store(bench.arrays, store)
    return store

"""Read images at addresses: s3://, gs://, https://, ..., each fetched once.

fsspec fetches them, with the credentials that its libraries find; the cache keeps them. Nothing here is
called for a path.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from assay.curation.errors import DiskFull, UserError
from assay.curation.media.addresses import WEB, clean_address, host_of, scheme_of, whole_address
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.remote_cache import Kept, RemoteCache
from assay.curation.media.remote_client import IN_FLIGHT, limit_size, open_filesystem
from assay.curation.media.remote_faults import describe_fault, is_local

AHEAD = 2 * IN_FLIGHT  # files that are asked for before one is read
ATTEMPTS, PAUSE = 4, 0.5  # tries, and seconds before the second; each next one waits twice as long
SKEW = 60  # seconds that a server's clock may be wrong
STAMPS = ("ETag", "etag", "md5Hash", "Content-MD5", "content_md5", "checksum")
TIMES = ("LastModified", "Last-Modified", "last_modified", "mtime", "updated", "modify")


def iter_remote(
    addresses: list[str], fresh: bool = False
) -> Iterator[tuple[int, bytes | BadMedia]]:
    """Read the bytes at addresses, as they come, each with its index.

    fresh: ask the servers whether what was fetched earlier is what they have still.
    """
    for indices, found in fetch_files(addresses, fresh):
        blob = found if isinstance(found, BadMedia) else read_kept(found, addresses[indices[0]])
        for i in indices:
            yield i, blob


def fetch_file(address: str, fresh: bool = False) -> Path:
    """Fetch one file; returns where it lies in the cache.

    Raises BadMedia.
    """
    ((_, found),) = fetch_files([address], fresh)
    if isinstance(found, BadMedia):
        raise found
    return found.file


def fetch_files(
    addresses: Iterable[str], fresh: bool = False
) -> Iterator[tuple[list[int], Kept | BadMedia]]:
    """Fetch the files at addresses; equal addresses once, with all their indices.

    At most IN_FLIGHT are asked for at once, and AHEAD lie there unread.
    """
    asked: dict[str, list[int]] = {}
    for i, address in enumerate(addresses):
        asked.setdefault(clean_address(address), []).append(i)
    cache = RemoteCache()
    fetching = Fetching(cache)
    for start in range(0, len(asked), 10_000):  # of a million not all at once
        some = list(asked)[start : start + 10_000]
        known = cache.find(some)
        if not fresh:
            for address in some:
                if address in known:
                    cache.mark_used(known[address].file)
                    yield asked[address], known[address]
        wanted = [address for address in some if fresh or address not in known]
        for address, found in fetching.fetch_all(wanted, known):
            yield asked[address], found


def read_kept(kept: Kept, address: str) -> bytes | BadMedia:
    """Read a fetched file, fetching it again where it is damaged."""
    for _ in range(2):
        try:
            blob = kept.file.read_bytes()
            if content_hash(blob) == kept.content:
                return blob
            kept.file.unlink(missing_ok=True)
        except OSError:
            pass
        ((_, found),) = fetch_files([address])
        if isinstance(found, BadMedia):
            return found
        kept = found
    return BadMedia("was fetched, and cannot be read from the cache")


class Fetching:
    """Many files on their way."""

    def __init__(self, cache: RemoteCache) -> None:
        self.cache = cache
        self.dead: dict[str, str] = {}  # host that cannot be reached -> why

    def fetch_all(
        self, addresses: list[str], known: dict[str, Kept]
    ) -> Iterator[tuple[str, Kept | BadMedia]]:
        """Fetch addresses; yields each as it comes.

        known: the files of some that are here already.
        """
        left, running = iter(addresses), {}
        # a thread each: fsspec has libraries of both kinds, and hands those that need none to its loop
        pool = ThreadPoolExecutor(min(IN_FLIGHT, max(1, len(addresses))), "assay-fetch")
        try:
            while True:
                for address in take(left, AHEAD - len(running)):
                    task = pool.submit(self.fetch, address, known.get(address))
                    running[task] = address
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                results = [(running.pop(task), task.result()) for task in done]
                new = {a: found for a, found in results if isinstance(found, Kept)}
                self.cache.write(new)
                self.cache.trim_after(new.values())
                yield from results
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def fetch(self, address: str, known: Kept | None) -> Kept | BadMedia:
        """Fetch one file, trying again where that may help."""
        for attempt in range(ATTEMPTS):
            if host_of(address) in self.dead:
                return BadMedia(self.dead[host_of(address)])
            try:
                return self.fetch_once(address, known)
            except UserError as e:  # no library reads it
                return BadMedia(f"{e.problem}; {e.hint}")
            except Exception as e:  # of any of fsspec's libraries
                if is_local(e):
                    raise DiskFull(
                        f"expected room in {self.cache.folder} for what is fetched, found none",
                        "free some space, or name another folder: export ASSAY_CACHE=FOLDER",
                    ) from None
                fault = describe_fault(e, address)
            if not fault.passing:
                return BadMedia(fault.reason)
            if attempt < ATTEMPTS - 1:
                wait_before(attempt + 1)
        if fault.of_host:
            self.dead[host_of(address)] = fault.reason
        return BadMedia(f"{fault.reason}, {ATTEMPTS} times")

    def fetch_once(self, address: str, known: Kept | None) -> Kept:
        """Fetch one file, unless the server has the same still."""
        files, options = open_filesystem(address), {}
        answer: dict[str, Any] = {}  # what a web server said, by the name of its header
        whole = whole_address(address)
        if scheme_of(address) in WEB:
            options = dict(trace_request_ctx=answer)
            if known and known.stamp:
                options["headers"] = {"If-None-Match": known.stamp}
        told = _listed.pop(address, None)
        if known and scheme_of(address) not in WEB:
            told = told or files.info(whole)
            if is_same(known, told):
                return known._replace(stamp=stamp_of(told), fetched=time.time())
        with self.cache.new_file() as place:
            files.get_file(whole, str(place), callback=limit_size(), **options)
            if known and answer.get("status") == 304:
                return known
            return self.cache.keep(address, place, answer.get("ETag") or stamp_of(told or {}))


def wait_before(attempt: int) -> None:
    """Wait before asking again: the longer, the more often it failed."""
    time.sleep(PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1))


def is_same(known: Kept, told: dict) -> bool:
    """Whether a server tells of the file that was fetched from it.

    By its stamp or, where none was known, by its size and the time of its last change.
    """
    if told.get("size") != known.file.stat().st_size:
        return False
    if known.stamp:
        return known.stamp == stamp_of(told)
    changed = next((told[name] for name in TIMES if told.get(name)), None)
    seconds = changed.timestamp() if hasattr(changed, "timestamp") else changed
    return isinstance(seconds, int | float) and seconds < known.fetched - SKEW


def stamp_of(told: dict) -> str:
    """Find the stamp of a file's state, "" for none."""
    return next((str(told[name]) for name in STAMPS if told.get(name)), "")


def ask_info(address: str) -> dict:
    """Ask what lies at an address: type, size, ...; raises UserError."""
    try:
        told = open_filesystem(address).info(whole_address(address))
        remember_told(address, told)
        return told
    except UserError:
        raise
    except Exception as e:  # of any of fsspec's libraries
        reason = describe_fault(e, address).reason
        raise UserError(
            f"expected something at {address}, found that it {reason}", "check it"
        ) from None


def list_folder(address: str) -> Iterator[str]:
    """List the files below an address, sorted, by relative name.

    Raises UserError. What the storage says of each is remembered, and saves a question when it is fetched.
    """
    files = open_filesystem(address)
    try:
        found = files.find(whole_address(address), detail=True)
    except Exception as e:
        reason = describe_fault(e, address).reason
        raise UserError(
            f"expected a folder at {address}, found that it {reason}", "check it"
        ) from None
    root = files._strip_protocol(address).rstrip("/") + "/"
    for path in sorted(found):
        told = found[path]
        if path.startswith(root) and path != root and told.get("type") == "file":
            name = path[len(root) :]
            if not (name.endswith("/") and not told.get("size")):  # a console's mark of a folder
                remember_told(f"{address}/{name}", told)
                yield name


def list_beside(address: str) -> list[str] | None:
    """List the names of the files in a folder, and in no folder of it; None where it cannot be listed."""
    if scheme_of(address) in WEB:
        return None
    try:
        found = open_filesystem(address).ls(whole_address(address), detail=True)
    except FileNotFoundError:
        return []
    except Exception:  # some may read files and list none
        return None
    names = []
    for told in found:
        if told.get("type") == "file":
            names.append(told["name"].rpartition("/")[2])
            remember_told(f"{address}/{names[-1]}", told)
    return sorted(names)


def remember_told(address: str, told: dict) -> None:
    """Remember what a storage says of a file, until it is fetched."""
    if told.get("type") == "file":
        short = {key: told[key] for key in ("size", *STAMPS, *TIMES) if told.get(key)}
        _listed[address] = short


def take_told(address: str) -> tuple[int | None, str]:
    """Take what a storage said of a file: its size, None for unknown, and its stamp."""
    told = _listed.pop(address, {})
    return told.get("size"), stamp_of(told)


_listed: dict[str, dict] = {}  # address -> what its storage said when its folder was listed


def take(left: Iterator[str], count: int) -> Iterator[str]:
    for _, address in zip(range(count), left):
        yield address

"""Read a part of a file at an address as it comes, by one request.

A part that breaks goes on from where it broke, if the file is still the same there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from assay.curation.errors import UserError
from assay.curation.media import remote
from assay.curation.media.addresses import WEB, scheme_of, whole_address
from assay.curation.media.files import BadMedia
from assay.curation.media.remote_client import open_filesystem
from assay.curation.media.remote_faults import OTHER, describe_fault, list_causes

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PIECE = 1 << 20  # bytes taken out of an answer at once
# bytes asked for at once of storage whose answers cannot be taken piece by piece
BLOCK = 64 << 20
STAMP = re.compile(r"[\w.+=/-]{1,100}")  # of a stamp that a uri can hold
TOTAL = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Unchanged(Exception):
    """A file is still the one that its stamp tells."""


class Unreadable(BadMedia):
    """Why a file at an address cannot be read."""

    def __init__(self, reason: str, everywhere: bool = False, missing: bool = False) -> None:
        super().__init__(reason)
        self.missing = missing  # there is nothing by its name
        self.everywhere = everywhere  # the others of its bucket cannot be read either


class Answer(NamedTuple):
    """What a server sends."""

    start: int  # where its first byte lies in the file
    size: int | None  # of the whole file
    stamp: str  # of the file's state, "" for none
    read: Callable[[], bytes]  # the next piece, b"" at the end
    close: Callable[[], object]


class RemotePart:
    """The bytes from `start` to `end` of a file; a negative start counts from the end.

    stamp: the state that the file must be in. unless: raise Unchanged where it is in this one.
    """

    def __init__(
        self,
        address: str,
        start: int = 0,
        end: int | None = None,
        stamp: str = "",
        unless: str = "",
    ) -> None:
        self.address, self.start, self.at, self.end = address, start, start, end
        self.stamp, self.unless = stamp, unless
        self.size: int | None = None  # of the whole file, once something came
        self.answer: Answer | None = None
        self.rest = b""  # of a piece that began before what was asked for

    def read(self) -> bytes:
        """Read the next piece, b"" at the end; raises Unreadable and Unchanged."""
        failed = 0
        while True:
            try:
                piece = self.read_once()
                if piece or self.end is None or self.at >= self.end:
                    return piece
                raise ConnectionError("it ended before its end")
            except (Unchanged, BadMedia):
                raise
            except UserError as e:  # no library reads it
                raise Unreadable(f"{e.problem}; {e.hint}", True) from None
            except Exception as e:  # of any of fsspec's libraries
                self.close()
                fault, failed = describe_fault(e, self.address), failed + 1
            if not fault.passing or failed == remote.ATTEMPTS:
                times = f", {failed} times" if failed > 1 else ""
                raise Unreadable(f"{fault.reason}{times}", fault.everywhere, fault.missing)
            remote.wait_before(failed)

    def read_once(self) -> bytes:
        if self.answer is None:
            self.open()
        assert self.answer
        piece, self.rest = self.rest or self.answer.read(), b""
        self.at += len(piece)
        return piece

    def read_all(self) -> bytes:
        pieces = []
        while piece := self.read():
            pieces.append(piece)
        return b"".join(pieces)

    def open(self) -> None:
        """Ask for what is still missing."""
        if self.end is not None and 0 <= self.end <= self.at:  # nothing is
            self.answer = Answer(self.at, self.size, self.stamp, lambda: b"", lambda: None)
            return
        answer = ask(self.address, self.at, self.end, self.stamp, self.unless)
        if self.stamp and answer.stamp and answer.stamp != self.stamp:
            answer.close()
            raise Unreadable(OTHER)
        if self.start < 0:
            self.start = self.at = answer.start
        self.answer, self.size, self.unless = answer, answer.size, ""
        self.stamp = self.stamp or answer.stamp
        if self.end is None or self.size is not None and self.end > self.size:
            self.end = self.size
        self.rest = skip_to(answer, self.at)

    def close(self) -> None:
        """End it; where all of it came, its connection serves the next."""
        answer, self.answer = self.answer, None
        if answer:
            with suppress(Exception):
                if self.end is not None and self.at >= self.end and not answer.read():
                    return
            answer.close()


def skip_to(answer: Answer, start: int) -> bytes:
    """Skip what a server sends before what it was asked for, as one without ranges does.

    Returns the rest of the last piece.
    """
    at = answer.start
    while at < start:
        if not (piece := answer.read()):
            raise ConnectionError("it ended before the part that was asked for")
        at += len(piece)
        if at > start:
            return piece[start - at :]
    return b""


def clean_stamp(told: object) -> str:
    """Make a server's stamp one that a uri can hold; "" for none and for a weak one."""
    text = str(told or "").strip().strip('"')
    return text if STAMP.fullmatch(text) else ""


def ask(address: str, start: int, end: int | None, stamp: str, unless: str) -> Answer:
    """Ask for a part of a file, in the way that its storage knows."""
    files = open_filesystem(address)
    scheme = scheme_of(address)
    asked = dict(Range=write_range(start, end)) if start or end is not None else {}
    if scheme in ("s3", "s3a"):
        return ask_s3(files, address, asked, stamp, unless)
    if scheme in WEB:
        return ask_web(files, address, asked, stamp, unless)
    return ask_any(files, address, start, end, unless)


def write_range(start: int, end: int | None) -> str:
    if start < 0:
        return f"bytes={start}"
    return f"bytes={start}-{'' if end is None else end - 1}"


def ask_s3(
    files: AbstractFileSystem, address: str, asked: dict[str, str], stamp: str, unless: str
) -> Answer:
    from fsspec.asyn import sync

    bucket, key, version = files.split_path(whole_address(address))
    if stamp:
        asked["IfMatch"] = f'"{stamp}"'
    if unless:
        asked["IfNoneMatch"] = f'"{unless}"'
    if version:
        asked["VersionId"] = version
    try:
        told = files.call_s3("get_object", Bucket=bucket, Key=key, **files.req_kw, **asked)
    except Exception as e:
        raise_unchanged(e)
        raise
    body = told["Body"]
    start, size = read_total(told.get("ContentRange"), told.get("ContentLength"))
    return Answer(
        start,
        size,
        clean_stamp(told.get("ETag")),
        lambda: sync(files.loop, body.read, PIECE),
        lambda: files.loop.call_soon_threadsafe(body.close),
    )


def ask_web(files: Any, address: str, asked: dict[str, str], stamp: str, unless: str) -> Answer:
    from fsspec.asyn import sync

    headers = {**asked, "Accept-Encoding": "identity"}
    if stamp:
        headers["If-Match"] = f'"{stamp}"'
    if unless:
        headers["If-None-Match"] = f'"{unless}"'
    url = whole_address(address)

    async def send() -> Any:
        session = await files.set_session()
        answer = await session.get(files.encode_url(url), headers=headers)
        if answer.status != 304:
            files._raise_not_found_for_status(answer, url)
        return answer

    answer = sync(files.loop, send)
    if answer.status == 304:
        answer.close()
        raise Unchanged
    told = answer.headers
    start, size = read_total(told.get("Content-Range"), told.get("Content-Length"))
    return Answer(
        start,
        size,
        clean_stamp(told.get("ETag")),
        lambda: sync(files.loop, answer.content.read, PIECE),
        lambda: files.loop.call_soon_threadsafe(answer.close),
    )


def ask_any(
    files: AbstractFileSystem, address: str, start: int, end: int | None, unless: str
) -> Answer:
    """Ask storage that fsspec knows and we do not: what it holds first, then block by block."""
    path = whole_address(address)
    told = files.info(path)
    stamp, size = clean_stamp(remote.stamp_of(told)), int(told["size"])
    if unless and stamp == unless:
        raise Unchanged
    start = start if start >= 0 else max(0, size + start)
    left = [start, min(size, size if end is None else end)]

    def read() -> bytes:
        if left[0] >= left[1]:
            return b""
        blob = files.cat_file(path, start=left[0], end=min(left[1], left[0] + BLOCK))
        left[0] += len(blob)
        if left[1] - start > BLOCK and clean_stamp(remote.stamp_of(files.info(path))) != stamp:
            raise Unreadable(OTHER)
        return blob

    return Answer(start, size, stamp, read, lambda: None)


def read_total(content_range: str | None, length: object) -> tuple[int, int | None]:
    """Read where an answer begins, and how large its whole file is."""
    if content_range and (match := TOTAL.match(content_range)):
        return int(match[1]), int(match[2])
    return 0, int(str(length)) if length is not None else None


def raise_unchanged(error: BaseException) -> None:
    """Raise Unchanged where a server answered that nothing has changed."""
    for e in list_causes(error):
        response = getattr(e, "response", None)
        told = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
        if told.get("HTTPStatusCode") == 304:
            raise Unchanged from None

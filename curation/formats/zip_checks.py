"""Refuse harmful zips: names that lead outside, links, encryption, shared bytes."""

from __future__ import annotations

import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from assay.curation.errors import UserError, shorten
from assay.curation.formats.archive_names import ELSE, is_junk, refuse_both
from assay.curation.media.containers.zip import ENCRYPTED, ZipMember, read_directory
from assay.curation.text import format_count

MOST_MEMBERS = 1_000_000
HEADER = 30  # bytes of a member's own header at least
AWAY = re.compile(r"\0|\\|^/|^[A-Za-z]:|(?:^|/)\.\.(?:/|$)")  # what leaves the folder
M = TypeVar("M", ZipMember, zipfile.ZipInfo)


def list_checked(path: Path) -> dict[str, ZipMember]:
    """List the files of a zip that is read in place.

    Only its directory is read. UserError names what could do harm.
    """
    with plain_faults(path.name):
        members = read_directory(str(path)).members
        refuse_harm(members, path.name)
        files = {m.filename: m for m in keep_files(members)}
        refuse_both(list(files), path.name)
        return files


@contextmanager
def plain_faults(name: str) -> Iterator[None]:
    """Say in plain words what is wrong with a zip."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
    ) as e:
        raise UserError(
            f"expected a sound zip file, found {name} damaged: {shorten(str(e), 200)}",
            "is the file complete? zip it again",
        ) from None


def keep_files(members: Sequence[M]) -> list[M]:
    """Leave out folders, and what systems leave in them."""
    return [m for m in members if not m.is_dir() and not is_junk(m.filename)]


def refuse_harm(members: Sequence[ZipMember | zipfile.ZipInfo], name: str) -> None:
    """Refuse members that could do harm, or are too many."""
    if len(members) > MOST_MEMBERS:
        raise UserError(
            f"expected at most {format_count(MOST_MEMBERS, 'member')} in {name}, found {len(members):,}",
            ELSE,
        )
    for member in members:
        if wrong := find_harm(member):
            found = f"{shorten(member.orig_filename, 200)!r}, which {wrong}"
            raise UserError(f"expected files alone in {name}, found {found}", ELSE)
    refuse_shared(members, name)


def find_harm(info: ZipMember | zipfile.ZipInfo) -> str | None:
    """Say why a member is no plain file of its zip.

    None where it is one.
    """
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if AWAY.search(name):
        return "leaves the folder that it is unpacked into"
    longest = max(map(len, name.encode(errors="replace").split(b"/"))) if len(name) > 60 else 0
    if longest > 250 or len(name) > 2_000:
        return "has too long a name"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link" if kind == stat.S_IFLNK else "is no file"
    if info.flag_bits & ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in another way than zip programs do by default"
    return None


def refuse_shared(infos: Sequence[ZipMember | zipfile.ZipInfo], name: str) -> None:
    """Refuse members that share a name, or bytes.

    A few that share bytes unpack to as much as one likes.
    """
    if twice := [n for n, count in Counter(i.filename for i in infos).items() if count > 1]:
        found = f"{shorten(twice[0], 200)!r} twice"
        raise UserError(f"expected each name once in {name}, found {found}", ELSE)
    spans = sorted(
        (i.header_offset, i.header_offset + HEADER + i.compress_size, i.filename) for i in infos
    )
    for (_, end, first), (start, _, second) in zip(spans, spans[1:]):
        if end > start:
            found = f"{shorten(first, 100)!r} and {shorten(second, 100)!r} in the same bytes"
            raise UserError(f"expected members apart in {name}, found {found}", ELSE)


def refuse_large(infos: list[zipfile.ZipInfo], name: str, most: int) -> None:
    if (total := sum(i.file_size for i in infos)) > most:
        found = f"{name} to declare {total / 2**30:,.1f} GB"
        raise UserError(f"expected at most {most >> 30} GB unpacked, found {found}", ELSE)

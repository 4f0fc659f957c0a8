"""Mirrors of sources at addresses: folders here in which a format finds what it reads.

Images are empty there, and shards are their records.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.curation.errors import UserError
from assay.curation.formats.base import ReadableFormat, Unread, list_formats
from assay.curation.media.containers.base import list_containers
from assay.curation.media.containers.tar_record import unmark_record
from assay.curation.media.files import BadMedia
from assay.curation.media.remote_shards import SUFFIXES as SHARDS
from assay.curation.media.remote_shards import ShardPlace, ShardRecord
from assay.curation.text import format_count

TEXTS = (".json", ".jsonl", ".ndjson", ".txt", ".names", ".yaml", ".yml", ".xml", ".gz", ".tgz")
MOST_FILES = 2_000_000  # that are listed of a folder


@dataclass(frozen=True)
class Mirror:
    """What was fetched of a source, as a format reads it."""

    path: Path
    address: str
    shards: dict[str, ShardRecord] = field(default_factory=dict)  # by their paths here
    unread: list[Unread] = field(default_factory=list)  # what can have no name here
    left_out: list[tuple[str, str]] = field(default_factory=list)  # shards that could not be read


def mirror_folder(mirror: Mirror) -> list[ShardPlace]:
    """Make a folder of the same names, but for its shards; images are empty there.

    Returns the shards.
    """
    import shutil

    from assay.curation.media.remote import fetch_files, list_folder

    root, local = mirror.address, mirror.path
    shutil.rmtree(local, ignore_errors=True)
    local.mkdir()
    wanted, bad, shards = [], [], []
    for n, name in enumerate(list_folder(root)):
        if n == MOST_FILES:
            raise UserError(
                f"expected at most {format_count(MOST_FILES, 'file')} below {root}, found more",
                "import a folder in it, or a table of its images",
            )
        if not make_empty(local, name):
            bad.append(name)
        elif name.lower().endswith(SHARDS):
            (local / name).unlink()
            shards.append(make_place(name, f"{root}/{name}"))
        elif name.lower().endswith(readable_endings()):
            wanted.append(name)
    for indices, found in fetch_files([f"{root}/{name}" for name in wanted], fresh=True):
        name = wanted[indices[0]]
        if isinstance(found, BadMedia):
            raise UserError(f"expected to read {root}/{name}, found that it {found}", "check it")
        link_here(found.file, local / name)
    mirror.unread.extend(describe_names(bad, "has a name that no file can have here"))
    return shards


def make_place(name: str, address: str) -> ShardPlace:
    from assay.curation.media.remote import take_told
    from assay.curation.media.remote_stream import clean_stamp

    size, stamp = take_told(address)
    return ShardPlace(name, address, size, clean_stamp(stamp))


def link_file(address: str, local: Path) -> None:
    """Fetch a file, and let it have its own name at `local`."""
    from assay.curation.media.remote import fetch_file

    try:
        fetched = fetch_file(address, fresh=True)
    except BadMedia as e:
        raise UserError(f"expected a file at {address}, found that it {e}", "check it") from None
    link_here(fetched, local)


def link_here(file: Path, local: Path) -> None:
    """Let a file of the cache have a name of its own here."""
    local.unlink(missing_ok=True)
    unmark_record(str(local))
    try:
        os.link(file, local)
    except OSError:  # the cache is on another disk
        local.symlink_to(file)


def make_empty(root: Path, name: str) -> bool:
    """Make an empty file; False where none can be called so."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        return False
    try:
        place = root.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    except (OSError, ValueError):  # too long, or a folder has the name of a file
        return False
    return place.is_file()


def describe_names(names: list[str], why: str) -> Iterator[Unread]:
    if names:
        yield Unread(os.path.splitext(names[0])[1].lower(), len(names), names[0], why)


def readable_endings() -> tuple[str, ...]:
    """List the endings of files that a format may open."""
    members: list[Any] = [*list_formats(ReadableFormat), *list_containers()]
    return (*TEXTS, *sorted({suffix for member in members for suffix in member.suffixes}))


def safe_part(name: str) -> str:
    """Make a name that a file can have."""
    plain = name.replace("/", "-").replace("\0", "")[-120:]
    return plain if plain not in ("", ".", "..") else "source"

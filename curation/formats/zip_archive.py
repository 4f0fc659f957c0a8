"""Zips: what one may hold, and unpacking them."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from assay.curation.errors import UserError, shorten
from assay.curation.formats.archive_names import Archive, is_junk, patch_archive, read_archive
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.new_folder import fill_new_folder
from assay.curation.formats.split_words import SPLITS
from assay.curation.formats.table_files import TABLES
from assay.curation.formats.zip_rewrite import rewrite_zip
from assay.curation.media.containers.base import find_container
from assay.curation.media.containers.zip import index_zip, read_member
from assay.curation.media.files import BadMedia
from assay.curation.media.images import SUFFIXES
from assay.curation.system import permissions
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

# texts that say what images are, or come along with them
BESIDE = (".txt", ".xml", ".json", ".jsonl", ".yaml", ".yml", ".md", ".lst", ".list")
MOST_BYTES, MOST_MEMBERS = 16 << 30, 1_000_000  # unpacked
HEADER = 30  # bytes of a member's own header at least
SPARE = 1 << 28  # bytes that stay free on the disk
PIECE = 1 << 20  # bytes that are unpacked at once
ELSE = "unpack it yourself where you trust it, and import the folder"
Members = dict[PurePosixPath, zipfile.ZipInfo]  # by their path in the folder to import


class Zip:
    """A zip of class folders, or of images and a manifest; it is read in place.

    One that is handed in, or that holds Parquet files, is unpacked into the bench.
    """

    name = "zip"
    suffixes = (".zip",)

    def matches(self, path: Path) -> Match:
        if path.is_file() and path.suffix.lower() in self.suffixes:
            return Match("sure", "ends in .zip")
        return Match("no", "expects a file that ends in .zip")

    def read(self, path: Path, options: ImportOptions) -> Listing:
        return read_archive(open_zip(path), options)

    def patch(self, source: Path, changes: pd.DataFrame, options: ImportOptions) -> Patch:
        return patch_archive(open_zip(source), changes, options)

    def holds_containers(self, path: Path) -> bool:
        """Whether a member may hold images itself.

        Then the zip is unpacked first.
        """
        with open(path, "rb") as file, open_checked(file, path.name, None) as (_, members):
            return any(find_container(str(member)) for member in members)

    def unpack(self, file: BinaryIO, name: str, folder: Path, skip_bad: bool) -> Path:
        """Unpack images and manifests; `folder.parent` is filled, whole or not at all.

        Nothing is written before all members have been checked, nor where an earlier upload of the
        same bytes is there. Returns the path to import: the folder, or the one manifest in it.
        """
        with open_checked(file, name) as (archive, members):
            members = choose_members(members, name, skip_bad)
            if not folder.parent.exists():
                bench = folder.parents[2]
                require_space(bench, sum(m.file_size for m in members.values()))
                with fill_new_folder(folder.parent, "free some space") as partial:
                    write_members(archive, members, partial / folder.name)
        return folder / (find_manifest(members) or "")


FORMAT = Zip()


def open_zip(path: Path) -> Archive:
    """Check a zip that is read in place."""
    with open(path, "rb") as file, open_checked(file, path.name, None) as (_, members):
        sizes = {info.filename: info.file_size for info in members.values()}

    def read(name: str) -> bytes:
        with open(path, "rb", buffering=0) as file:
            blob = read_member(file, index_zip(str(path))[name])
        if isinstance(blob, BadMedia):
            raise UserError(f"expected a sound {name}, found that it {blob}", "zip it again")
        return blob

    return Archive(path, "zip", "zip", sizes, read, rewrite_zip)


@contextmanager
def open_checked(
    file: BinaryIO, name: str, most: int | None = 0
) -> Iterator[tuple[zipfile.ZipFile, Members]]:
    """Open a zip that unpacks without harm.

    most: bytes that it may unpack to; 0: MOST_BYTES; None: any number, for it is not unpacked.

    Yields (archive, {path: member}) without folders, and without what systems leave in them;
    UserError names what could do harm. Only the directory is read: nothing is unpacked yet.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            if len(infos) > MOST_MEMBERS:
                raise UserError(
                    f"expected at most {format_count(MOST_MEMBERS, 'member')} in {name}, found {len(infos):,}",
                    ELSE,
                )
            for info in infos:
                if wrong := find_harm(info):
                    found = f"{shorten(info.orig_filename, 200)!r}, which {wrong}"
                    raise UserError(f"expected files alone in {name}, found {found}", ELSE)
            refuse_shared(infos, name)
            if most is not None:
                refuse_large(infos, name, most or MOST_BYTES)
            files = [info for info in infos if not info.is_dir() and not is_junk(info.filename)]
            members = {PurePosixPath(info.filename): info for info in files}
            both = next((p for path in members for p in path.parents if p in members), None)
            if both:
                found = f"{str(both)!r} as a file and as a folder"
                raise UserError(f"expected files alone in {name}, found {found}", ELSE)
            yield archive, members
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


def find_harm(info: zipfile.ZipInfo) -> str | None:
    """What makes a member no plain file of its zip, in words."""
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    parts = name.split("/")
    if "\0" in name or "\\" in name or re.match("/|[A-Za-z]:", name) or ".." in parts:
        return "leaves the folder that it is unpacked into"
    if any(len(part.encode(errors="replace")) > 250 for part in parts) or len(name) > 2_000:
        return "has too long a name"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link" if kind == stat.S_IFLNK else "is no file"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in another way than zip programs do by default"
    return None


def refuse_shared(infos: list[zipfile.ZipInfo], name: str) -> None:
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


def choose_members(members: Members, name: str, skip_bad: bool) -> Members:
    """Choose images and manifests, without a folder around all of them."""
    odd = [p for p in members if p.suffix.lower() not in (*SUFFIXES, *TABLES, *BESIDE)]
    if odd and not skip_bad:
        found = f"{len(odd):,} that are neither, first {shorten(str(odd[0]), 200)!r}"
        raise UserError(
            f"expected images and manifests in {name}, found {found}",
            "take them out, or leave them out with --skip-bad",
        )
    members = {p: m for p, m in members.items() if p not in odd}
    if not any(p.suffix.lower() in (*SUFFIXES, *TABLES) for p in members):
        raise UserError(
            f"expected images in {name}, found none", f"Assay reads {' '.join(SUFFIXES)}"
        )
    while len(tops := {p.parts[0] for p in members}) == 1 and tops.pop().lower() not in SPLITS:
        below = {PurePosixPath(*p.parts[1:]): m for p, m in members.items() if len(p.parts) > 1}
        folders = any(len(p.parts) > 1 or p.suffix.lower() in TABLES for p in below)
        if len(below) < len(members) or not folders:
            break  # a class is no wrapping
        members = below
    return members


def find_manifest(members: Members) -> PurePosixPath | None:
    """Find the one table at the top, without class folders beside.

    So it is with labels.csv and images/.
    """
    tables = [p for p in members if len(p.parts) == 1 and p.suffix.lower() in TABLES]
    beside = {p.parts[0] for p in members if len(p.parts) > 1}
    splits = {folder.lower() for folder in beside} & set(SPLITS)
    return tables[0] if len(tables) == 1 and len(beside) < 2 and not splits else None


def require_space(bench: Path, size: int) -> None:
    """Refuse what would fill the disk of a bench."""
    if (free := shutil.disk_usage(bench).free) < size + SPARE:
        needed = f"room for {size / 2**20:,.0f} MB beside the bench"
        raise UserError(f"expected {needed}, found {free / 2**20:,.0f} MB", "free some space")


def write_members(archive: zipfile.ZipFile, members: Members, folder: Path) -> None:
    """Write members below a new folder.

    One that is longer than it declares, or not what its checksum says, is refused.
    """
    permissions.make_folder(folder)
    for path, info in members.items():
        target, name = folder / path, shorten(info.filename, 200)
        permissions.make_folder(target.parent)
        size = 0
        try:
            with archive.open(info) as member:
                with open(target, "xb", opener=permissions.opener) as out:
                    while piece := member.read(PIECE):
                        size += len(piece)
                        if size > info.file_size:
                            break
                        out.write(piece)
        except Exception as e:  # zlib.error and its like
            if isinstance(e, OSError) and not isinstance(e, zipfile.BadZipFile):
                raise
            raise UserError(
                f"expected sound members, found {name!r} damaged: {shorten(str(e), 200)}",
                "zip it again",
            ) from None
        if size != info.file_size:
            found = f"{name!r} of {'more' if size > info.file_size else f'{size:,}'}"
            raise UserError(
                f"expected {format_count(info.file_size, 'byte')}, as declared, found {found}",
                "zip it again",
            )

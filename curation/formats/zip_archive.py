"""Zips: what one may hold, and unpacking them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from assay.curation.errors import UserError, shorten
from assay.curation.formats.archive_names import (
    Archive,
    patch_archive,
    read_archive,
    refuse_both,
)
from assay.curation.formats.base import ImportOptions, Listing, Match, Patch
from assay.curation.formats.new_folder import fill_new_folder
from assay.curation.formats.split_words import SPLITS
from assay.curation.formats.table_files import TABLES
from assay.curation.formats.zip_checks import (
    keep_files,
    list_checked,
    plain_faults,
    refuse_harm,
    refuse_large,
)
from assay.curation.formats.zip_rewrite import rewrite_zip
from assay.curation.media.containers.base import find_container
from assay.curation.media.containers.read_ahead import ReadAhead
from assay.curation.media.containers.zip import index_zip, read_member
from assay.curation.media.files import BadMedia
from assay.curation.media.images import SUFFIXES
from assay.curation.system import permissions
from assay.curation.text import format_count

if TYPE_CHECKING:
    import pandas as pd

# texts that say what images are, or come along with them
BESIDE = (".txt", ".xml", ".json", ".jsonl", ".yaml", ".yml", ".md", ".lst", ".list")
MOST_BYTES = 16 << 30  # unpacked
SPARE = 1 << 28  # bytes that stay free on the disk
PIECE = 1 << 20  # bytes that are unpacked at once
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
        return any(find_container(name) for name in list_checked(path))

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
    sizes = {name: member.file_size for name, member in list_checked(path).items()}

    def read(name: str) -> bytes:
        with open(path, "rb", buffering=0) as opened:
            blob = read_member(ReadAhead(opened.fileno()), index_zip(str(path))[name])
        if isinstance(blob, BadMedia):
            raise UserError(f"expected a sound {name}, found that it {blob}", "zip it again")
        return blob

    return Archive(path, "zip", "zip", sizes, read, rewrite_zip)


@contextmanager
def open_checked(file: BinaryIO, name: str) -> Iterator[tuple[zipfile.ZipFile, Members]]:
    """Open a zip that unpacks without harm, and to MOST_BYTES at most.

    Yields (archive, {path: member}) without folders, and without what systems leave in them;
    UserError names what could do harm. Only the directory is read: nothing is unpacked yet.
    """
    with plain_faults(name), zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        refuse_harm(infos, name)
        refuse_large(infos, name, MOST_BYTES)
        members = {PurePosixPath(info.filename): info for info in keep_files(infos)}
        refuse_both([str(path) for path in members], name)
        yield archive, members


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

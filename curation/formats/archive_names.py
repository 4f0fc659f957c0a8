"""Read an archive in place, as its folder would be.

A folder of the same names is made for a moment: its tables and texts are there, its images are empty. What it is read
as is what the archive is read as; images are read out of the archive.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats.base import (
    ArchiveFormat,
    ImportOptions,
    Listing,
    Patch,
    PatchableFormat,
    ReadableFormat,
    choose_best,
    list_formats,
)
from assay.curation.formats.read import find_format
from assay.curation.formats.split_words import SPLITS
from assay.curation.formats.table_files import TABLES
from assay.curation.media.containers.base import find_container
from assay.curation.media.images import SUFFIXES
from assay.curation.system.scratch import scratch_folder

if TYPE_CHECKING:
    import pandas as pd

MOST_TEXT = 1 << 29  # bytes of tables and texts, unpacked for a moment
TEXTS = (*TABLES, ".json", ".jsonl", ".ndjson", ".txt", ".xml", ".yaml", ".yml", ".names", ".data")
JUNK = ("thumbs.db", "desktop.ini")  # what systems leave in folders, beside hidden files


@dataclass(frozen=True)
class Archive:
    """An archive whose members were checked."""

    path: Path
    format: str
    word: str  # "zip"
    sizes: dict[str, int]  # of its files, by name
    read: Callable[[str], bytes]
    rewrite: Callable[..., None]  # (source, target, contents=, renamed=)


def is_junk(name: str) -> bool:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or parts[-1].lower() in JUNK:
        return True
    return any(part.startswith((".", "__MACOSX")) for part in parts)


def find_unpacker(path: Path, asked: str | None) -> ArchiveFormat | None:
    """Find the format that must unpack an archive first.

    None: it is read in place.

    asked: the format that the importer named. One of images in files of their own kind (Parquet)
    is unpacked.
    """
    archives = list_formats(ArchiveFormat)
    found = choose_best(archives, [f.matches(path) for f in archives])
    if found and isinstance(found, ReadableFormat) and asked in (None, found.name):
        holds = getattr(found, "holds_containers", None)
        return found if holds and holds(path) else None
    return found


def wrapping(names: list[str]) -> str:
    """Find the folders around all of what an archive holds, as "photos/"."""
    prefix = ""
    while names:
        tops = {name.removeprefix(prefix).split("/")[0] for name in names}
        inside = [name for name in names if "/" in name.removeprefix(prefix)]
        if len(tops) > 1 or len(inside) < len(names) or (top := tops.pop()).lower() in SPLITS:
            break
        below = [name.removeprefix(f"{prefix}{top}/") for name in names]
        if not any("/" in name or name.lower().endswith(TABLES) for name in below):
            break  # a class is no wrapping
        prefix = f"{prefix}{top}/"
    return prefix


@contextmanager
def name_files(archive: Archive) -> Iterator[tuple[Path, str]]:
    """Make a folder of the names in an archive.

    Yields what to read there, and the folders that wrap it.
    """
    names = [name for name in archive.sizes if not is_junk(name)]
    prefix = wrapping(names)
    refuse_both(names, archive.path.name)
    texts = {name for name in names if name.lower().endswith(TEXTS)}
    if (size := sum(archive.sizes[name] for name in texts)) > MOST_TEXT:
        raise UserError(
            f"expected at most {MOST_TEXT >> 20} MB of tables and texts in {archive.path.name},"
            f" found {size >> 20:,} MB",
            "unpack it, and import the folder",
        )
    for name in names:
        if find_container(name):
            raise UserError(
                f"expected images as files in {archive.path.name}, found {name}, which may hold more",
                "unpack it, and import the folder",
            )
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as scratch:
        root = Path(scratch) / archive.path.stem
        made: set[str] = set()
        for name in names:
            place = f"{root}/{name.removeprefix(prefix)}"
            folder = os.path.dirname(place)
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            if name in texts:
                Path(place).write_bytes(archive.read(name))
        yield root / (find_table([n.removeprefix(prefix) for n in names]) or ""), prefix


def refuse_both(names: list[str], file: str) -> None:
    """Refuse a name that is a file and a folder."""
    files, folders = set(names), {name.rpartition("/")[0] for name in names}
    while folders:
        if both := sorted(folders & files):
            raise UserError(
                f"expected files alone in {file}, found {both[0]!r} as a file and as a folder",
                "unpack it yourself where you trust it, and import the folder",
            )
        folders = {folder.rpartition("/")[0] for folder in folders} - {""}


def find_table(names: list[str]) -> str | None:
    """Find the one table at the top, as labels.csv beside images/."""
    tables = [name for name in names if "/" not in name and name.lower().endswith(TABLES)]
    beside = {name.split("/")[0] for name in names if "/" in name}
    splits = {folder.lower() for folder in beside} & set(SPLITS)
    return tables[0] if len(tables) == 1 and len(beside) < 2 and not splits else None


@contextmanager
def plain_paths(folder: Path, archive: Archive) -> Iterator[None]:
    """Name the archive in errors, not the folder of its names."""
    try:
        yield
    except UserError as e:
        e.reword(lambda text: text.replace(str(folder), str(archive.path)))
        raise


def read_archive(archive: Archive, options: ImportOptions) -> Listing:
    """List the samples of an archive."""
    if not any(name.lower().endswith(SUFFIXES) for name in archive.sizes if not is_junk(name)):
        raise UserError(
            f"expected images in {archive.path.name}, found none",
            f"Assay reads {' '.join(SUFFIXES)}",
        )
    with name_files(archive) as (place, prefix):
        root = place if place.is_dir() else place.parent
        with plain_paths(root, archive):
            listing = find_format(place).read(place, replace(options, format=None))
            samples = [sample for batch in listing.batches for sample in batch]
    for sample in samples:
        inside = sample["uri"].removeprefix(f"{root}/")
        sample["uri"] = f"{archive.path}::{prefix}{inside}"
    return replace(
        listing,
        format=archive.format,
        name=archive.path.stem,
        kind=f"{listing.kind} in a {archive.word}" if archive.word != "zip" else listing.kind,
        batches=[samples],
    )


def patch_archive(archive: Archive, changes: pd.DataFrame, options: ImportOptions) -> Patch:
    """Plan how an archive takes over changes: as its folder would."""
    with name_files(archive) as (place, prefix), tempfile.TemporaryDirectory() as scratch:
        found = find_format(place)
        if not isinstance(found, PatchableFormat):
            raise UserError(
                f"expected sources that can be written again, found {archive.path.name}: {found.name}",
                "export another format: --format manifest",
            )
        root = place if place.is_dir() else place.parent
        with plain_paths(root, archive):
            plan = found.patch(place, changes, replace(options, format=None))
            contents: dict[str, bytes | None] = {prefix + name: None for name in plan.removed}
            for name, write in plan.rewritten.items():
                write(Path(scratch) / "new")
                contents[prefix + (name or place.name)] = (Path(scratch) / "new").read_bytes()
    renamed = {prefix + old: prefix + new for old, new in plan.moved.items()}

    def write_again(target: Path) -> None:
        archive.rewrite(str(archive.path), target, contents=contents, renamed=renamed)

    return Patch({"": write_again} if contents or renamed else {}, notes=plan.notes)

"""Read an archive in place, as its folder would be.

A folder of the same names is made for a moment: its tables and texts are there, its images are empty. What it is read
as is what the archive is read as; images are read out of the archive.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from assay.curation.errors import UserError
from assay.curation.formats import class_folders
from assay.curation.formats.annotations import MASKS
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
from assay.curation.media.containers.base import list_containers
from assay.curation.media.images import SUFFIXES
from assay.curation.media.locations import DEEPEST
from assay.curation.system.scratch import scratch_folder

if TYPE_CHECKING:
    import pandas as pd

MOST_TEXT = 1 << 29  # bytes of tables and texts, unpacked for a moment
TEXTS = (*TABLES, ".json", ".jsonl", ".ndjson", ".txt", ".xml", ".yaml", ".yml", ".names", ".data")
ELSE = "unpack it yourself where you trust it, and import the folder"
ODD = re.compile(r"//|(?:^|/)\.(?:/|$)")  # what is no part of a path
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
            break  # a class folder is no wrapping folder
        prefix = f"{prefix}{top}/"
    return prefix


@contextmanager
def name_files(archive: Archive) -> Iterator[tuple[Path, str]]:
    """Make a folder of the names in an archive.

    Yields what to read there, and the folders that wrap it.
    """
    names, prefix = list_names(archive)
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as scratch:
        root = Path(scratch) / archive.path.stem
        make_files(archive, root, prefix, names)
        yield root / (find_table([n.removeprefix(prefix) for n in names]) or ""), prefix


def list_names(archive: Archive) -> tuple[list[str], str]:
    """List the names of an archive's files, and what wraps them all.

    UserError where the archive is not read.
    """
    names = [name for name in archive.sizes if not is_junk(name)]
    refuse_both(names, archive.path.name)
    if (size := sum(archive.sizes[n] for n in names if n.lower().endswith(TEXTS))) > MOST_TEXT:
        raise UserError(
            f"expected at most {MOST_TEXT >> 20} MB of tables and texts in {archive.path.name},"
            f" found {size >> 20:,} MB",
            "unpack it, and import the folder",
        )
    holders = tuple(suffix for container in list_containers() for suffix in container.suffixes)
    for name in names:
        if name.lower().endswith(holders):
            raise UserError(
                f"expected images as files in {archive.path.name}, found {name}, which may hold more",
                "unpack it, and import the folder",
            )
    return names, wrapping(names)


def make_files(archive: Archive, root: Path, prefix: str, names: Iterable[str]) -> None:
    """Make empty files of these names; write tables and texts whole."""
    made: set[str] = set()
    for name in names:
        place = f"{root}/{name.removeprefix(prefix)}"
        folder = os.path.dirname(place)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if name.lower().endswith(TEXTS):
            Path(place).write_bytes(archive.read(name))


def refuse_both(names: list[str], file: str) -> None:
    """Refuse an archive in which names of files collide.

    That is a name that is a file and a folder, or two names of one file, such as a/b and a//b.
    """
    names = [str(PurePosixPath(name)) if ODD.search(name) else name for name in names]
    files, folders = set(names), {name.rpartition("/")[0] for name in names}
    if len(files) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise UserError(f"expected each name once in {file}, found {twice!r} twice", ELSE)
    while folders:
        if both := sorted(folders & files):
            raise UserError(
                f"expected files alone in {file}, found {both[0]!r} as a file and as a folder", ELSE
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
    listing, root, prefix = list_folders(archive, options) or list_any(archive, options)
    samples = [sample for batch in listing.batches for sample in batch]
    start = f"{archive.path}::{prefix}"
    for sample in samples:
        sample["uri"] = start + sample["uri"].removeprefix(f"{root}/")
    return replace(
        listing,
        format=archive.format,
        name=archive.path.stem,
        kind=f"{listing.kind} in a {archive.word}" if archive.word != "zip" else listing.kind,
        batches=[samples],
    )


def list_any(archive: Archive, options: ImportOptions) -> tuple[Listing, Path, str]:
    """List the samples of a folder of all names.

    Returns (listing, that folder, what wraps it in the archive).
    """
    with name_files(archive) as (place, prefix):
        root = place if place.is_dir() else place.parent
        with plain_paths(root, archive):
            return (
                find_format(place, None, options.multilabel).read(
                    place, replace(options, format=None)
                ),
                root,
                prefix,
            )


def list_folders(archive: Archive, options: ImportOptions) -> tuple[Listing, Path, str] | None:
    """List the samples of class folders by their names alone: see list_any.

    A file for each of a million images takes minutes; folders without texts and masks need none. None: what it is
    takes all names, or is another format's.
    """
    if any(name.lower().endswith(TEXTS) and not is_junk(name) for name in archive.sizes):
        return None
    names, prefix = list_names(archive)
    folders = {name.rpartition("/")[0]: name for name in names}  # with one file of each
    masks = any(part.lower() in MASKS for folder in folders for part in folder.split("/"))
    if masks or any(map(ODD.search, names)) or max(f.count("/") for f in folders) >= DEEPEST:
        return None
    others = [name for name in names if not name.lower().endswith(SUFFIXES)]
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as scratch:
        root = Path(scratch) / archive.path.stem
        make_files(archive, root, prefix, {*folders.values(), *others})
        with plain_paths(root, archive):
            if find_format(root) is not class_folders.FORMAT:
                return None
            # as list_files sorts them: level by level
            files = sorted((n.removeprefix(prefix) for n in names), key=by_level)
            listing = class_folders.FORMAT.read_files(root, files, options)
    return listing, root, prefix


def by_level(name: str) -> str:
    return name.replace("/", "\0")


def patch_archive(archive: Archive, changes: pd.DataFrame, options: ImportOptions) -> Patch:
    """Plan how an archive takes over changes: as its folder would."""
    with name_files(archive) as (place, prefix), tempfile.TemporaryDirectory() as scratch:
        found = find_format(place, None, options.multilabel)
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

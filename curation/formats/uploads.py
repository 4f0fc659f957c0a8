"""Uploads: what is handed in lies beside its bench."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from assay.curation.errors import UserError, require_file, shorten
from assay.curation.formats.archive_names import find_unpacker
from assay.curation.formats.base import ArchiveFormat, ReadableFormat, list_formats
from assay.curation.formats.new_folder import fill_new_folder
from assay.curation.formats.remote_source import fetch_archive
from assay.curation.storage.interface import Bench
from assay.curation.system import permissions

PIECE = 1 << 20  # bytes that are read at once
LONGEST = 120  # characters of a file's name that are kept


@contextmanager
def open_source(
    bench: Bench, source: object, skip_bad: bool = False, format: str | None = None
) -> Iterator[object]:
    """Yield a source to import; unpack an archive first where needed.

    An archive that is read in place stays packed. An upload whose import fails is removed.
    """
    path = source
    if isinstance(source, str | os.PathLike):
        there = fetch_archive(source)
        if find_unpacker(there, format):
            require_file(there, "an archive to import", "check the path")
            with open(there, "rb") as file:
                path = receive_upload(bench, file, there.name, skip_bad)
    try:
        yield path
    except BaseException:
        discard_upload(bench, path)
        raise


def receive_upload(bench: Bench, file: BinaryIO, name: str, skip_bad: bool = False) -> Path:
    """Keep an open file that somebody calls `name` in BENCH/uploads.

    An archive is unpacked, a table stays as it is.
    Returns the path to import, which is of the same name for the same bytes. Nothing stays of what
    is refused.
    """
    safe = re.sub(r"[^\w.-]+", "-", os.path.basename(name)).lstrip(".-")[-LONGEST:] or "upload"
    archives = {suffix: f for f in list_formats(ArchiveFormat) for suffix in f.suffixes}
    endings = (*archives, *list_suffixes())
    suffix = next((s for s in endings if safe.lower().endswith(s)), "")
    stem = safe[: -len(suffix)]
    if not suffix:
        expected = f"a file that ends in {' '.join(list_suffixes())}"
        raise UserError(
            f"expected {expected}, found {shorten(name, 100)}", "zip the folder of images"
        )
    place = uploads_folder(bench) / hash_upload(file, f"{safe} {skip_bad}")
    try:
        if archive := archives.get(suffix):
            return archive.unpack(file, name, place / stem, skip_bad)
        if not place.exists():
            with fill_new_folder(place, "free some space") as partial:
                with open(partial / safe, "xb", opener=permissions.opener) as out:
                    shutil.copyfileobj(file, out, PIECE)
        return place / safe
    except BaseException:
        with suppress(OSError):  # others lie there
            place.parent.rmdir()
        raise


def list_suffixes() -> list[str]:
    """List the endings of files that can be handed in."""
    formats = [*list_formats(ArchiveFormat), *list_formats(ReadableFormat)]
    return list(dict.fromkeys(suffix for f in formats for suffix in f.suffixes))


def uploads_folder(bench: Bench) -> Path:
    return bench.path / "uploads"


def discard_upload(bench: Bench, path: object) -> None:
    """Delete what was handed in, unless a sample lies in it.

    What lies elsewhere is not ours.
    """
    root = uploads_folder(bench)
    if not isinstance(path, str | os.PathLike) or root not in Path(path).parents:
        return
    place = root / Path(path).relative_to(root).parts[0]
    if not bench.rows("select 1 from samples where starts_with(uri, ?) limit 1", [f"{place}/"]):
        shutil.rmtree(place, ignore_errors=True)
        if not any(root.iterdir()):
            root.rmdir()


def hash_upload(file: BinaryIO, name: str) -> str:
    """Hash the bytes and name of a file into its folder's name."""
    digest = blake2b(name.encode(errors="replace"), digest_size=8)
    file.seek(0)
    while piece := file.read(PIECE):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()

"""Find the images of a source: by path, or by their bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from assay.curation.errors import UserError, shorten
from assay.curation.media.addresses import base_of, is_address, locate_beside, scheme_of
from assay.curation.media.containers.base import find_container, split_uri
from assay.curation.media.files import BadMedia, content_hash
from assay.curation.media.image_index import MOST_FILES, ImageIndex
from assay.curation.media.originals import iter_bytes
from assay.curation.storage.interface import Progress
from assay.curation.text import format_count

DEEPEST = 100  # folders inside one another: a path of more is none that people made


class Place(NamedTuple):
    """Where an image of a source lies, and what is wrong with that."""

    key: str | None
    uri: str
    wrong: str  # "" where nothing is
    how: str = ""  # in which way its path is another than what the source says


def list_files(folder: str, prefix: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """List the relative paths of all files, sorted.

    Links are followed (exported class folders are links), but not in a circle, nor to a folder above. Pipes,
    sockets and devices are none: nobody can read them to their end. UserError where folders lie too deep."""
    if len(above) > DEEPEST:
        raise UserError(
            f"expected folders at most {DEEPEST} deep, found more in {shorten(folder, 200)}",
            "import the folder that holds the images",
        )
    here = os.path.realpath(folder)
    up = here in above or any(f"{known}/".startswith(f"{here}/") for known in above)
    for entry in sorted(os.scandir(folder), key=lambda e: e.name) if not up else ():
        if entry.is_dir() and not entry.name.startswith((".", "__MACOSX")):
            yield from list_files(entry.path, f"{prefix}{entry.name}/", (*above, here))
        elif not entry.is_dir() and not entry.name.startswith(".") and not is_special(entry):
            yield prefix + entry.name


def is_special(entry: os.DirEntry) -> bool:
    """Whether a name leads to a pipe, a socket or a device.

    A link that leads nowhere does not.
    """
    return not entry.is_file() and os.path.exists(entry.path)


def locate_paths(
    root: os.PathLike, paths: Iterable[str | None], exported: bool, images: object = None
) -> Iterator[Place]:
    """Locate a manifest's paths in the folder `root`, or in `images`.

    What is not where it is said to be is looked for below that folder, and taken where exactly one
    image fits. An address, such as s3://b/1.png, stays as it is; beside a table at an address, a
    path is one, too. Only Assay's own exports may leave the folder."""
    base = base_of(root)
    root = os.path.abspath(os.path.expanduser(os.fspath(images))) if images else os.fspath(root)
    tops = f"{root}/".replace("//", "/"), f"{os.path.realpath(root)}/".replace("//", "/")
    paths = [path and read_file_address(path) for path in paths]
    index = ImageIndex(list_files(root), paths, MOST_FILES)
    for path in paths:
        if path and is_address(path) and scheme_of(path) != "file":
            yield Place(path, path, "")
            continue
        if path and base and not exported:
            yield Place(path, *locate_beside(base, path))
            continue
        uri = os.path.normpath(os.path.join(root, path or ""))
        inside = next((top for top in tops if uri.startswith(top)), "")
        inside_file = split_uri(uri) if exported else None
        away = not inside and not exported
        gone = not os.path.isfile(inside_file.path if inside_file else uri)
        if path and (gone or away) and not exported and os.path.isdir(root):
            files, how = index.find(path)
            if len(files) == 1:
                yield Place(files[0], os.path.join(root, files[0]), "", how)
                continue
            if files:
                two = f"names {shorten(path, 300)}, which could be {files[0]} or {files[1]}"
                yield Place(path, uri, two)
                continue
        folder = "folder of images" if images else "manifest's folder"
        wrong = f"leaves the {folder}" if away else "is not there" if gone else ""
        if wrong and index.cut:
            wrong += f", nor among the first {format_count(MOST_FILES, 'file')} below"
        wrong = wrong and f"names {shorten(path or '', 300)}, which {wrong}"
        key = path and uri.removeprefix(inside)
        yield Place(key, uri, "has no path" if path is None else wrong)


def read_file_address(path: str) -> str:
    """Read file:///a%20b.png as a path; others stay."""
    if not path.lower().startswith("file:"):
        return path
    return url2pathname(urlsplit(path).path)


def locate_bytes(places: Iterable[Place], hashes: list[str], folder: str) -> Iterator[Place]:
    """Locate images of `places` under `folder` by bytes.

    Whatever they are called there. What is not there keeps its place."""
    at = index_by_hash(folder)
    for (key, uri, wrong, _), content in zip(places, hashes, strict=True):
        if content in at:
            yield Place(key, at[content], "")
        else:
            yield Place(key, uri, wrong and f"{wrong}, and its bytes are not under {folder}")


def index_by_hash(folder: str, progress: Progress | None = None) -> dict[str, str]:
    """Map content hash to uri for files under `folder`.

    Or in one file. `progress(done, total)` is called now and then."""
    whole = os.path.isdir(folder)
    files = list_files(folder) if whole else [os.path.basename(folder)]
    folder = folder if whole else os.path.dirname(folder)
    uris = [
        uri
        for file in files
        if file == file.encode(errors="replace").decode()
        for uri in list_uris(folder, file)
    ]
    at = {}
    for done, (i, blob) in enumerate(iter_bytes(uris), 1):
        if not isinstance(blob, BadMedia):
            at[content_hash(blob)] = uris[i]
        if progress and (done % 100 == 0 or done == len(uris)):
            progress(done, len(uris))
    return at


def list_uris(folder: str, file: str) -> list[str]:
    """List the uris that a file holds.

    Of every image in a container, such as a Parquet file, else its own."""
    path = os.path.join(os.path.abspath(folder), file)
    if container := find_container(path):
        return [f"{path}::{member}" for member in container.list_members(path)]
    return [path]

"""Copy or link images to their place in exports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.curation.errors import UserError
from assay.curation.media.files import content_hash
from assay.curation.media.images import SUFFIXES
from assay.curation.media.originals import iter_bytes

if TYPE_CHECKING:
    import pandas as pd

MAGIC = {
    b"\x89PNG": ".png",
    b"\xff\xd8": ".jpg",
    b"RIFF": ".webp",
    b"BM": ".bmp",
    b"II*": ".tif",
    b"MM\0*": ".tif",
    b"GIF8": ".gif",
}
MAGIC |= {f"P{n}".encode(): ".ppm" for n in range(1, 7)}


def copy_images(folder: Path, samples: pd.DataFrame) -> list[str]:
    """Copy images to a new folder, equal bytes once.

    Returns their paths as seen from beside it.
    """
    folder.mkdir()
    names = {}
    for row, blob in read_originals(samples.drop_duplicates("content_hash")):
        names[row.content_hash] = row.content_hash + choose_suffix(row.uri, blob)
        (folder / names[row.content_hash]).write_bytes(blob)
    return [f"{folder.name}/{names[h]}" for h in samples.content_hash]


def read_originals(samples: pd.DataFrame) -> Iterator[tuple[Any, bytes]]:
    """Yield every image's (row, bytes), reading each file once.

    UserError where the bytes are not those that were imported.
    """
    rows = list(samples.itertuples())
    for i, blob in iter_bytes([row.uri for row in rows]):
        if isinstance(blob, bytes) and content_hash(blob) == rows[i].content_hash:
            yield rows[i], blob
            continue
        wrong = "has changed since" if isinstance(blob, bytes) else blob
        raise UserError(
            f"expected the images that were imported, found {rows[i].uri}: it {wrong}",
            "bring it back, or import its source again",
        )


def choose_suffix(uri: str, blob: bytes) -> str:
    """Choose an image file's suffix: its own, else what its bytes say."""
    suffix = Path(uri).suffix.lower()
    if suffix in SUFFIXES:
        return suffix
    if blob[4:8] == b"ftyp":
        return ".avif" if blob[8:12] in (b"avif", b"avis") else ".heic"
    return suffix_of_bytes(blob)


def suffix_of_bytes(blob: bytes) -> str:
    return next((suffix for start, suffix in MAGIC.items() if blob.startswith(start)), ".img")


def place_images(samples: pd.DataFrame, place: Callable[[Any, str], Path], copy: bool) -> None:
    """Link or copy each image to place(row, suffix).

    What lies in a Parquet file is always copied.
    """
    link = [not copy and os.path.isfile(uri) for uri in samples.uri]
    for row in samples[link].itertuples():
        target = place(row, choose_suffix(row.uri, read_start(row.uri)))
        make_parent(target).symlink_to(row.uri)
    for row, blob in read_originals(samples[[not linked for linked in link]]):
        make_parent(place(row, choose_suffix(row.uri, blob))).write_bytes(blob)


def make_parent(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def read_start(path: str) -> bytes:
    """Read enough of a file to know its type."""
    with open(path, "rb") as file:
        return file.read(12)

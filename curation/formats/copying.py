"""Copying or linking images into an export."""

import os
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.media.files import BadImage, content_hash, iter_bytes
from assay.curation.media.images import SUFFIXES

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


def carry(folder, frame):
    """Copy the images of a frame to `folder`, equal bytes once; returns their paths as seen from beside it."""
    folder.mkdir()
    names, first = {}, frame.drop_duplicates("content_hash")
    for row, blob in blobs(first):
        names[row.content_hash] = row.content_hash + ending(row.uri, blob)
        (folder / names[row.content_hash]).write_bytes(blob)
    return [f"{folder.name}/{names[h]}" for h in frame.content_hash]


def blobs(frame):
    """(row, bytes) of every image, one pass over each file; UserError where they are not what was imported."""
    rows = list(frame.itertuples())
    for i, blob in iter_bytes([row.uri for row in rows]):
        wrong = (
            blob
            if isinstance(blob, BadImage)
            else "has changed"
            if content_hash(blob) != rows[i].content_hash
            else None
        )
        if wrong:
            raise UserError(
                f"expected the images that were imported, found {rows[i].uri}: it {wrong}",
                "bring it back, or import its source again",
            )
        yield rows[i], blob


def ending(uri, blob):
    """How an image file's name ends: as it did where that says image, else as its bytes say."""
    suffix = Path(uri).suffix.lower()
    if blob[4:8] == b"ftyp" and suffix not in SUFFIXES:
        return ".avif" if blob[8:12] in (b"avif", b"avis") else ".heic"
    return (
        suffix
        if suffix in SUFFIXES
        else next((e for start, e in MAGIC.items() if blob.startswith(start)), ".img")
    )


def put(frame, place, copy):
    """Link or copy each image to place(row, how its name ends); what lies in a Parquet file is always copied."""
    link = [not copy and os.path.isfile(uri) for uri in frame.uri]
    for row in frame[link].itertuples():
        make_room(place(row, ending(row.uri, head(row.uri)))).symlink_to(row.uri)
    for row, blob in blobs(frame[[not linked for linked in link]]):
        make_room(place(row, ending(row.uri, blob))).write_bytes(blob)


def make_room(target):
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def head(path):
    with open(path, "rb") as f:
        return f.read(8)

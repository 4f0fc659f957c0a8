"""Pictures of every kind, as bytes of files."""

import io
import struct
import zlib

import numpy as np
import pandas as pd
from PIL import Image

from assay.curation.media import images, import_notes, stored_traits
from assay.curation.media.pixels import Pixels
from assay.curation.media.source_decoding import decode_source
from assay.curation.storage.shards import Shards

rng = np.random.default_rng(0)
COLOUR = rng.integers(0, 256, (6, 9, 3)).astype("u1")  # 9 wide, 6 high, no symmetry
GREY = COLOUR[..., 0]


def saved(array, kind="PNG", mode=None, **options):
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, kind, **options)
    return out.getvalue()


def photo(width=40, height=30, seed=0):
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3)).astype("u1")
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def original_size(blob):
    found = images.MEDIA_TYPE.decode(blob, 64, stored=True)
    assert found.array is None
    return found.size


def import_of(folder, blobs, **options):
    """The pictures of a new source, in order, and what its import says of them."""
    source, shards = write(folder / "in", blobs), Shards(folder / "arrays" / "pixels")
    hashes, _, bad, _ = decode_source(source, shards, 128, **options)
    assert bad == []
    looks = stored_traits.find_traits(
        stored_traits.load_traits(folder / "arrays"), dict.fromkeys(hashes)
    )
    return Pixels(Shards(shards.folder), hashes, 64), " ".join(
        import_notes.describe_traits([looks[h] for h in hashes if h in looks])
    )


def png(width, height, *chunks, bits=8, kind=2):
    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*c) for c in chunks) + chunk(b"IEND", b"")


def write(folder, blobs):
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, blob in blobs.items():
        (folder / name).write_bytes(blob)
        rows.append({"key": name, "uri": str(folder / name)})
    return pd.DataFrame(rows)

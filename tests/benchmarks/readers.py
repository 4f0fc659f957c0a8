"""Reading 60,000 images from folders, Parquet, WebDataset and zip: readers alone, and against decoding.

The limit: reading and decoding takes at most 1.3 times as long as decoding alone."""

import io
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from PIL import Image

from assay.curation.formats.read import read_source
from assay.curation.media.images import decode_pixels
from assay.curation.media.originals import iter_bytes

N = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
SIDE = 64


def make_jpegs():
    """Photographs' size of file and cost to decode, 64 x 64: smooth noise as JPEG."""
    rng = np.random.default_rng(0)
    for _ in range(N):
        small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype="u1"))
        out = io.BytesIO()
        small.resize((SIDE, SIDE)).save(out, "JPEG", quality=90)
        yield out.getvalue()


def write_all(folder):
    """Write the sources; returns {name: path}."""
    blobs = list(make_jpegs())
    labels = [f"c{i % 10}" for i in range(N)]
    for i, blob in enumerate(blobs):
        place = folder / "folders" / labels[i] / f"{i:06}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(blob)
    table = pa.table(dict(image=pa.array(blobs, pa.binary()), label=labels))
    pq.write_table(table, folder / "images.parquet", row_group_size=1_000)
    (folder / "shards").mkdir()
    pattern = f"{folder}/shards/x-%06d.tar"
    with webdataset.ShardWriter(pattern, maxcount=10_000, verbose=0) as shards:
        for i, blob in enumerate(blobs):
            shards.write({"__key__": f"{i:06}", "jpg": blob, "cls": i % 10})
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_DEFLATED) as z:
        for i, blob in enumerate(blobs):
            z.writestr(f"{labels[i]}/{i:06}.jpg", blob)
    return {n: folder / n for n in ("folders", "images.parquet", "shards", "images.zip")}, blobs


def cpu_seconds(work):
    """CPU seconds of this process: other work on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure_reader(name, path, blobs, decode):
    found, seen = [], []
    listing = cpu_seconds(lambda: found.append(read_source(path)))
    uris = list(found[0].frame.uri)
    read = cpu_seconds(lambda: seen.extend(len(blob) for _, blob in iter_bytes(uris)))
    assert len(uris) == N and sum(seen) == sum(map(len, blobs)), name
    ratio, whole = (decode + read) / decode, (decode + read + listing) / decode
    print(
        f"{name}: listing {listing:.1f} s, iter_bytes {read:.1f} s; (reader + decode) / decode"
        f" {ratio:.2f} (limit 1.3), with the listing {whole:.2f}"
    )


with tempfile.TemporaryDirectory() as scratch:
    sources, blobs = write_all(Path(scratch))
    decode = cpu_seconds(lambda: [decode_pixels(blob) for blob in blobs])
    print(f"decoding {N:,} JPEGs of {SIDE} x {SIDE}, one thread: {decode:.1f} s CPU")
    for name, path in sources.items():
        measure_reader(name, path, blobs, decode)

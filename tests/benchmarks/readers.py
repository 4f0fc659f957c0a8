"""Reading 60,000 images from folders, Parquet, WebDataset, zip and Hugging Face, against decoding them.

The limit: listing, reading and decoding take at most 1.3 times as long as decoding alone, in CPU of one thread. What
reads formats is loaded first, once a process, and told apart. Decoding is timed before and after each reader, since a
machine that others use is not as fast at all times.

    python -m tests.benchmarks.readers [60000]
"""

import io
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from PIL import Image

from assay.curation.formats.base import list_formats
from assay.curation.formats.read import read_source
from assay.curation.media.images import decode_pixels
from assay.curation.media.originals import iter_bytes

N = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
SIDE, TINY = 64, 28
LIMIT = 1.3


def make_images(side, kind, **options):
    """Images with photographs' size of file and cost to decode: smooth noise."""
    rng = np.random.default_rng(0)
    for _ in range(N):
        small = Image.fromarray(rng.integers(0, 256, (side // 5, side // 5, 3), dtype="u1"))
        out = io.BytesIO()
        small.resize((side, side)).save(out, kind, **options)
        yield out.getvalue()


def write_all(folder):
    """Write the sources; yields (name, path, its images)."""
    blobs = list(make_images(SIDE, "JPEG", quality=90))
    labels = [f"c{i % 10}" for i in range(N)]
    for i, blob in enumerate(blobs):
        place = folder / "folders" / labels[i] / f"{i:06}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(blob)
    yield "folders", folder / "folders", blobs
    table = pa.table(dict(image=pa.array(blobs, pa.binary()), label=labels))
    pq.write_table(table, folder / "images.parquet", row_group_size=1_000)
    yield "Parquet", folder / "images.parquet", blobs
    (folder / "shards").mkdir()
    pattern = f"{folder}/shards/x-%06d.tar"
    with webdataset.ShardWriter(pattern, maxcount=10_000, verbose=0) as shards:
        for i, blob in enumerate(blobs):
            shards.write({"__key__": f"{i:06}", "jpg": blob, "cls": i % 10})
    yield "WebDataset", folder / "shards", blobs
    for method, name in ((zipfile.ZIP_STORED, "zip, stored"), (zipfile.ZIP_DEFLATED, "zip")):
        with zipfile.ZipFile(folder / f"{name}.zip", "w", method) as z:
            for i, blob in enumerate(blobs):
                z.writestr(f"{labels[i]}/{i:06}.jpg", blob)
        yield name, folder / f"{name}.zip", blobs
    tiny = list(make_images(TINY, "PNG"))
    features = datasets.Features(
        image=datasets.Image(), label=datasets.ClassLabel(names=sorted(set(labels)))
    )
    rows = {"image": [{"bytes": b, "path": None} for b in tiny], "label": labels}
    datasets.disable_progress_bars()
    (folder / "hf" / "data").mkdir(parents=True)
    datasets.Dataset.from_dict(rows, features).to_parquet(folder / "hf/data/train-00000.parquet")
    yield f"Hugging Face, {TINY} x {TINY} PNG", folder / "hf", tiny


def cpu_seconds(work):
    """CPU seconds of this process: other work on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure_reader(name, path, blobs):
    found, seen = [], []
    decode = cpu_seconds(lambda: [decode_pixels(blob) for blob in blobs[::2]])
    listing = cpu_seconds(lambda: found.append(read_source(path)))
    uris = list(found[0].frame.uri)
    read = cpu_seconds(lambda: seen.extend(len(blob) for _, blob in iter_bytes(uris)))
    decode += cpu_seconds(lambda: [decode_pixels(blob) for blob in blobs[1::2]])
    assert len(uris) == N and sum(seen) == sum(map(len, blobs)), name
    ratio, whole = (decode + read) / decode, (decode + read + listing) / decode
    print(
        f"{name}: decode {decode:.1f} s, listing {listing:.2f} s, iter_bytes {read:.2f} s;"
        f" (reader + decode) / decode {ratio:.2f}, with the listing {whole:.2f} (limit {LIMIT})",
        flush=True,
    )


with tempfile.TemporaryDirectory() as scratch:
    print(f"loading the formats, once a process: {cpu_seconds(list_formats):.2f} s CPU")
    for source in write_all(Path(scratch)):
        measure_reader(*source)

"""Measure how each image looks, by CleanVision."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.shards import Rows, Shards, fetch_arrays
from assay.curation.storage.stored_shards import fill_shards, missing_parts, store_part
from assay.curation.system import processes

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "cleanvision-1"  # counted up when another version of these would say something else of the same pixels
COLUMNS = (  # in arrays/quality
    "brightness brightness_perc_5 brightness_perc_99 entropy blurriness blurriness_grayscale_std color"
).split()
SHARD = 8192  # images that a killed scan can lose
FEW = 1024  # so many are done before another process has started


def load_properties(bench: Bench, state: pd.DataFrame) -> np.ndarray | None:
    """Read what was measured of a state's images: (n, 7) by COLUMNS.

    None before a scan that measured.
    """
    shards = Shards(bench.arrays / "quality" / FOLDER)
    at = shards.find(state.content_hash)
    if not len(at) or (at < 0).any():
        return None
    return shards.rows(state.content_hash)[np.arange(len(at))]


def measure_images(
    bench: Bench, hashes: Sequence[str], progress: Progress | None = None
) -> tuple[Rows, int]:
    """Measure the images `hashes`, where they are new.

    Returns (lazy rows (n, 7) by COLUMNS, how many were new). Only what was never measured is, once for every content
    hash, on all cores, in shards, so that a killed run resumes.
    """
    shards, pixels = Shards(bench.arrays / "quality" / FOLDER), Shards(bench.arrays / "pixels")
    unique = np.unique(np.asarray(hashes, "S32"))
    todo = unique[shards.find(unique) < 0]
    if len(todo) and bench.stages:
        fill_shards(bench, "image quality", shards.folder, pixels, hashes, measure_shard, {})
        shards = Shards(shards.folder)
    elif len(todo):
        at, cores = pixels.find_all(todo), os.cpu_count() or 1
        fetch_arrays(pixels.arrays, np.unique(pixels.shard[at]))  # the other processes only read
        todo = todo[np.lexsort((pixels.index["row"][at], pixels.shard[at]))]  # as they lie on disk
        size = min(SHARD, -(-len(todo) // cores))
        chunks = [todo[i : i + size] for i in range(0, len(todo), size)]
        apart = len(todo) > FEW
        measure = (
            partial(measure_in_process, pixels.folder) if apart else partial(measure_pixels, pixels)
        )
        done = np.cumsum([len(chunk) for chunk in chunks])
        with ThreadPoolExecutor(cores) as pool:
            for chunk, found, n in zip(chunks, pool.map(measure, chunks), done):
                shards.append(chunk, found)
                if progress:
                    progress(int(n), len(todo))
        shards = Shards(shards.folder)
    return shards.rows(hashes), len(todo)


def measure_shard(arrays: Path, tell: Callable, shard: int, digest: str) -> None:
    """Measure the images of a shard on a worker: see stored_shards.fill_shards."""
    for hashes, pixels in missing_parts(arrays, digest, "pixels"):
        tell(step=len(hashes))
        store_part(arrays / "quality" / FOLDER, hashes, measure_pixels(pixels, hashes))


def measure_in_process(folder: Path, hashes: np.ndarray) -> np.ndarray:
    """Run measure_pixels in a process of its own.

    A fork would copy the locks of our threads, multiprocessing would run the caller's script again.
    """
    found = processes.run_module(
        "assay.curation.issues.image_properties",
        folder,
        given=hashes.tobytes(),
        OMP_NUM_THREADS="1",
    )
    return np.frombuffer(found, "f4").reshape(len(hashes), len(COLUMNS))


def measure_pixels(shards: Shards, hashes: np.ndarray) -> np.ndarray:
    """Measure decoded images in `shards`: (n, 7) float32 by COLUMNS."""
    from cleanvision.issue_managers.image_property import (
        BlurrinessProperty,
        BrightnessProperty,
        EntropyProperty,
    )
    from PIL import Image

    asked, out = (BrightnessProperty("dark"), BlurrinessProperty(), EntropyProperty()), []
    for at in shards.find(hashes):
        row, height, width = (int(shards.index[name][at]) for name in ("row", "height", "width"))
        flat = shards.arrays[shards.shard[at]][row : row + height * width * 3]
        array = np.array(flat).reshape(height, width, 3)
        # decoded, every image has three channels: a grey one has the same thrice
        color = (array != array[..., :1]).any()
        image = Image.fromarray(array if color else array[..., 0])
        found = dict(color=float(color))
        for one in asked:
            found |= one.calculate(image)
        out.append([found[column] for column in COLUMNS])
    return np.array(out, "f4")


if __name__ == "__main__":
    with processes.open_answers("wb") as out:
        hashes = np.frombuffer(sys.stdin.buffer.read(), "S32")
        out.write(measure_pixels(Shards(sys.argv[1]), hashes).tobytes())

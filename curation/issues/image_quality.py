"""How each image looks, whatever it shows: CleanVision's properties of its pixels, once for every content hash."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from assay.curation.storage.arrays import Shards
from assay.curation.system import processes

WORDS = dict(
    dark="its brightest pixels (99th percentile) reach {0:.0%} of full brightness",
    light="its darkest pixels (5th percentile) have {1:.0%} of full brightness",
    blurry="edges are faint: blurriness score {0:.2f}",
    low_information="few different pixels: entropy score {0:.2f}",
    grayscale="all three channels are the same",
    odd_aspect_ratio="its shorter side is {0:.0%} of the longer",
    odd_size="its size is far from that of most",
)


def looked(bench, state):
    """What quality.measure said of the images of `state`, (n, 7), or None before a scan that did."""
    shards = Shards(bench.arrays / "quality" / FOLDER)
    at = shards.find(state.content_hash)
    return (
        None
        if not len(at) or (at < 0).any()
        else shards.rows(state.content_hash)[np.arange(len(at))]
    )


FOLDER = "cleanvision-1"  # counted up when another version of these would say something else of the same pixels
COLUMNS = "brightness brightness_perc_5 brightness_perc_99 entropy blurriness blurriness_grayscale_std color".split()  # in arrays/quality
THRESHOLDS = dict(
    dark=0.32,
    light=0.05,
    blurry=0.29,
    low_information=0.3,
    grayscale=0.5,
    odd_aspect_ratio=0.35,
    odd_size=0.5,
)  # CleanVision's
SHARD = 8192  # images that a killed scan can lose
FEW = 1024  # so many are done before another process has started


def measure(bench, hashes, progress=None):
    """What CleanVision says of the pixels of the images `hashes`, as lazy rows (n, 7) by COLUMNS: only what was never measured is, on all
    cores, in shards, so that a killed run resumes. Returns (rows, how many were new)."""
    shards, pixels = Shards(bench.arrays / "quality" / FOLDER), Shards(bench.arrays / "pixels")
    unique = np.unique(np.asarray(hashes, "S32"))
    todo = unique[shards.find(unique) < 0]
    if len(todo):
        at, cores = pixels.find(todo), os.cpu_count() or 1
        todo = todo[np.lexsort((pixels.index["row"][at], pixels.shard[at]))]  # as they lie on disk
        size = min(SHARD, -(-len(todo) // cores))
        chunks = [todo[i : i + size] for i in range(0, len(todo), size)]
        apart = (
            partial(elsewhere, pixels.folder) if len(todo) > FEW else partial(properties, pixels)
        )
        with ThreadPoolExecutor(cores) as pool:
            for chunk, found, done in zip(
                chunks, pool.map(apart, chunks), np.cumsum([len(c) for c in chunks])
            ):
                shards.append(chunk, found)
                if progress:
                    progress(int(done), len(todo))
        shards = Shards(shards.folder)
    return shards.rows(hashes), len(todo)


def elsewhere(folder, hashes):
    """`properties` in a process of its own: a fork would copy the locks of our threads, multiprocessing would run the caller's script again."""
    found = processes.work(
        "assay.curation.issues.image_quality", folder, given=hashes.tobytes(), OMP_NUM_THREADS="1"
    )
    return np.frombuffer(found, "f4").reshape(len(hashes), len(COLUMNS))


def properties(shards, hashes):
    """(n, 7) float32 by COLUMNS of the decoded images `hashes` in `shards`, by CleanVision."""
    from cleanvision.issue_managers.image_property import (
        BlurrinessProperty,
        BrightnessProperty,
        EntropyProperty,
    )
    from PIL import Image

    asked, out = (BrightnessProperty("dark"), BlurrinessProperty(), EntropyProperty()), []
    for at in shards.find(hashes):
        row, height, width = (int(shards.index[name][at]) for name in ("row", "height", "width"))
        array = np.array(shards.arrays[shards.shard[at]][row : row + height * width * 3]).reshape(
            height, width, 3
        )
        color = (
            array != array[..., :1]
        ).any()  # decoded, every image has three channels: a grey one has the same thrice
        image, said = Image.fromarray(array if color else array[..., 0]), dict(color=float(color))
        for one in asked:
            said |= one.calculate(image)
        out.append([said[column] for column in COLUMNS])
    return np.array(out, "f4")


def scores(rows, width, height):
    """{kind: score (n,), 0 to 1, low is bad} of every image from its properties, rows (n, 7), and the size of its original; CleanVision's own
    formulas, odd_size by the interquartile range of all that are asked about."""
    import pandas as pd
    from cleanvision.issue_managers.image_property_issue_manager import ImagePropertyIssueManager

    them = ImagePropertyIssueManager()
    raw = pd.DataFrame(np.asarray(rows), columns=COLUMNS).astype("f8")
    raw["color_space"] = np.where(raw.color > 0, "RGB", "L")
    raw["aspect_ratio"] = np.minimum(width / height, height / width)
    raw["size"] = np.sqrt(np.asarray(width, "f8") * height)
    out = {}
    for kind in THRESHOLDS:
        found = them.image_properties[kind]
        out[kind] = found.get_scores(raw[found.score_columns], kind, **them.params[kind])[
            f"{kind}_score"
        ].to_numpy("f8")
        if (
            kind == "odd_size" and found.threshold != 0.5
        ):  # all but a few of one size: CleanVision then flags every other one
            out[kind] = np.where(out[kind] < found.threshold, out[kind] / 2, 1.0)
    return out


if __name__ == "__main__":
    with processes.answer("wb") as out:
        out.write(
            properties(Shards(sys.argv[1]), np.frombuffer(sys.stdin.buffer.read(), "S32")).tobytes()
        )

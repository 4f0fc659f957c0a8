"""The rows of a bench as FiftyOne shows them.

Labels, scores, issues and image files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

from assay.curation.features import image_map, scan_settings
from assay.curation.label_quality import live
from assay.curation.media.decoding import FORMATS
from assay.curation.media.files import BadMedia
from assay.curation.media.originals import iter_bytes
from assay.curation.slicing import cluster_names
from assay.curation.splits import LOCKED
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.system import permissions

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SPLIT_TAGS = ("train", "val", "test", "pool", "guard")


def sample_rows(bench: Bench, chosen: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the kept samples as FiftyOne shows them.

    All, or the `chosen` of them.
    Indexed by sample: uri, content_hash, width, height, source, key, tags (its split first), label; and, where a scan
    judged it, prediction, confidence, score, flagged, reviewed, cluster, issues. Samples of test and guard have nothing
    but their label: no score, no name, no issue is ever shown beside it.
    """
    state = bench.state()
    frame = state[state.keep] if chosen is None else state[state.keep & state.index.isin(chosen)]
    out = frame[["uri", "content_hash", "width", "height", "source", "key", "label"]].copy()
    out["tags"] = [
        [split, *(t for t in tags if t not in SPLIT_TAGS)]
        for split, tags in zip(frame["split"], frame.tags)
    ]
    seen = ~frame["split"].isin(LOCKED)
    out["reviewed"] = frame.reviewed.astype(object).where(seen, None)
    for column in ("prediction", "confidence", "score", "flagged", "cluster", "issues"):
        out[column] = None
    if not scan_settings.is_scanned(bench):
        return out
    found = live.label_scores(bench).rename(columns=dict(suggestion="prediction"))
    for column in ("prediction", "confidence", "score", "flagged"):
        out[column] = (
            found[column]
            .reindex(out.index)
            .astype(object)
            .where(seen & out.index.isin(found.index), None)
        )
    named = {
        sample: name
        for name, ids in cluster_names.samples_by_cluster(bench, state, "coarse").items()
        for sample in ids
    }
    out["cluster"] = out.index.map(named).astype(object).where(seen, None)
    kinds = bench.issues().groupby("sample").kind.unique().map(list).to_dict()
    out["issues"] = [kinds.get(sample, []) if s else None for sample, s in zip(out.index, seen)]
    return out


def row_digest(row: tuple) -> str:
    """Digest a row.

    It tells whether a sample was pushed as it now is.
    """
    return sha256(json.dumps(row._asdict(), default=str).encode()).hexdigest()[:32]


def locate_files(bench: Bench, frame: pd.DataFrame) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Locate an image file for every row.

    The source's own file, or the original bytes of a row of Parquet, written once to arrays/fiftyone. Returns ({content
    hash: file}, [(key, why there is none)]).
    """
    folder = (bench.arrays / "fiftyone").absolute()
    permissions.make_folder(folder)
    written = {os.path.splitext(f.name)[0]: str(f) for f in folder.iterdir() if f.suffix != ".tmp"}
    out, lost, wanted = {}, [], []
    for row in frame.drop_duplicates("content_hash").itertuples():
        there = os.path.isfile(row.uri)
        out[row.content_hash] = row.uri if there else written.get(row.content_hash)
        wanted += [row] if out[row.content_hash] is None else []
    for i, blob in iter_bytes([row.uri for row in wanted]):
        if isinstance(blob, BadMedia):
            lost.append((wanted[i].key, str(blob)))
            continue
        ending = image_ending(blob)
        path = folder / f"{wanted[i].content_hash}.{ending}"
        permissions.touch_file(path.with_suffix(".tmp")).write_bytes(blob)
        os.replace(path.with_suffix(".tmp"), path)
        out[wanted[i].content_hash] = str(path)
    return out, lost


def image_ending(blob: bytes) -> str:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(blob), formats=FORMATS) as image:
        return {"JPEG": "jpg"}.get(image.format, image.format.lower())


def map_points(bench: Bench, frame: pd.DataFrame) -> np.ndarray | None:
    """Return each row's place (n, 2) on the map.

    None where no scan stands. No label enters.
    """
    if scan_settings.is_scanned(bench) and len(frame):
        image_map.sketch_map(bench)
        return image_map.read_positions(bench, frame)[0]
    return None


def load_vectors(bench: Bench, frame: pd.DataFrame) -> np.ndarray:
    """Load each row's embedding as the graph has it.

    Returns (n, d) unit vectors.
    No label enters.
    """
    from assay.curation.features.reduction import reduce_vectors

    folder = bench.arrays / "embeddings" / scan_settings.read_settings(bench)["folder"]
    return reduce_vectors(Shards(folder).rows(frame.content_hash))

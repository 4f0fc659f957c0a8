"""Fill a folder of shards from stored samples, on the workers of a scan by shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from assay.curation.storage.array_stores import find_store, keep_files
from assay.curation.storage.arrays import save_arrays
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards, index_file, keep_shards
from assay.curation.storage.stages import FOLDER, cut_evenly, digest_arrays, input_file, load_inputs

PART = 4096  # rows of a file


def fill_shards(
    bench: Bench,
    name: str,
    kept: Path,
    stored: Shards,
    hashes: Sequence[str] | np.ndarray,
    work: Callable,
    given: dict,
) -> int:
    """Have made of stored samples what the folder `kept` lacks of them; return of how many.

    work(arrays, tell, shard, digest, **given) makes it, of one shard: see missing_parts. A shard's samples are those
    that lie together in their files.
    """
    hashes, store = np.unique(np.asarray(hashes, "S32")), find_store(kept)
    if store:
        store.look(kept)
    have, at = Shards(kept).find(hashes) >= 0, stored.find(hashes)
    order = np.lexsort((stored.index["row"][at], stored.shard[at]))
    shards, needed = [], []
    for number, part in enumerate(cut_evenly(len(hashes), bench.stages.n)):
        rows = order[part]
        if have[rows].all():
            continue
        files = [stored.files[s] for s in np.unique(stored.shard[at[rows]])]
        names = np.array([file.stem for file in files])
        inputs = dict(hashes=hashes[rows], have=have[rows], files=names)
        digest = digest_arrays(inputs)
        save_arrays(file := input_file(bench.arrays / FOLDER, digest), **inputs)
        needed += [file, *files, *map(index_file, files)]
        shards.append(dict(shard=number, digest=digest, **given))
    if shards:
        keep_files(*needed)
        bench.stages.do(name, work, shards)
        if store:
            store.look(kept)
    return int((~have).sum())


def missing_parts(arrays: Path, digest: str, folder: str) -> Iterator[tuple[np.ndarray, Shards]]:
    """Yield what a shard lacks: (hashes (m,), where they are stored), a file's worth at a time.

    folder: of the stored samples, in `arrays`. The parts are the same whatever was made of them before.
    """
    given = load_inputs(arrays / FOLDER, digest)
    stored = Shards(arrays / folder, given["files"])
    for start in range(0, len(given["hashes"]), PART):
        part = slice(start, start + PART)
        hashes = given["hashes"][part][~given["have"][part]]
        if len(hashes):
            yield hashes, stored


def store_part(folder: Path, hashes: np.ndarray, made: np.ndarray) -> None:
    """Store what was made of a part, where everybody finds it."""
    index = Shards(folder, ()).append(hashes, made)
    if store := find_store(folder):
        keep_shards([index], store)

"""Delete what nothing needs of a bench's arrays in object storage."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from assay.curation.media.base import media_of
from assay.curation.media.bucket_arrays import BucketArrays, shard_places
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards
from assay.curation.storage.stages import FOLDER

# seconds after which no machine is at work on a stage, by the clock of the storage
STAGES = 24 * 3600


def fetch_indexes(bench: Bench, store: BucketArrays) -> None:
    """List the shards there, and fetch the indexes of samples that are missing here."""
    for place in shard_places(bench):
        store.look(place)
    Shards(bench.arrays / media_of(bench).folder)


def collect_there(
    bench: Bench,
    store: BucketArrays,
    unneeded: Iterable[Path],
    used: Collection[str] | None,
    dry_run: bool,
) -> dict[str, int]:
    """Delete there what is unneeded here, stages of the past, and embeddings that are not used: {why: bytes}.

    used: folders of embeddings; None: of all.
    """
    store.look(bench.arrays / FOLDER)
    sizes = {folder / name: size for folder, of in store.sizes.items() for name, size in of.items()}
    old = store.list_old(bench.arrays / FOLDER, STAGES)
    embeddings = bench.arrays / "embeddings"
    lost = [
        file
        for file in sizes
        if used is not None and file.is_relative_to(embeddings) and file.parent.name not in used
    ]
    shards = [file for file in unneeded if file.parent != bench.arrays / FOLDER]
    why = dict.fromkeys(shards, "not needed here either")
    why |= dict.fromkeys(lost, "embeddings of neither the last scan nor a run")
    why |= dict.fromkeys(old, "shards of scans of more than a day ago")
    why = {file: f"in {store.address}: {reason}" for file, reason in why.items() if file in sizes}
    if not dry_run:  # an index first: nobody looks for an array without one
        for indexes in (True, False):
            store.discard(file for file in why if file.name.endswith(".index.npy") == indexes)
    freed: dict[str, int] = {}
    for file, reason in why.items():
        freed[reason] = freed.get(reason, 0) + sizes[file]
    return freed

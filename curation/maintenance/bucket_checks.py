"""Check what a bench has in object storage, and put there what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assay.curation.errors import UserError
from assay.curation.maintenance.garbage import shard_folders
from assay.curation.media.bucket_arrays import shard_places
from assay.curation.storage.array_stores import find_store
from assay.curation.storage.interface import Bench
from assay.curation.storage.shards import Shards, array_file, keep_shards
from assay.curation.text import format_count


def find_bucket_faults(bench: Bench) -> Iterator[tuple[str, str, int, str | None, str | None]]:
    """Find what is wrong with the arrays in object storage: (kind, what, n, repair, hint).

    What is missing here of their indexes is fetched.
    """
    store = find_store(bench.arrays)
    if store is None:
        if bench.arrays_address:
            what = f"arrays lie in {bench.arrays_address}, and nobody said so on this machine: not checked"
            yield "elsewhere", what, 1, None, f"run: assay scan --arrays {bench.arrays_address}"
        return
    try:
        for place in shard_places(bench):
            store.look(place)
        for folder in {*shard_folders(bench), *list_there(bench)}:
            Shards(folder)
    except UserError as e:
        yield (
            "elsewhere",
            f"arrays in {store.address} are not checked: {e.problem}",
            1,
            None,
            e.hint,
        )
        return
    lost, alone = [], 0
    for folder in shard_folders(bench):
        sizes = store.list_sizes(folder) or {}
        for index in folder.glob("*.index.npy"):
            here = [file for file in (array_file(index), index) if file.exists()]
            lost += [file for file in here if sizes.get(file.name) != file.stat().st_size]
            alone += len(here) == 1
    if lost:
        what = f"{format_count(len(lost), 'file')} not in {store.address}, or of another size there"
        yield "bucket", f"{what}, first {lost[0].name}", len(lost), "put them there again", None
    if alone:
        what = (
            f"{format_count(alone, 'shard lies', 'shards lie')} in {store.address} alone: not read"
        )
        yield "elsewhere", what, alone, None, "each is checked when it is fetched"


def list_there(bench: Bench) -> list[Path]:
    """List the folders of shards in object storage."""
    store = find_store(bench.arrays)
    return [folder for folder, sizes in store.sizes.items() if sizes] if store else []


def keep_all_shards(bench: Bench) -> int:
    """Put the shards that lie here and not in object storage; returns how many files."""
    store = find_store(bench.arrays)
    if store is None:
        return 0
    indexes = (index for folder in shard_folders(bench) for index in folder.glob("*.index.npy"))
    return keep_shards(sorted(indexes), store)

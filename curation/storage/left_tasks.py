"""Tasks that a merge found left, for machines that share nothing but object storage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assay.curation.storage.array_stores import fetch_file, find_store
from assay.curation.storage.arrays import load_arrays, save_arrays
from assay.curation.storage.stages import FOLDER, is_readable, list_done, run_task


def write_left(folder: Path, n: int, tasks: list[dict]) -> None:
    """Write down which tasks of a scan of n shards are left, for `do_left`."""
    file, store = left_file(folder, n), find_store(folder)
    assert store
    digests, shards = ([task[name] for task in tasks] for name in ("digest", "shard"))
    save_arrays(file, digests=np.array(digests), shards=np.array(shards))
    store.replace(file)


def do_left(arrays: Path, n: int, shard: int) -> int:
    """Do the tasks of one shard that somebody's merge found left; returns how many there were."""
    folder = arrays / FOLDER
    store, file = find_store(folder), left_file(folder, n)
    if store is None:
        return 0
    file.unlink(missing_ok=True)
    fetch_file(file, is_readable)
    left, (_, there) = load_arrays(file), list_done(folder)
    if left is None:
        return 0
    mine = [str(d) for d, s in zip(left["digests"], left["shards"]) if s % n == shard]
    todo = [digest for digest in mine if f"{digest}.npz" not in there]
    for digest in todo:
        run_task(arrays, lambda **about: None, shard, digest)
    return len(todo)


def left_file(folder: Path, n: int) -> Path:
    """Name the file of the tasks that are left of a scan of n shards."""
    return folder / f"left-{n}.npz"

"""Have a scan's arrays where the bench wants them: on this disk alone, or in object storage too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay.curation.errors import Question
from assay.curation.maintenance.bucket_checks import keep_all_shards, list_there
from assay.curation.media.bucket_arrays import (
    BucketArrays,
    begin_store,
    connect_arrays,
    explain_full_disk,
    read_arrays_address,
    shard_places,
    store_address,
)
from assay.curation.storage.array_stores import connect_store, find_store
from assay.curation.storage.interface import Bench, Tell
from assay.curation.storage.schema import FILE
from assay.curation.storage.shards import Shards, fetch_shards
from assay.curation.system.user_cache import cache_folder
from assay.curation.text import format_count
from assay.pipelines.indexing.costs import measure_task

KEPT = 7 * 24 * 3600  # seconds that the cache of a worker has a file
LOCAL = "local"  # in place of an address: on this disk alone


def open_arrays(bench: Bench, asked: str | None, say: Tell) -> BucketArrays | None:
    """Have the arrays where they are asked for, or where they were; None where that is here alone.

    asked: an address, or LOCAL. What lies here and not there is put there.
    """
    if asked == LOCAL:
        if bench.arrays_address:
            take_home(bench, say)
        return None
    if asked:
        address, before = read_arrays_address(asked), bench.arrays_address
        if before not in (None, address):
            connect_arrays(bench)
            fetch_all_shards(bench)
            say(f"note: arrays stay in {before} as well: delete them there when nobody needs them")
        if before != address or connect_arrays(bench) is None:
            begin_store(bench, address)
    if not bench.arrays_address:
        return None
    store = connect_arrays(bench)
    if store is None:
        raise Question(
            f"expected to know whether arrays may go to {bench.arrays_address}, as this bench says,"
            " found no word on this machine",
            f"--arrays {bench.arrays_address} says so; --arrays {LOCAL} keeps them here alone",
        )
    for folder in shard_places(bench):
        store.look(folder)
    there = sum(map(len, store.sizes.values()))
    put = keep_all_shards(bench)
    say(f"arrays      in {store.address}: {format_count(there, 'file')} there, {put:,} more put")
    return store


def fetch_all_shards(bench: Bench) -> None:
    """Fetch the shards that lie in object storage and not here."""
    store = find_store(bench.arrays)
    if store is None:
        return
    for place in shard_places(bench):
        store.look(place)
    for folder in list_there(bench):
        fetch_shards(Shards(folder).files, store)


def take_home(bench: Bench, say: Tell) -> None:
    """Fetch all shards of a bench, and have them on this disk alone from now on."""
    store, address = connect_arrays(bench), bench.arrays_address
    fetch_all_shards(bench)
    fetched = format_count(store.fetched, "file") if store else "no file"
    left = "what lies there is not deleted: delete it there when nobody needs it"
    say(f"arrays      here alone from now on, {fetched} fetched from {address}; {left}")
    connect_store(bench.arrays, None)
    store_address(bench, None)


def describe_traffic(store: BucketArrays) -> str:
    """Say what a scan put into object storage, and fetched; workers do so themselves."""
    return f"arrays      {format_count(store.put, 'file')} put and {store.fetched:,} fetched by this process"


# ---- on a worker


def do_shard(
    arrays: Path, tell: Callable, shard: int, address: str, given: dict[str, Any]
) -> dict[str, Any]:
    """Do a shard whose arrays lie in object storage; this machine needs to see no bench.

    given: what measure_task is given of it.
    """
    if not (arrays.parent / FILE).exists():
        arrays = cache_folder("arrays", address.rpartition("/")[2])
    store = find_store(arrays)
    if store is None or store.address != address:
        connect_store(arrays, BucketArrays(arrays, address))
        if arrays.is_relative_to(cache_folder("arrays")):
            delete_old(arrays)
    with explain_full_disk(arrays):
        return measure_task(arrays, tell, shard=shard, **given)


def delete_old(arrays: Path) -> None:
    """Delete what a worker's cache has had for long: all of it can be fetched again."""
    for file in arrays.rglob("*"):
        with suppress(OSError):
            if file.is_file() and file.stat().st_mtime < time.time() - KEPT:
                file.unlink()


def describe_shards(shards: Iterable[dict], address: str) -> list[dict]:
    """Describe shards for do_shard."""
    return [
        dict(
            shard=shard["shard"],
            address=address,
            given={key: value for key, value in shard.items() if key != "shard"},
        )
        for shard in shards
    ]

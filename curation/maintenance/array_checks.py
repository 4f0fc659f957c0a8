"""Checks that arrays are what their names say, and none is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.curation.errors import DamagedFile, UserError
from assay.curation.features import neighbor_graph, scan_settings
from assay.curation.features.scan_settings import rescan_command
from assay.curation.maintenance.garbage import (
    read_hashes,
    shard_folders,
    unfinished_files,
)
from assay.curation.media.base import media_of
from assay.curation.storage.array_stores import ArrayStore, find_store
from assay.curation.storage.arrays import load_arrays
from assay.curation.storage.interface import Bench, Progress
from assay.curation.storage.shards import array_file, find_fault
from assay.curation.text import format_count
from assay.curation.versioning.state_parts import FOLDER, find_damage

if TYPE_CHECKING:
    import pandas as pd


FOUND_AGAIN = ("clusters.npz", "gaps.npz", "contents.npz", "costs.npz", "report.npz")


def check_arrays(bench: Bench, progress: Progress | None = None) -> Iterator[dict]:
    """Check every shard by its name, every .npz by its checksums."""
    store = find_store(bench.arrays)
    shards = [
        index
        for folder in shard_folders(bench)
        for index in sorted(folder.glob("*.index.npy"))
        if not (store and is_there(store, array_file(index)) and not array_file(index).exists())
    ]
    kept = (
        file
        for file in sorted(bench.arrays.rglob("*.npz"))
        if "damaged" not in file.relative_to(bench.arrays).parts
    )
    files = [*shards, *kept]
    old = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (file, why) in enumerate(zip(files, pool.map(describe_fault, files))):
            if progress:
                progress(done + 1, len(files))
            if why == "not verifiable":
                old.append(file)
            elif isinstance(why, OSError):
                yield make_finding(
                    "unreadable",
                    f"{name_array(bench, file)}: {why}",
                    hint="see to the disk and its permissions",
                )
            elif why:
                held = describe_remake(bench, file)
                if store and is_there(store, file) and is_there(store, array_file(file)):
                    held = f"fetched again from {store.address}"
                mend = f"set it aside in arrays/damaged; what it held is {held}"
                yield make_finding(
                    "damaged",
                    f"{name_array(bench, file)} {why}",
                    repair=mend,
                    files={file, array_file(file)},
                )
    if old:
        what = f"{format_count(len(old), 'shard')} of an older Assay, which named them without a digest"
        what = f"{what}: readable, but nobody can tell if they changed"
        yield make_finding(
            "not verifiable",
            what,
            len(old),
            hint="they are replaced as images are imported and scanned anew",
        )
    if stray := unfinished_files(bench):
        yield make_finding(
            "leftover",
            f"{format_count(len(stray), 'file')} left unfinished by a killed process",
            len(stray),
            "delete them",
            files=stray,
        )


def is_there(store: ArrayStore, file: Path) -> bool:
    """Tell whether a file lies in object storage, or may: it could not be looked at."""
    sizes = store.list_sizes(file.parent)
    return sizes is None or file.name in sizes


def describe_fault(file: Path) -> str | OSError:
    """Describe what is wrong with an array file.

    "" for a sound one. An OSError is what kept it from being read.
    """
    try:
        if file.suffix == ".npy":
            return find_fault(file)
        if file.parent.name == FOLDER and (why := find_damage(file)):
            return f"is damaged: {why}"
        load_arrays(file)
        return ""
    except DamagedFile as e:
        return "is damaged: " + e.reason
    except OSError as e:
        return e


def name_array(bench: Bench, file: Path) -> Path:
    """The path of an array in the bench, without its index."""
    return array_file(file).relative_to(bench.path)


def describe_remake(bench: Bench, file: Path) -> str:
    """Describe how what an array held comes back."""
    kind = file.parent.name
    if kind in ("flagged", "states", FOLDER) or file.name in FOUND_AGAIN:
        return "found again when it is asked for"
    ways = dict(
        pixels="decoded again from the originals",
        texts="stored again by an import of their source",
        judges="lost: versions of its time are judged by another scan",
        sessions="lost: a session's start",
        runs="trained again by assay experiment",
        opinions="lost: assay opinion FILE adds it again",
    )
    return ways.get(kind) or f"made again by {rescan_command(bench)}"


def without_pixels(bench: Bench, state: pd.DataFrame) -> pd.DataFrame:
    """The kept samples of a state whose pixels, or texts, are in no shard."""
    kept = state[state.keep]
    held = [np.empty(0, "S32"), *read_hashes(bench.arrays / media_of(bench).folder).values()]
    return kept[~np.isin(np.asarray(kept.content_hash, "S32"), np.concatenate(held))]


def check_coverage(bench: Bench, state: pd.DataFrame) -> Iterator[dict]:
    """Check that the arrays have all samples.

    These are the pixels of kept samples and, where there was a scan, embeddings and neighbours.
    """
    if n := len(without_pixels(bench, state)):
        media, pixels = media_of(bench), media_of(bench).column is None
        yield make_finding(
            media.folder,
            f"{format_count(n, 'kept sample', 'has', 'have')} no {media.folder} in arrays/{media.folder}",
            n,
            "decode them again from their originals" if pixels else None,
            None if pixels else "import their source again, which stores them",
        )
    try:
        asked = scan_settings.read_settings(bench)
        graph = neighbor_graph.Graph.load(bench.arrays / "graph.npz")
    except UserError:
        return  # there was no scan, or check_arrays told of the damage
    hashes = np.unique(np.asarray(state.content_hash, "S32"))
    embedded = [
        np.empty(0, "S32"),
        *read_hashes(bench.arrays / "embeddings" / asked["folder"]).values(),
    ]
    there = np.isin(hashes, np.concatenate(embedded)) & np.isin(
        hashes, [] if graph is None else graph.hashes
    )
    if n := int((~there).sum()):
        what = f"{n:,} of {format_count(len(hashes), 'sample')} without an embedding, or a place among the neighbours"
        yield make_finding("unscanned", what, n, hint=f"run: {rescan_command(bench)}")


NOTES = (
    "leftover",
    "not verifiable",
    "unscanned",
    "numbers",
    "open",
    "unknown",
    "elsewhere",
)  # worth saying, but nothing is wrong
RESTORE = "go back to the last good backup: assay restore"


def make_finding(
    kind: str,
    what: str,
    n: int = 1,
    repair: str | None = None,
    hint: str | None = None,
    files: Iterable[Path] = (),
) -> dict:
    """Make a finding, as --json prints it.

    `repair` says what --repair does about it. Where nothing derived mends it that is None, and `hint` says what a
    person can do. `files`: those that --repair deletes or sets aside.
    """
    return dict(kind=kind, what=what, n=n, repair=repair, hint=hint, files=[str(f) for f in files])
